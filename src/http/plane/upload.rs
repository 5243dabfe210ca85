//! A request for an upload: the rules of its fields, and the answer. Plane contract, sections 1.2, 1.3 and 1.5.
//!
//! The rule of each field is here and nowhere else. Each route decides the order in which it checks the fields.
use crate::assets::content::{is_attachment_type, is_image_type};
use crate::assets::name::NameTooLong;
use crate::assets::{
    AskedSize, Asset, AssetError, AssetName, Bindings, EntityType, UniqueIn, UploadRequest,
};
use crate::http::plane::dto::{UploadAnswer, UploadData};
use crate::http::plane::error::{
    Conflict, INVALID_DETAIL, INVALID_ENTITY_TYPE, INVALID_FILE_TYPE, INVALID_PAYLOAD,
    NAME_TOO_LONG, PlaneError, UNUSABLE_SIZE,
};
use crate::http::plane::request::body::{Fields, Text};
use crate::http::plane::request::plane_request::{PlaneRequest, link_origin};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The most characters of an external id or source.
const MAX_EXTERNAL_CHARS: usize = 255;
/// The most bytes of `attributes` as JSON.
const MAX_ATTRIBUTES_BYTES: usize = 16 * 1024;

/// Records the asset, and answers the signed form for its bytes. `slug`: of the workspace of the asset.
pub(in crate::http) async fn request_upload(
    request: &PlaneRequest<'_>,
    upload_request: UploadRequest,
    slug: Option<&str>,
) -> Result<(Asset, UploadAnswer), PlaneError> {
    let origin = link_origin(request.req, request.state)?;
    let unique_in = upload_request.unique_in;
    let requesting = request.state.assets.request_upload(upload_request).await;
    let upload = requesting.map_err(|error| match (error, unique_in) {
        (AssetError::Exists(existing), Some(unique_in)) => {
            PlaneError::Conflict(conflict(&existing, unique_in, slug))
        }
        (error, _) => PlaneError::of_asset(request.not_found())(error),
    })?;
    let answer = UploadAnswer {
        upload_data: UploadData {
            url: format!("{origin}/{}", upload.asset.bucket),
            fields: upload.post.fields,
        },
        asset_id: upload.asset.id,
        attachment: None,
        asset_url: upload.asset.asset_url(slug),
        id: None,
        asset: None,
    };
    Ok((upload.asset, answer))
}

fn conflict(existing: &Asset, unique_in: UniqueIn, slug: Option<&str>) -> Conflict {
    match unique_in {
        UniqueIn::Workspace => Conflict::Asset {
            message: "Asset with same external id and source already exists",
            asset_id: existing.id,
            asset_url: existing.asset_url(slug),
        },
        UniqueIn::Issue => Conflict::Attachment {
            error: "Issue with the same external id and external source already exists",
            id: existing.id,
        },
    }
}

/// What a route accepts as an image, besides its size and name.
pub(in crate::http) struct ImageRules {
    pub(in crate::http) accepts: fn(EntityType) -> bool,
    /// The refusal of a type that is not in the list of image types.
    pub(in crate::http) wrong_type: PlaneError,
}

/// Parses a request for an image, in the order in which Plane checks the fields: size, entity type, type, bindings, name.
pub(in crate::http) fn parse_image(
    fields: &Fields,
    limit_bytes: u64,
    created_by: Uuid,
    rules: ImageRules,
    bindings: impl FnOnce(EntityType) -> Result<Bindings, PlaneError>,
) -> Result<UploadRequest, PlaneError> {
    let size = size(fields, limit_bytes)?;
    let entity_type = entity_type(fields)?
        .filter(|entity_type| (rules.accepts)(*entity_type))
        .ok_or(INVALID_ENTITY_TYPE)?;
    let content_type = match fields.text("type")? {
        Text::Absent => "image/jpeg".to_owned(),
        Text::Given(text) if is_image_type(&text) => text,
        Text::Given(_) | Text::OtherType => return Err(rules.wrong_type),
    };
    let bindings = bindings(entity_type)?;
    Ok(UploadRequest {
        entity_type,
        name: name_or_unnamed(name(fields)?)?,
        content_type,
        size,
        bindings,
        external_id: None,
        external_source: None,
        unique_in: None,
        created_by,
    })
}

/// The size that the policy will allow: at most the limit, and the limit where the field is absent.
pub(in crate::http) fn size(fields: &Fields, limit_bytes: u64) -> Result<u64, PlaneError> {
    AskedSize::read(fields.get("size"))
        .clamped(limit_bytes)
        .ok_or(UNUSABLE_SIZE)
}

/// One of the ten entity types, or `None`.
pub(in crate::http) fn entity_type(fields: &Fields) -> Result<Option<EntityType>, PlaneError> {
    Ok(match fields.text("entity_type")? {
        Text::Given(text) => EntityType::parse(&text),
        Text::Absent | Text::OtherType => None,
    })
}

/// A type in the list of attachment types.
pub(in crate::http) fn attachment_type(fields: &Fields) -> Result<String, PlaneError> {
    match fields.text("type")? {
        Text::Given(text) if is_attachment_type(&text) => Ok(text),
        _ => Err(INVALID_FILE_TYPE),
    }
}

/// The cleaned name, `None` where it is empty. A name that is too long is refused after all other fields are checked.
pub(in crate::http) type CleanedName = Result<Option<AssetName>, NameTooLong>;

pub(in crate::http) fn name(fields: &Fields) -> Result<CleanedName, PlaneError> {
    Ok(match fields.text("name")? {
        Text::Given(text) => AssetName::clean(&text),
        Text::Absent | Text::OtherType => Ok(None),
    })
}
pub(in crate::http) fn name_or_unnamed(name: CleanedName) -> Result<AssetName, PlaneError> {
    let name = name.map_err(|NameTooLong| NAME_TOO_LONG)?;
    Ok(name.unwrap_or_else(AssetName::unnamed))
}

/// A UUID that may be left out: an absent field, `null` and `""` are `None`.
// Plane: its web app sends `""` for an item that is not saved yet.
pub(in crate::http) fn optional_id(
    fields: &Fields,
    field: &str,
) -> Result<Option<Uuid>, PlaneError> {
    match fields.get(field).map(serde_json::value::RawValue::get) {
        None | Some("null" | r#""""#) => Ok(None),
        Some(_) => required_id(fields, field).map(Some),
    }
}
/// A UUID, in any form that Python reads.
pub(in crate::http) fn required_id(fields: &Fields, field: &str) -> Result<Uuid, PlaneError> {
    match fields.text(field)? {
        Text::Given(text) => Uuid::try_parse(&text).map_err(|_| INVALID_DETAIL),
        Text::Absent | Text::OtherType => Err(INVALID_DETAIL),
    }
}

/// `external_id` and `external_source`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct External {
    pub(in crate::http) id: Option<String>,
    pub(in crate::http) source: Option<String>,
}
impl External {
    pub(in crate::http) fn read(fields: &Fields) -> Result<Self, PlaneError> {
        let one = |field| match fields.text(field)? {
            Text::Given(text) if text.chars().count() <= MAX_EXTERNAL_CHARS => Ok(Some(text)),
            Text::Absent => Ok(None),
            Text::OtherType if fields.get(field).is_some_and(|sent| sent.get() == "null") => {
                Ok(None)
            }
            Text::Given(_) | Text::OtherType => Err(INVALID_DETAIL),
        };
        Ok(Self {
            id: one("external_id")?,
            source: one("external_source")?,
        })
    }

    /// Whether both are given: one alone never conflicts.
    pub(in crate::http) fn is_pair(&self) -> bool {
        let is_given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        is_given(&self.id) && is_given(&self.source)
    }
}

/// Where a new asset belongs: it decides what an identifier may bind the asset to.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Place {
    pub(in crate::http) workspace_id: Uuid,
    pub(in crate::http) project_id: Option<Uuid>,
    pub(in crate::http) user_id: Uuid,
    /// Whether a draft's description is bound to its draft.
    // Plane: only by the project route.
    pub(in crate::http) binds_drafts: bool,
}
impl Place {
    /// Binds an asset of this type to `identifier`. An identifier that contradicts the path is refused, so that nothing of
    /// another user, workspace or project is bound.
    pub(in crate::http) fn bindings(
        self,
        entity_type: EntityType,
        identifier: Option<Uuid>,
    ) -> Result<Bindings, PlaneError> {
        let mut bindings = Bindings {
            workspace_id: Some(self.workspace_id),
            project_id: self.project_id,
            ..Bindings::default()
        };
        let must_be = |own: Uuid| match identifier {
            Some(other) if other != own => Err(INVALID_PAYLOAD),
            _ => Ok(own),
        };
        match entity_type {
            EntityType::UserAvatar | EntityType::UserCover => {
                bindings.user_id = Some(must_be(self.user_id)?);
            }
            EntityType::WorkspaceLogo => {
                must_be(self.workspace_id)?;
            }
            EntityType::ProjectCover => {
                bindings.project_id = match self.project_id {
                    Some(own) => Some(must_be(own)?),
                    None => identifier,
                };
            }
            EntityType::IssueAttachment | EntityType::IssueDescription => {
                bindings.issue_id = identifier;
            }
            EntityType::CommentDescription => bindings.comment_id = identifier,
            EntityType::PageDescription => bindings.page_id = identifier,
            EntityType::DraftIssueDescription if self.binds_drafts => {
                bindings.draft_issue_id = identifier;
            }
            EntityType::DraftIssueDescription | EntityType::DraftIssueAttachment => {}
        }
        Ok(bindings)
    }
}

/// `attributes` of a PATCH as JSON text. `None`: the field was not sent.
pub(in crate::http) fn attributes(fields: &Fields) -> Result<Option<String>, PlaneError> {
    let Some(sent) = fields.get("attributes") else {
        return Ok(None);
    };
    let attributes: Map<String, Value> =
        serde_json::from_str(sent.get()).map_err(|_| INVALID_PAYLOAD)?;
    let text = Value::Object(attributes).to_string();
    if text.len() > MAX_ATTRIBUTES_BYTES {
        return Err(INVALID_PAYLOAD);
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests;
