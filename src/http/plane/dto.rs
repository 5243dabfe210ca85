//! The JSON of the answers, with the keys in Plane's order. Plane contract, sections 1.3,
//! 1.9, 3.3, 3.10 and 3.12.
use crate::assets::model::Micros;
use crate::assets::{Asset, EntityType};
use crate::clock::Timestamp;
use crate::s3::time;
use crate::store::Object;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The answer to every upload request.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct UploadAnswer {
    pub(in crate::http) upload_data: UploadData,
    pub(in crate::http) asset_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) attachment: Option<Attachment>,
    pub(in crate::http) asset_url: Option<String>,
    // Plane: does not answer these two, so the Python SDK's `attachments.create()` cannot read its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) id: Option<Uuid>,
    /// The key
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) asset: Option<String>,
}
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct UploadData {
    /// Scheme, host and `/<bucket>`
    pub(in crate::http) url: String,
    /// Every one is sent as a field of the form, and `file` after them.
    #[serde(serialize_with = "as_object")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub(in crate::http) fields: Vec<(&'static str, String)>,
}

/// An attachment, in lists and in the answer that asks for its bytes.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Attachment {
    id: Uuid,
    /// v2 only; there `null` never comes, since an attachment always has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    asset_url: Option<String>,
    created_at: String,
    updated_at: String,
    deleted_at: Option<String>,
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    attributes: Box<RawValue>,
    /// The key
    asset: String,
    #[schemars(with = "String", extend("enum" = EntityType::ALL.map(EntityType::as_str)))]
    entity_type: EntityType,
    // Plane: the column is always empty.
    entity_identifier: Option<Uuid>,
    is_deleted: bool,
    is_archived: bool,
    external_id: Option<String>,
    external_source: Option<String>,
    /// Whole, as a JSON float.
    size: f64,
    is_uploaded: bool,
    storage_metadata: StorageMetadata,
    created_by: Uuid,
    updated_by: Option<Uuid>,
    user: Option<Uuid>,
    workspace: Option<Uuid>,
    draft_issue: Option<Uuid>,
    project: Option<Uuid>,
    issue: Option<Uuid>,
    comment: Option<Uuid>,
    page: Option<Uuid>,
}
impl Attachment {
    /// `object`: its bytes, where it is uploaded. `asset_url`: by v2.
    pub(in crate::http) fn new(
        asset: &Asset,
        object: Option<&Object>,
        asset_url: Option<String>,
    ) -> Self {
        let attributes = RawValue::from_string(asset.attributes.clone());
        #[expect(
            clippy::cast_precision_loss,
            reason = "the field is a float; a size past 2^53 loses its last digits"
        )]
        let size = asset.size as f64;
        let bindings = &asset.bindings;
        Self {
            id: asset.id,
            asset_url,
            created_at: six_digits(asset.created_at),
            updated_at: six_digits(asset.updated_at),
            deleted_at: asset.deleted_at.map(six_digits),
            attributes: attributes.unwrap_or_else(|_| RawValue::NULL.to_owned()),
            asset: asset.key.as_str().to_owned(),
            entity_type: asset.entity_type,
            entity_identifier: None,
            is_deleted: asset.deleted_at.is_some(),
            is_archived: false,
            external_id: asset.external_id.clone(),
            external_source: asset.external_source.clone(),
            size,
            is_uploaded: object.is_some(),
            storage_metadata: StorageMetadata::of(object),
            created_by: asset.created_by,
            updated_by: asset.updated_by,
            user: bindings.user_id,
            workspace: bindings.workspace_id,
            draft_issue: bindings.draft_issue_id,
            project: bindings.project_id,
            issue: bindings.issue_id,
            comment: bindings.comment_id,
            page: bindings.page_id,
        }
    }
}

/// What an upload left, as Plane's own storage tells of it; `{}` before.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct StorageMetadata {
    #[serde(rename = "ETag", skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(rename = "Metadata", skip_serializing_if = "Option::is_none")]
    metadata: Option<std::collections::BTreeMap<String, String>>,
    #[serde(rename = "ContentType", skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(rename = "LastModified", skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(rename = "ContentLength", skip_serializing_if = "Option::is_none")]
    content_length: Option<u64>,
}
impl StorageMetadata {
    fn of(object: Option<&Object>) -> Self {
        object.map_or_else(Self::default, |object| Self {
            etag: Some(object.etag.quoted()),
            metadata: Some(object.meta.user.clone()),
            content_type: object.meta.content_type.clone(),
            last_modified: Some(time::iso8601_secs(object.last_modified).replace('Z', "+00:00")),
            content_length: Some(object.size_bytes),
        })
    }
}

/// `2026-11-23T09:18:28.215524Z`
fn six_digits(at: Micros) -> String {
    let micros = at.as_micros();
    let second = Timestamp::from_secs(micros.div_euclid(1_000_000));
    let second = time::iso8601_secs(second);
    let second = second.trim_end_matches('Z');
    format!("{second}.{:06}Z", micros.rem_euclid(1_000_000))
}

/// One asset of a workspace by v1: the keys of Plane's source, and those that its documentation shows.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct AssetV1 {
    pub(in crate::http) asset_id: Uuid,
    /// Presigned
    pub(in crate::http) asset_url: String,
    pub(in crate::http) asset_name: String,
    pub(in crate::http) asset_type: String,
    pub(in crate::http) id: Uuid,
    pub(in crate::http) name: String,
    #[serde(rename = "type")]
    pub(in crate::http) content_type: String,
    pub(in crate::http) attributes: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Exists {
    pub(in crate::http) exists: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Duplicate {
    pub(in crate::http) asset_id: Uuid,
}

/// `GET /api/v1/users/me/`
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct Me {
    pub(in crate::http) id: Uuid,
    pub(in crate::http) first_name: &'static str,
    pub(in crate::http) last_name: &'static str,
    pub(in crate::http) email: String,
    pub(in crate::http) avatar: &'static str,
    /// Where the current avatar is served.
    pub(in crate::http) avatar_url: Option<String>,
    pub(in crate::http) display_name: String,
}

fn as_object<S: Serializer>(
    fields: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_answer_has_its_keys_in_order() {
        let answer = UploadAnswer {
            upload_data: UploadData {
                url: "https://files.example.com/uploads".to_owned(),
                fields: vec![
                    ("Content-Type", "image/png".to_owned()),
                    ("key", "user-assets/a/ż.png".to_owned()),
                ],
            },
            asset_id: Uuid::from_u128(10),
            attachment: None,
            asset_url: None,
            id: None,
            asset: None,
        };
        insta::assert_snapshot!(
            serde_json::to_string(&answer).unwrap(),
            @r#"{"upload_data":{"url":"https://files.example.com/uploads","fields":{"Content-Type":"image/png","key":"user-assets/a/ż.png"}},"asset_id":"00000000-0000-0000-0000-00000000000a","asset_url":null}"#
        );
    }

    fn attachment() -> Asset {
        Asset {
            id: Uuid::from_u128(10),
            entity_type: EntityType::IssueAttachment,
            bucket: crate::s3::BucketName::parse("uploads").unwrap(),
            key: crate::s3::ObjectKey::parse("7/10/spec v1.pdf").unwrap(),
            content_type: "application/pdf".to_owned(),
            attributes: r#"{"name":"spec v1.pdf","size":24,"type":"application/pdf"}"#.to_owned(),
            size: 24,
            bindings: crate::assets::Bindings {
                workspace_id: Some(Uuid::from_u128(7)),
                ..Default::default()
            },
            external_id: Some("x".to_owned()),
            external_source: None,
            created_by: Uuid::from_u128(1),
            updated_by: None,
            created_at: Micros::from_micros(1_795_425_508_000_005),
            updated_at: Micros::from_micros(-1),
            deleted_at: None,
            pointer_wanted: false,
        }
    }

    #[test]
    fn an_attachment_is_shown_with_keys_in_order() {
        let shown = Attachment::new(&attachment(), None, None);
        insta::assert_snapshot!(
            serde_json::to_string(&shown).unwrap(),
            @r#"{"id":"00000000-0000-0000-0000-00000000000a","created_at":"2026-11-23T09:18:28.000005Z","updated_at":"1969-12-31T23:59:59.999999Z","deleted_at":null,"attributes":{"name":"spec v1.pdf","size":24,"type":"application/pdf"},"asset":"7/10/spec v1.pdf","entity_type":"ISSUE_ATTACHMENT","entity_identifier":null,"is_deleted":false,"is_archived":false,"external_id":"x","external_source":null,"size":24.0,"is_uploaded":false,"storage_metadata":{},"created_by":"00000000-0000-0000-0000-000000000001","updated_by":null,"user":null,"workspace":"00000000-0000-0000-0000-000000000007","draft_issue":null,"project":null,"issue":null,"comment":null,"page":null}"#
        );
    }

    #[test]
    fn by_v2_an_attachment_has_its_url_after_its_id() {
        let shown = Attachment::new(&attachment(), None, Some("/api/x/".to_owned()));
        let shown = serde_json::to_string(&shown).unwrap();
        let start =
            r#"{"id":"00000000-0000-0000-0000-00000000000a","asset_url":"/api/x/","created_at":"#;
        assert!(shown.starts_with(start), "{shown}");
    }

    #[test]
    fn a_user_is_shown_with_keys_in_order() {
        let me = Me {
            id: Uuid::from_u128(1),
            first_name: "",
            last_name: "",
            email: "ana@example.com".to_owned(),
            avatar: "",
            avatar_url: None,
            display_name: "ana".to_owned(),
        };
        insta::assert_snapshot!(
            serde_json::to_string(&me).unwrap(),
            @r#"{"id":"00000000-0000-0000-0000-000000000001","first_name":"","last_name":"","email":"ana@example.com","avatar":"","avatar_url":null,"display_name":"ana"}"#
        );
    }
}
