//! The user that a token stands for.
use crate::clock::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// The user that a token stands for.
#[derive(Debug, Clone)]
pub struct Principal {
    pub user_id: Uuid,
    pub email: String,
    pub token_id: String,
    pub scopes: Arc<[String]>,
    /// Made with `--workspace '*'`
    pub any_workspace: bool,
}
impl Principal {
    /// Whether the token has one of these scopes.
    #[must_use]
    pub fn has_any_of(&self, scopes: &[&str]) -> bool {
        scopes
            .iter()
            .any(|scope| self.scopes.iter().any(|held| held == scope))
    }
}

/// A token that was neither revoked nor expired when it was read.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) principal: Arc<Principal>,
    pub(super) expires_at: Option<Timestamp>,
}
impl Known {
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}
