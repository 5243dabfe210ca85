//! Example answers, made by the code that makes the real ones: an asset that waits for its upload, its signed form, its
//! URLs.
//!
//! They show one workspace, `acme`, with one project and one work item. The key pair is `access-key` and `secret-key`, and
//! the time is that of the examples in the Plane contract, section 7.
use crate::assets::model::Micros;
use crate::assets::{Asset, Bindings, EntityType};
use crate::clock::Timestamp;
use crate::http::plane::dto::{self, UploadAnswer, UploadData};
use crate::http::plane::error::{Conflict, PlaneError};
use crate::http::plane::routes::table::{Endpoint, Route, Version};
use crate::s3::policy::PostPolicy;
use crate::s3::sigv4::{Credential, Scope, SigningKey, presign_query};
use crate::s3::uri::encode_path;
use crate::s3::{BucketName, ObjectKey};
use serde_json::{Map, Value, json};
use std::time::Duration;
use uuid::Uuid;

pub(in crate::http) const SLUG: &str = "acme";
pub(in crate::http) const ANCHOR: &str = "3999b15f7a97486eb06bd08ce45c00c9";
pub(in crate::http) const ASSET: Uuid = Uuid::from_u128(0x3999_b15f_7a97_486e_b06b_d08c_e45c_00c9);
pub(in crate::http) const PROJECT: Uuid =
    Uuid::from_u128(0x3e41_196c_089a_46f7_a962_d79c_b6cf_65ef);
pub(in crate::http) const ISSUE: Uuid = Uuid::from_u128(0x64e0_7c92_a8a4_40c0_9f33_ef98_4c20_3342);
pub(in crate::http) const ENTITY: Uuid = Uuid::from_u128(0x0b8d_2f4e_5c11_4f0e_9a53_1d86_f2a7_7c35);
const WORKSPACE: Uuid = Uuid::from_u128(0x1951_c3f4_4c6b_4f4a_95d2_bef0_3d3f_1905);
const USER: Uuid = Uuid::from_u128(0x8702_7c3a_068e_46d4_9359_008f_be42_ea1d);

/// The files of the example requests.
pub(in crate::http) const IMAGE_NAME: &str = "me.png";
pub(in crate::http) const IMAGE_TYPE: &str = "image/png";
pub(in crate::http) const IMAGE_SIZE: u64 = 73;
pub(in crate::http) const FILE_NAME: &str = "spec.pdf";
pub(in crate::http) const FILE_TYPE: &str = "application/pdf";
pub(in crate::http) const FILE_SIZE: u64 = 1024;
pub(in crate::http) const EXTERNAL_ID: &str = "88";
pub(in crate::http) const EXTERNAL_SOURCE: &str = "jira";

const HOST: &str = "files.example.com";
const BUCKET: &str = "uploads";
/// 2026-11-23T09:18:10Z
const REQUESTED_AT: Timestamp = Timestamp::from_secs(1_795_425_490);
const VALID_FOR: Duration = Duration::from_hours(1);

/// The answer to a request for an upload by this route, with the example body.
pub(in crate::http) fn upload(route: &Route) -> Value {
    let bindings = |project_id, issue_id| Bindings {
        workspace_id: Some(WORKSPACE),
        project_id,
        issue_id,
        ..Bindings::default()
    };
    let in_project = bindings(Some(PROJECT), None);
    let asset = match route.endpoint {
        Endpoint::WorkspaceAssets => asset(EntityType::IssueDescription, bindings(None, None)),
        Endpoint::ProjectAssets => asset(EntityType::IssueDescription, in_project),
        Endpoint::AnchorAssets => asset(EntityType::CommentDescription, in_project),
        Endpoint::AssetsV1 => asset(EntityType::IssueAttachment, bindings(None, None)),
        Endpoint::Attachments => {
            let bindings = bindings(Some(PROJECT), Some(ISSUE));
            asset(EntityType::IssueAttachment, bindings)
        }
        _ => {
            let user_id = Some(USER);
            asset(
                EntityType::UserAvatar,
                Bindings {
                    user_id,
                    ..Bindings::default()
                },
            )
        }
    };
    let asset_url = asset.asset_url(Some(SLUG));
    let is_attachment = route.endpoint == Endpoint::Attachments;
    let is_v1 = route.version() == Version::V1;
    json!(UploadAnswer {
        upload_data: UploadData {
            url: format!("https://{HOST}/{BUCKET}"),
            fields: signed_fields(&asset),
        },
        asset_id: asset.id,
        attachment: is_attachment.then(|| {
            let asset_url = asset_url.clone().filter(|_| !is_v1);
            dto::Attachment::new(&with_external(asset.clone(), is_v1), None, asset_url)
        }),
        asset_url,
        id: (is_attachment && is_v1).then_some(asset.id),
        asset: (is_attachment && is_v1).then(|| asset.key.as_str().to_owned()),
    })
}

/// A list with one uploaded attachment.
pub(in crate::http) fn attachments(route: &Route) -> Value {
    let bindings = Bindings {
        workspace_id: Some(WORKSPACE),
        project_id: Some(PROJECT),
        issue_id: Some(ISSUE),
        ..Bindings::default()
    };
    let is_v1 = route.version() == Version::V1;
    let asset = with_external(asset(EntityType::IssueAttachment, bindings), is_v1);
    let asset_url = asset.asset_url(Some(SLUG)).filter(|_| !is_v1);
    let mut shown = json!(dto::Attachment::new(&asset, None, asset_url));
    shown["is_uploaded"] = json!(true);
    shown["storage_metadata"] = json!({
        "ETag": "\"cdb615778c3c43f0210e054d95e09265\"",
        "Metadata": {},
        "ContentType": FILE_TYPE,
        "LastModified": "2026-11-23T09:18:11+00:00",
        "ContentLength": FILE_SIZE,
    });
    json!([shown])
}

/// A file of a workspace by v1, with a URL that the example's key pair signed.
pub(in crate::http) fn workspace_file() -> Value {
    let bindings = Bindings {
        workspace_id: Some(WORKSPACE),
        ..Bindings::default()
    };
    let asset = asset(EntityType::IssueAttachment, bindings);
    json!(dto::AssetV1 {
        asset_id: asset.id,
        asset_url: presigned_url(&asset, "inline"),
        asset_name: FILE_NAME.to_owned(),
        asset_type: FILE_TYPE.to_owned(),
        id: asset.id,
        name: FILE_NAME.to_owned(),
        content_type: FILE_TYPE.to_owned(),
        attributes: attributes(FILE_NAME, FILE_TYPE, FILE_SIZE),
    })
}

pub(in crate::http) fn me() -> Value {
    json!(dto::Me {
        id: USER,
        first_name: "",
        last_name: "",
        email: "ada@example.com".to_owned(),
        avatar: "",
        avatar_url: Some(crate::assets::static_url(ASSET)),
        display_name: "ada".to_owned(),
    })
}

pub(in crate::http) fn exists() -> Value {
    json!(dto::Exists { exists: true })
}

pub(in crate::http) fn duplicate() -> Value {
    json!(dto::Duplicate { asset_id: ASSET })
}

pub(in crate::http) fn existing_asset() -> PlaneError {
    let bindings = Bindings {
        workspace_id: Some(WORKSPACE),
        ..Bindings::default()
    };
    PlaneError::Conflict(Conflict::Asset {
        message: "Asset with same external id and source already exists",
        asset_id: ASSET,
        asset_url: asset(EntityType::IssueAttachment, bindings).asset_url(Some(SLUG)),
    })
}

pub(in crate::http) fn existing_attachment() -> PlaneError {
    PlaneError::Conflict(Conflict::Attachment {
        error: "Issue with the same external id and external source already exists",
        id: ASSET,
    })
}

/// The example of a parameter in a path.
pub(in crate::http) fn path_parameter(name: &str) -> String {
    match name {
        "slug" => SLUG.to_owned(),
        "anchor" => ANCHOR.to_owned(),
        "project_id" => PROJECT.to_string(),
        "issue_id" => ISSUE.to_string(),
        "entity_id" => ENTITY.to_string(),
        _ => ASSET.to_string(),
    }
}

fn attributes(name: &str, content_type: &str, size: u64) -> Map<String, Value> {
    Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("type".to_owned(), json!(content_type)),
        ("size".to_owned(), json!(size)),
    ])
}

/// An asset that waits for its upload. Keys: Plane contract, section 1.5.
fn asset(entity_type: EntityType, bindings: Bindings) -> Asset {
    let (name, content_type, size) = match entity_type {
        EntityType::IssueAttachment => (FILE_NAME, FILE_TYPE, FILE_SIZE),
        _ => (IMAGE_NAME, IMAGE_TYPE, IMAGE_SIZE),
    };
    let folder = match bindings.workspace_id {
        Some(workspace_id) => workspace_id.to_string(),
        None => "user-assets".to_owned(),
    };
    let requested_at = Micros::from(REQUESTED_AT);
    Asset {
        id: ASSET,
        entity_type,
        bucket: BucketName::parse_new(BUCKET).expect("the example is a bucket's name"),
        key: ObjectKey::parse(&format!("{folder}/{ASSET}/{name}")).expect("the example is a key"),
        content_type: content_type.to_owned(),
        attributes: Value::Object(attributes(name, content_type, size)).to_string(),
        size,
        bindings,
        external_id: None,
        external_source: None,
        created_by: USER,
        updated_by: None,
        created_at: requested_at,
        updated_at: requested_at,
        deleted_at: None,
        pointer_wanted: false,
    }
}

/// The example bodies of v1 have an external id and source.
fn with_external(asset: Asset, is_v1: bool) -> Asset {
    Asset {
        external_id: is_v1.then(|| EXTERNAL_ID.to_owned()),
        external_source: is_v1.then(|| EXTERNAL_SOURCE.to_owned()),
        ..asset
    }
}

fn signer() -> (Credential, SigningKey) {
    let scope = Scope {
        day: "20261123".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let key = SigningKey::derive("secret-key", &scope);
    let access_key = "access-key".to_owned();
    (Credential { access_key, scope }, key)
}

fn signed_fields(asset: &Asset) -> Vec<(&'static str, String)> {
    let (credential, key) = signer();
    let policy = PostPolicy {
        bucket: &asset.bucket,
        key: &asset.key,
        content_type: &asset.content_type,
        length: 1..=asset.size,
        now: REQUESTED_AT,
        expires_at: REQUESTED_AT.plus(VALID_FOR),
        credential: &credential,
    };
    policy.sign(&key).fields
}

fn presigned_url(asset: &Asset, disposition: &str) -> String {
    let (credential, key) = signer();
    let path = encode_path(&format!("/{}/{}", asset.bucket, asset.key));
    let disposition = format!("{disposition}; filename*=UTF-8''{FILE_NAME}");
    let extra = [("response-content-disposition", disposition.as_str())];
    let expires = VALID_FOR.as_secs();
    let query = presign_query(
        "GET",
        HOST,
        &path,
        &extra,
        &credential,
        &key,
        REQUESTED_AT,
        expires,
    );
    format!("https://{HOST}{path}?{query}")
}
