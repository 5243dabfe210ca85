//! An asset as its row has it. Plane contract, sections 1.1 to 1.9.
use crate::assets::entity::EntityType;
use crate::clock::Timestamp;
use crate::s3::{BucketName, ObjectKey};
use serde::Serialize;
use uuid::Uuid;

/// Microseconds since 1970-01-01T00:00:00Z: Plane shows six digits of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Micros(i64);
impl Micros {
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}
impl From<Timestamp> for Micros {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millis().saturating_mul(1000))
    }
}

/// The ids that an asset is bound to. They are opaque and need not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bindings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issue_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draft_issue_id: Option<Uuid>,
}

/// An asset as its row has it, which is also the data of `asset.requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asset {
    pub id: Uuid,
    pub entity_type: EntityType,
    pub bucket: BucketName,
    pub key: ObjectKey,
    /// The type that the client requested.
    pub content_type: String,
    /// The text of a JSON object.
    pub attributes: String,
    /// The size in bytes that the client requested, after clamping.
    pub size: u64,
    #[serde(flatten)]
    pub bindings: Bindings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_source: Option<String>,
    pub created_by: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<Uuid>,
    pub created_at: Micros,
    pub updated_at: Micros,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Micros>,
    /// A PATCH asked for a pointer to move to this asset once its bytes have arrived.
    pub pointer_wanted: bool,
}
#[cfg(test)]
impl Asset {
    /// For rules that look at the type and the bindings alone.
    pub(super) fn of_type(entity_type: EntityType, bindings: Bindings) -> Self {
        Self {
            id: Uuid::from_u128(10),
            entity_type,
            bucket: BucketName::parse("uploads").expect("a name"),
            key: ObjectKey::parse("user-assets/a/b").expect("a key"),
            content_type: String::new(),
            attributes: "{}".to_owned(),
            size: 1,
            bindings,
            external_id: None,
            external_source: None,
            created_by: Uuid::nil(),
            updated_by: None,
            created_at: Micros::from_micros(0),
            updated_at: Micros::from_micros(0),
            deleted_at: None,
            pointer_wanted: false,
        }
    }
}
