//! The request body, the success and the refusals of each route and method. A refusal is the value that the handler
//! answers, so its status and text are the real ones.
use crate::http::plane::error::{
    ATTACHMENT_NOT_UPLOADED, INVALID_DETAIL, INVALID_ENTITY, INVALID_ENTITY_TYPE,
    INVALID_FILE_TYPE, INVALID_IMAGE_TYPE, INVALID_IMAGE_TYPE_V1, INVALID_PAYLOAD, INVALID_REQUEST,
    MAY_NOT_DELETE, MAY_NOT_DOWNLOAD, MAY_NOT_UPLOAD, NAME_AND_SIZE_REQUIRED, NAME_TOO_LONG,
    NO_ANCHOR, NO_ASSET, NO_ASSET_IDS, NO_RIGHTS, NO_WORKSPACE, NOT_FOUND_V1, NOT_FOUND_V2,
    NOT_PUBLISHED, NOT_UPLOADED, NOT_YET_UPLOADED, PlaneError, UNUSABLE_SIZE,
};
use crate::http::plane::openapi::examples;
use crate::http::plane::openapi::request_bodies::RequestBody;
use crate::http::plane::routes::table::{Endpoint, Route, Version};

/// One method of one route.
pub(in crate::http) struct Operation {
    pub(in crate::http) summary: &'static str,
    pub(in crate::http) request_body: Option<RequestBody>,
    pub(in crate::http) success: Success,
    /// Without those that all routes have.
    pub(in crate::http) refusals: Vec<PlaneError>,
}
/// The answer of a successful request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Success {
    Upload,
    Attachments,
    Asset,
    Me,
    Exists,
    Duplicate,
    /// 204
    NoContent,
    /// 302 to a presigned URL.
    Redirect,
    /// 200, 206 or 304 with the bytes.
    File,
    /// 200 with `Allow`, the answer to OPTIONS.
    Methods,
}

impl Operation {
    pub(in crate::http) fn of(route: &Route, method: &str) -> Self {
        if method == "OPTIONS" {
            return read_operation("The methods of this path.", Success::Methods, vec![]);
        }
        let mut operation = of_endpoint(route, method);
        if is_in_a_workspace(route) {
            let not_a_member = match route.version() {
                Version::V1 => PlaneError::Forbidden,
                Version::V2 => NO_RIGHTS,
            };
            operation.refusals.push(not_a_member);
        }
        operation
    }
}

fn is_in_a_workspace(route: &Route) -> bool {
    route.path.contains("<slug>")
}

fn read_operation(summary: &'static str, success: Success, refusals: Vec<PlaneError>) -> Operation {
    Operation {
        summary,
        request_body: None,
        success,
        refusals,
    }
}
fn upload_operation(
    summary: &'static str,
    request_body: RequestBody,
    refusals: Vec<PlaneError>,
) -> Operation {
    let mut refusals = refusals;
    refusals.extend([UNUSABLE_SIZE, NAME_TOO_LONG]);
    Operation {
        summary,
        request_body: Some(request_body),
        success: Success::Upload,
        refusals,
    }
}
fn change_operation(
    summary: &'static str,
    request_body: Option<RequestBody>,
    refusals: Vec<PlaneError>,
) -> Operation {
    Operation {
        summary,
        request_body,
        success: Success::NoContent,
        refusals,
    }
}

fn of_endpoint(route: &Route, method: &str) -> Operation {
    let missing = || match route.version() {
        Version::V1 => NOT_FOUND_V1,
        Version::V2 => NOT_FOUND_V2,
    };
    match (route.endpoint, method) {
        (Endpoint::Me, _) => read_operation("The user whose token this is.", Success::Me, vec![]),
        (Endpoint::UserAssets, _) => user_assets(route.version()),
        (Endpoint::UserAsset, "PATCH") => change_operation(
            "Change the attributes of an avatar or cover. By v2 it becomes the current one.",
            Some(RequestBody::Attributes),
            vec![INVALID_PAYLOAD, missing()],
        ),
        (Endpoint::UserAsset, _) => change_operation(
            "Delete one of the user's own assets.",
            None,
            vec![missing()],
        ),
        (Endpoint::AssetsV1 | Endpoint::AssetV1, _) => documented_v1(route.endpoint, method),
        (Endpoint::Attachments | Endpoint::Attachment, _) => attachments(route, method),
        (Endpoint::Static, _) => read_operation(
            "The bytes of an avatar, cover or logo. No token is needed.",
            Success::File,
            vec![
                NOT_FOUND_V2,
                NOT_UPLOADED,
                INVALID_ENTITY_TYPE,
                PlaneError::WouldRunUpload,
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
    upload_operation(
        "Ask for the upload of an avatar or cover.",
        RequestBody::UserAsset,
        vec![INVALID_ENTITY_TYPE, wrong_type],
    )
}

fn documented_v1(endpoint: Endpoint, method: &str) -> Operation {
    match (endpoint, method) {
        (Endpoint::AssetsV1, _) => upload_operation(
            "Ask for the upload of a file of the workspace.",
            RequestBody::AssetV1,
            vec![
                NAME_AND_SIZE_REQUIRED,
                INVALID_FILE_TYPE,
                INVALID_DETAIL,
                NOT_FOUND_V1,
                examples::existing_asset(),
            ],
        ),
        (_, "PATCH") => change_operation(
            "Confirm an upload.",
            Some(RequestBody::IsUploaded),
            vec![INVALID_PAYLOAD, INVALID_DETAIL, NO_ASSET],
        ),
        _ => read_operation(
            "A file's names and a presigned URL of its bytes.",
            Success::Asset,
            vec![NO_WORKSPACE, NO_ASSET, NOT_YET_UPLOADED],
        ),
    }
}

fn attachments(route: &Route, method: &str) -> Operation {
    let (is_v1, missing) = match route.version() {
        Version::V1 => (true, NOT_FOUND_V1),
        Version::V2 => (false, NOT_FOUND_V2),
    };
    let by_version = |v1: PlaneError| if is_v1 { v1 } else { NO_RIGHTS };
    match (route.endpoint, method) {
        (Endpoint::Attachments, "POST") => {
            let mut refusals = vec![INVALID_FILE_TYPE];
            if is_v1 {
                refusals.extend([INVALID_REQUEST, INVALID_DETAIL, MAY_NOT_UPLOAD, missing]);
                refusals.push(examples::existing_attachment());
            }
            let request_body = if is_v1 {
                RequestBody::AttachmentV1
            } else {
                RequestBody::AttachmentV2
            };
            upload_operation(
                "Ask for the upload of an attachment.",
                request_body,
                refusals,
            )
        }
        (Endpoint::Attachments, _) => read_operation(
            "The uploaded attachments of a work item, the newest first.",
            Success::Attachments,
            vec![missing],
        ),
        (_, "PATCH") => change_operation(
            "Confirm the upload of an attachment. The body is not read.",
            None,
            vec![by_version(MAY_NOT_UPLOAD), missing],
        ),
        (_, "DELETE") => change_operation(
            "Delete an attachment: its creator and admins may, by v1 members too.",
            None,
            vec![by_version(MAY_NOT_DELETE), missing],
        ),
        _ => read_operation(
            "Download an attachment.",
            Success::Redirect,
            vec![
                ATTACHMENT_NOT_UPLOADED,
                by_version(MAY_NOT_DOWNLOAD),
                missing,
            ],
        ),
    }
}

fn in_a_workspace(endpoint: Endpoint, method: &str) -> Operation {
    match (endpoint, method) {
        (Endpoint::WorkspaceAssets | Endpoint::ProjectAssets, _) => upload_operation(
            "Ask for the upload of a picture of the workspace, or of the project.",
            RequestBody::WorkspaceAsset,
            vec![
                INVALID_ENTITY_TYPE,
                INVALID_IMAGE_TYPE,
                INVALID_DETAIL,
                INVALID_PAYLOAD,
            ],
        ),
        (Endpoint::WorkspaceAsset | Endpoint::ProjectAsset, "PATCH") => change_operation(
            "Change the attributes of an asset. By the workspace's path a logo or cover becomes the current one.",
            Some(RequestBody::Attributes),
            vec![INVALID_PAYLOAD, NOT_FOUND_V2],
        ),
        (Endpoint::WorkspaceAsset | Endpoint::ProjectAsset, "DELETE") => {
            let summary = "Delete an asset; an issue attachment only its creator and admins may.";
            change_operation(summary, None, vec![NOT_FOUND_V2])
        }
        (Endpoint::Check, _) => read_operation(
            "Whether the asset is in the workspace, uploaded or not.",
            Success::Exists,
            vec![],
        ),
        (Endpoint::Restore, _) => {
            change_operation("Bring a deleted asset back.", None, vec![NOT_FOUND_V2])
        }
        (Endpoint::Duplicate, _) => Operation {
            summary: "Copy an uploaded asset into this workspace.",
            request_body: Some(RequestBody::Duplicate),
            success: Success::Duplicate,
            refusals: vec![
                INVALID_ENTITY,
                INVALID_DETAIL,
                INVALID_PAYLOAD,
                NO_ASSET,
                PlaneError::RateLimited {
                    retry_after_seconds: 12,
                },
            ],
        },
        (Endpoint::Bulk, _) => change_operation(
            "Bind many uploaded assets to what they were uploaded for.",
            Some(RequestBody::AssetIds),
            vec![NO_ASSET_IDS, INVALID_DETAIL, NOT_UPLOADED],
        ),
        _ => read_operation(
            "Download an asset.",
            Success::Redirect,
            vec![NOT_FOUND_V2, NOT_UPLOADED],
        ),
    }
}

fn published(endpoint: Endpoint, method: &str) -> Operation {
    match (endpoint, method) {
        (Endpoint::AnchorAssets, _) => upload_operation(
            "Ask for the upload of a picture in a comment on a published project.",
            RequestBody::PublishedAsset,
            vec![
                INVALID_ENTITY_TYPE,
                INVALID_IMAGE_TYPE,
                INVALID_DETAIL,
                NOT_PUBLISHED,
            ],
        ),
        (Endpoint::AnchorAsset, "PATCH") => change_operation(
            "Change the attributes of a picture.",
            Some(RequestBody::Attributes),
            vec![INVALID_PAYLOAD, NOT_PUBLISHED, NOT_FOUND_V2],
        ),
        (Endpoint::AnchorAsset, "DELETE") => {
            let summary = "Delete an asset; an issue attachment only its creator and admins may.";
            change_operation(summary, None, vec![NOT_PUBLISHED, NOT_FOUND_V2])
        }
        (Endpoint::AnchorRestore, _) => change_operation(
            "Bring a deleted picture back.",
            None,
            vec![NOT_PUBLISHED, NOT_FOUND_V2],
        ),
        (Endpoint::AnchorBulk, _) => change_operation(
            "Bind comments' pictures to their comment.",
            Some(RequestBody::AssetIds),
            vec![NO_ASSET_IDS, INVALID_DETAIL, NOT_PUBLISHED, NOT_UPLOADED],
        ),
        _ => read_operation(
            "A picture of a published project. No token is needed.",
            Success::Redirect,
            vec![NO_ANCHOR, NOT_FOUND_V2, NOT_UPLOADED],
        ),
    }
}
