//! What each route and method takes, gives and refuses. The refusals are the values that the handlers answer with, so
//! their statuses and texts are the real ones.
use crate::http::plane::error::{
    ATTACHMENT_NOT_UPLOADED, INVALID_DETAIL, INVALID_ENTITY, INVALID_ENTITY_TYPE,
    INVALID_FILE_TYPE, INVALID_IMAGE_TYPE, INVALID_IMAGE_TYPE_V1, INVALID_PAYLOAD, INVALID_REQUEST,
    MAY_NOT_DELETE, MAY_NOT_DOWNLOAD, MAY_NOT_UPLOAD, NAME_AND_SIZE_REQUIRED, NAME_TOO_LONG,
    NO_ANCHOR, NO_ASSET, NO_ASSET_IDS, NO_RIGHTS, NO_WORKSPACE, NOT_FOUND_V1, NOT_FOUND_V2,
    NOT_PUBLISHED, NOT_UPLOADED, NOT_YET_UPLOADED, PlaneError, UNUSABLE_SIZE,
};
use crate::http::plane::openapi::request_bodies::Takes;
use crate::http::plane::routes::table::{Endpoint, Route, Version};

/// One method of one route.
pub(in crate::http) struct Operation {
    pub(in crate::http) summary: &'static str,
    pub(in crate::http) takes: Option<Takes>,
    pub(in crate::http) gives: Gives,
    /// Beyond what every route refuses alike.
    pub(in crate::http) refuses: Vec<PlaneError>,
}
/// An answer of success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Gives {
    Upload,
    Attachments,
    Asset,
    Me,
    Exists,
    Duplicate,
    /// 204
    Nothing,
    /// 302 to a presigned URL.
    Redirect,
    /// 200, 206, 304: the bytes themselves.
    File,
    /// 200 with `Allow`, to OPTIONS.
    Methods,
}

impl Operation {
    pub(in crate::http) fn of(route: &Route, method: &str) -> Self {
        if method == "OPTIONS" {
            return reads("The methods of this path.", Gives::Methods, vec![]);
        }
        let mut operation = own(route, method);
        if is_in_a_workspace(route) {
            let gate = match route.version() {
                Version::V1 => PlaneError::Forbidden,
                Version::V2 => NO_RIGHTS,
            };
            operation.refuses.push(gate);
        }
        operation
    }
}

fn is_in_a_workspace(route: &Route) -> bool {
    route.path.contains("<slug>")
}

fn reads(summary: &'static str, gives: Gives, refuses: Vec<PlaneError>) -> Operation {
    Operation {
        summary,
        takes: None,
        gives,
        refuses,
    }
}
fn asks(summary: &'static str, takes: Takes, refuses: Vec<PlaneError>) -> Operation {
    let mut refuses = refuses;
    refuses.extend([UNUSABLE_SIZE, NAME_TOO_LONG]);
    Operation {
        summary,
        takes: Some(takes),
        gives: Gives::Upload,
        refuses,
    }
}
fn changes(summary: &'static str, takes: Option<Takes>, refuses: Vec<PlaneError>) -> Operation {
    Operation {
        summary,
        takes,
        gives: Gives::Nothing,
        refuses,
    }
}

fn own(route: &Route, method: &str) -> Operation {
    let missing = || match route.version() {
        Version::V1 => NOT_FOUND_V1,
        Version::V2 => NOT_FOUND_V2,
    };
    match (route.endpoint, method) {
        (Endpoint::Me, _) => reads("The user whose token this is.", Gives::Me, vec![]),
        (Endpoint::UserAssets, _) => user_assets(route.version()),
        (Endpoint::UserAsset, "PATCH") => changes(
            "Change the attributes of an avatar or cover. By v2 it becomes the current one.",
            Some(Takes::Attributes),
            vec![INVALID_PAYLOAD, missing()],
        ),
        (Endpoint::UserAsset, _) => changes(
            "Delete one of the user's own assets.",
            None,
            vec![missing()],
        ),
        (Endpoint::AssetsV1 | Endpoint::AssetV1, _) => documented_v1(route.endpoint, method),
        (Endpoint::Attachments | Endpoint::Attachment, _) => attachments(route, method),
        (Endpoint::Static, _) => reads(
            "The bytes of an avatar, cover or logo. No token is needed.",
            Gives::File,
            vec![
                NOT_FOUND_V2,
                NOT_UPLOADED,
                INVALID_ENTITY_TYPE,
                PlaneError::RunsUploads,
                PlaneError::PreconditionFailed,
                PlaneError::RangeNotSatisfiable { size_bytes: 24 },
            ],
        ),
        (
            Endpoint::AnchorAssets
            | Endpoint::AnchorAsset
            | Endpoint::AnchorRestore
            | Endpoint::AnchorBulk,
            _,
        ) => published(route.endpoint, method),
        _ => in_a_workspace(route.endpoint, method),
    }
}

fn user_assets(version: Version) -> Operation {
    let wrong_type = match version {
        Version::V1 => INVALID_IMAGE_TYPE_V1,
        Version::V2 => INVALID_IMAGE_TYPE,
    };
    asks(
        "Ask for the upload of an avatar or cover.",
        Takes::UserAsset,
        vec![INVALID_ENTITY_TYPE, wrong_type],
    )
}

fn documented_v1(endpoint: Endpoint, method: &str) -> Operation {
    match (endpoint, method) {
        (Endpoint::AssetsV1, _) => asks(
            "Ask for the upload of a file of the workspace.",
            Takes::AssetV1,
            vec![
                NAME_AND_SIZE_REQUIRED,
                INVALID_FILE_TYPE,
                INVALID_DETAIL,
                NOT_FOUND_V1,
                crate::http::plane::openapi::examples::taken_asset(),
            ],
        ),
        (_, "PATCH") => changes(
            "Confirm an upload.",
            Some(Takes::IsUploaded),
            vec![INVALID_PAYLOAD, INVALID_DETAIL, NO_ASSET],
        ),
        _ => reads(
            "A file's names and a presigned URL of its bytes.",
            Gives::Asset,
            vec![NO_WORKSPACE, NO_ASSET, NOT_YET_UPLOADED],
        ),
    }
}

fn attachments(route: &Route, method: &str) -> Operation {
    let (is_v1, missing) = match route.version() {
        Version::V1 => (true, NOT_FOUND_V1),
        Version::V2 => (false, NOT_FOUND_V2),
    };
    let refusal = |v1: PlaneError| if is_v1 { v1 } else { NO_RIGHTS };
    match (route.endpoint, method) {
        (Endpoint::Attachments, "POST") => {
            let mut refuses = vec![INVALID_FILE_TYPE];
            if is_v1 {
                refuses.extend([INVALID_REQUEST, INVALID_DETAIL, MAY_NOT_UPLOAD, missing]);
                refuses.push(crate::http::plane::openapi::examples::taken_attachment());
            }
            let takes = if is_v1 {
                Takes::AttachmentV1
            } else {
                Takes::AttachmentV2
            };
            asks("Ask for the upload of an attachment.", takes, refuses)
        }
        (Endpoint::Attachments, _) => reads(
            "The uploaded attachments of a work item, the newest first.",
            Gives::Attachments,
            vec![missing],
        ),
        (_, "PATCH") => changes(
            "Confirm the upload of an attachment. The body is not read.",
            None,
            vec![refusal(MAY_NOT_UPLOAD), missing],
        ),
        (_, "DELETE") => changes(
            "Delete an attachment: its creator and admins may, by v1 members too.",
            None,
            vec![refusal(MAY_NOT_DELETE), missing],
        ),
        _ => reads(
            "Download an attachment.",
            Gives::Redirect,
            vec![ATTACHMENT_NOT_UPLOADED, refusal(MAY_NOT_DOWNLOAD), missing],
        ),
    }
}

fn in_a_workspace(endpoint: Endpoint, method: &str) -> Operation {
    match (endpoint, method) {
        (Endpoint::WorkspaceAssets | Endpoint::ProjectAssets, _) => asks(
            "Ask for the upload of a picture of the workspace, or of the project.",
            Takes::WorkspaceAsset,
            vec![
                INVALID_ENTITY_TYPE,
                INVALID_IMAGE_TYPE,
                INVALID_DETAIL,
                INVALID_PAYLOAD,
            ],
        ),
        (Endpoint::WorkspaceAsset | Endpoint::ProjectAsset, "PATCH") => changes(
            "Change the attributes of an asset. By the workspace's path a logo or cover becomes the current one.",
            Some(Takes::Attributes),
            vec![INVALID_PAYLOAD, NOT_FOUND_V2],
        ),
        (Endpoint::WorkspaceAsset | Endpoint::ProjectAsset, "DELETE") => {
            let summary = "Delete an asset; an issue attachment only its creator and admins may.";
            changes(summary, None, vec![NOT_FOUND_V2])
        }
        (Endpoint::Check, _) => reads(
            "Whether the asset is in the workspace, uploaded or not.",
            Gives::Exists,
            vec![],
        ),
        (Endpoint::Restore, _) => changes("Bring a deleted asset back.", None, vec![NOT_FOUND_V2]),
        (Endpoint::Duplicate, _) => Operation {
            summary: "Copy an uploaded asset into this workspace.",
            takes: Some(Takes::Duplicate),
            gives: Gives::Duplicate,
            refuses: vec![
                INVALID_ENTITY,
                INVALID_DETAIL,
                INVALID_PAYLOAD,
                NO_ASSET,
                PlaneError::RateLimited {
                    retry_after_seconds: 12,
                },
            ],
        },
        (Endpoint::Bulk, _) => changes(
            "Bind many uploaded assets to what they were uploaded for.",
            Some(Takes::AssetIds),
            vec![NO_ASSET_IDS, INVALID_DETAIL, NOT_UPLOADED],
        ),
        _ => reads(
            "Download an asset.",
            Gives::Redirect,
            vec![NOT_FOUND_V2, NOT_UPLOADED],
        ),
    }
}

fn published(endpoint: Endpoint, method: &str) -> Operation {
    match (endpoint, method) {
        (Endpoint::AnchorAssets, _) => asks(
            "Ask for the upload of a picture in a comment on a published project.",
            Takes::PublishedAsset,
            vec![
                INVALID_ENTITY_TYPE,
                INVALID_IMAGE_TYPE,
                INVALID_DETAIL,
                NOT_PUBLISHED,
            ],
        ),
        (Endpoint::AnchorAsset, "PATCH") => changes(
            "Change the attributes of a picture.",
            Some(Takes::Attributes),
            vec![INVALID_PAYLOAD, NOT_PUBLISHED, NOT_FOUND_V2],
        ),
        (Endpoint::AnchorAsset, "DELETE") => {
            let summary = "Delete an asset; an issue attachment only its creator and admins may.";
            changes(summary, None, vec![NOT_PUBLISHED, NOT_FOUND_V2])
        }
        (Endpoint::AnchorRestore, _) => changes(
            "Bring a deleted picture back.",
            None,
            vec![NOT_PUBLISHED, NOT_FOUND_V2],
        ),
        (Endpoint::AnchorBulk, _) => changes(
            "Bind comments' pictures to their comment.",
            Some(Takes::AssetIds),
            vec![NO_ASSET_IDS, INVALID_DETAIL, NOT_PUBLISHED, NOT_UPLOADED],
        ),
        _ => reads(
            "A picture of a published project. No token is needed.",
            Gives::Redirect,
            vec![NO_ANCHOR, NOT_FOUND_V2, NOT_UPLOADED],
        ),
    }
}
