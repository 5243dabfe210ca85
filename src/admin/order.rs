//! The orders of commands, as they travel to the server that holds the vault.
use crate::assets::AssetAges;
use crate::auth::{KeyLimits, Role};
use crate::store::{Repair, Verify};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use uuid::Uuid;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum Order {
    TokenCreate {
        email: String,
        name: Option<String>,
        scopes: Vec<String>,
        /// Seconds from now
        expires_in: Option<u64>,
        /// `--workspace '*'`
        any_workspace: bool,
    },
    TokenList,
    TokenRevoke {
        id: String,
    },
    AccessKeyCreate {
        name: Option<String>,
        limits: KeyLimits,
    },
    AccessKeyList,
    AccessKeyRevoke {
        id: String,
    },
    UserList,
    UserRemove {
        email: String,
    },
    Gc {
        dry_run: bool,
        /// Set by a command that does the work itself; a server has its own ages.
        #[serde(skip)]
        ages: Option<AssetAges>,
    },
    /// Send it again until it is done.
    Fsck(Repair),
    /// Send it again until it is done.
    Backup {
        to: PathBuf,
        #[serde(default)]
        verify: Verify,
    },
    #[serde(untagged)]
    Place(PlaceOrder),
}

impl Order {
    /// Whether the order changes nothing in the folder.
    #[must_use]
    pub fn only_looks(&self) -> bool {
        match self {
            Self::TokenList | Self::AccessKeyList | Self::UserList => true,
            Self::Gc { dry_run, .. } => *dry_run,
            Self::Fsck(repair) => !repair.wanted,
            Self::Place(order) => {
                matches!(order, PlaceOrder::WorkspaceList | PlaceOrder::AnchorList)
            }
            Self::TokenCreate { .. }
            | Self::TokenRevoke { .. }
            | Self::AccessKeyCreate { .. }
            | Self::AccessKeyRevoke { .. }
            | Self::UserRemove { .. }
            | Self::Backup { .. } => false,
        }
    }
}

/// An order about workspaces, their members and their published projects.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub enum PlaceOrder {
    WorkspaceCreate { slug: String, members: Vec<Member> },
    WorkspaceList,
    MemberAdd { slug: String, member: Member },
    MemberRemove { slug: String, email: String },
    AnchorCreate { slug: String, project_id: Uuid },
    AnchorList,
    AnchorRevoke { anchor: String },
}

/// The email of a member, and the member's role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub email: String,
    /// Plane's number: 20, 15 or 5.
    pub role: u8,
}
impl Member {
    pub(super) fn role(&self) -> Result<Role, String> {
        Role::parse(&self.role.to_string()).ok_or_else(|| {
            let role = self.role;
            format!("{role} is no role: 20 is an admin, 15 a member, 5 a guest.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_travels_as_tagged_json() {
        let order: Order = serde_json::from_str(
            r#"{"order":"token_create","email":"a@b","name":null,"scopes":[],"expires_in":null,"any_workspace":false}"#,
        )
        .unwrap();
        assert!(matches!(order, Order::TokenCreate { .. }));
        insta::assert_snapshot!(
            serde_json::to_string(&Order::TokenRevoke { id: "x".to_owned() }).unwrap(),
            @r#"{"order":"token_revoke","id":"x"}"#
        );
        let limits = KeyLimits {
            bucket: crate::s3::BucketName::parse("uploads").ok(),
            ..KeyLimits::default()
        };
        insta::assert_snapshot!(
            serde_json::to_string(&Order::AccessKeyCreate { name: None, limits }).unwrap(),
            @r#"{"order":"access_key_create","name":null,"limits":{"read_only":false,"bucket":"uploads","prefix":null}}"#
        );
    }
}
