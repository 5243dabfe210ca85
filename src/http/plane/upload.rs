//! Asking for an upload: what its fields may be, and the answer. Plane contract, sections 1.2, 1.3 and 1.5.
//!
//! Each field has its rule here and nowhere else; in which order they are judged is a route's own.
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
use crate::http::plane::request::plane_request::{Asked, origin_of};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Characters of an external id or source.
const LONGEST_EXTERNAL_CHARS: usize = 255;
/// Bytes of JSON that `attributes` may take.
const LARGEST_ATTRIBUTES_BYTES: usize = 16 * 1024;

/// Records the asset, and answers the policy for its bytes. `slug`: of the workspace that it lies in.
pub(in crate::http) async fn open(
    asked: &Asked<'_>,
    request: UploadRequest,
    slug: Option<&str>,
) -> Result<(Asset, UploadAnswer), PlaneError> {
    let origin = origin_of(asked.req, asked.state)?;
    let unique_in = request.unique_in;
    let opening = asked.state.assets.request_upload(request).await;
    let upload = opening.map_err(|error| match (error, unique_in) {
        (AssetError::Exists(taken), Some(unique_in)) => {
            PlaneError::Taken(conflict(&taken, unique_in, slug))
        }
        (error, _) => PlaneError::of_asset(asked.not_found())(error),
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

fn conflict(taken: &Asset, unique_in: UniqueIn, slug: Option<&str>) -> Conflict {
    match unique_in {
        UniqueIn::Workspace => Conflict::Asset {
            message: "Asset with same external id and source already exists",
            asset_id: taken.id,
            asset_url: taken.asset_url(slug),
        },
        UniqueIn::Issue => Conflict::Attachment {
            error: "Issue with the same external id and external source already exists",
            id: taken.id,
        },
    }
}

/// What is judged of a picture besides its size and name.
pub(in crate::http) struct PictureRules {
    pub(in crate::http) takes: fn(EntityType) -> bool,
    /// Of another type than the image list's.
    pub(in crate::http) wrong_type: PlaneError,
}

/// Reads what pictures and descriptions are asked for with, in the order of judging: size, entity type, type, what it is
/// bound to, name.
pub(in crate::http) fn picture(
    fields: &Fields,
    limit_bytes: u64,
    created_by: Uuid,
    rules: PictureRules,
    bindings: impl FnOnce(EntityType) -> Result<Bindings, PlaneError>,
) -> Result<UploadRequest, PlaneError> {
    let size = size(fields, limit_bytes)?;
    let entity_type = entity_type(fields)?
        .filter(|entity_type| (rules.takes)(*entity_type))
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

/// The size that the policy allows, clamped to the limit; absent: the limit.
pub(in crate::http) fn size(fields: &Fields, limit_bytes: u64) -> Result<u64, PlaneError> {
    AskedSize::read(fields.get("size"))
        .clamped(limit_bytes)
        .ok_or(UNUSABLE_SIZE)
}

/// One of the ten, or nothing.
pub(in crate::http) fn entity_type(fields: &Fields) -> Result<Option<EntityType>, PlaneError> {
    Ok(match fields.text("entity_type")? {
        Text::Given(text) => EntityType::parse(&text),
        Text::Absent | Text::OtherType => None,
    })
}

/// A type of the attachment list.
pub(in crate::http) fn attachment_type(fields: &Fields) -> Result<String, PlaneError> {
    match fields.text("type")? {
        Text::Given(text) if is_attachment_type(&text) => Ok(text),
        _ => Err(INVALID_FILE_TYPE),
    }
}

/// What is left of a name after cleaning. Too long a one is judged last.
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

/// A UUID that may be left out: absent, `null` and `""` are none.
// Plane: its web app sends `""` for what is not saved yet.
pub(in crate::http) fn identifier(
    fields: &Fields,
    field: &str,
) -> Result<Option<Uuid>, PlaneError> {
    match fields.get(field).map(serde_json::value::RawValue::get) {
        None | Some("null" | r#""""#) => Ok(None),
        Some(_) => given_id(fields, field).map(Some),
    }
}
/// A UUID, in any form that Python reads.
pub(in crate::http) fn given_id(fields: &Fields, field: &str) -> Result<Uuid, PlaneError> {
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
            Text::Given(text) if text.chars().count() <= LONGEST_EXTERNAL_CHARS => Ok(Some(text)),
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

    /// One alone never conflicts.
    pub(in crate::http) fn is_pair(&self) -> bool {
        let is_given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        is_given(&self.id) && is_given(&self.source)
    }
}

/// Where a new asset lies, and so what an identifier may bind it to.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Place {
    pub(in crate::http) workspace_id: Uuid,
    pub(in crate::http) project_id: Option<Uuid>,
    pub(in crate::http) user_id: Uuid,
    /// Whether a draft's description is bound to its draft.
    // Plane: by the project route only.
    pub(in crate::http) binds_drafts: bool,
}
impl Place {
    /// What `identifier` makes of an asset of this type. One that contradicts the path binds nobody else's things.
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

/// `attributes` of a PATCH: the text of an object, or nothing where none was sent.
pub(in crate::http) fn attributes(fields: &Fields) -> Result<Option<String>, PlaneError> {
    let Some(sent) = fields.get("attributes") else {
        return Ok(None);
    };
    let attributes: Map<String, Value> =
        serde_json::from_str(sent.get()).map_err(|_| INVALID_PAYLOAD)?;
    let text = Value::Object(attributes).to_string();
    if text.len() > LARGEST_ATTRIBUTES_BYTES {
        return Err(INVALID_PAYLOAD);
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests;
