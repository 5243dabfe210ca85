//! Workspaces, who is a member of them, and the anchors of published projects. Plane contract, section 1.1.
use super::{Auth, Principal};
use crate::store::StoreError;
use std::sync::Arc;
use uuid::Uuid;

/// What a member may do. All three have the same rights here, save where Plane asks for an admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Admin,
    Member,
    Guest,
}

/// A workspace: a slug in paths, an id in keys and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: Uuid,
    pub slug: String,
}

/// A published project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    pub workspace: Arc<Workspace>,
    pub project_id: Uuid,
}

impl Auth {
    /// The workspace of a slug. Where there is none and `makes` says so (POST, PATCH, DELETE), a token for any workspace makes
    /// it, if the slug is of the right form.
    /// # Errors
    /// When the index does not answer, or the change cannot be stored.
    pub async fn workspace(
        &self,
        slug: &str,
        who: &Principal,
        makes: bool,
    ) -> Result<Option<Arc<Workspace>>, StoreError> {
        todo!("{slug} {who:?} {makes}")
    }

    /// # Errors
    /// When the index does not answer.
    pub async fn workspace_by_id(&self, id: Uuid) -> Result<Option<Arc<Workspace>>, StoreError> {
        todo!("{id}")
    }

    /// `None`: not a member. A token for any workspace is admin of each.
    /// # Errors
    /// When the index does not answer.
    pub async fn role(
        &self,
        who: &Principal,
        workspace: &Workspace,
    ) -> Result<Option<Role>, StoreError> {
        todo!("{who:?} {workspace:?}")
    }

    /// The published project of an anchor.
    /// # Errors
    /// When the index does not answer.
    pub async fn anchor(&self, anchor: &str) -> Result<Option<Arc<Anchor>>, StoreError> {
        todo!("{anchor}")
    }
}
