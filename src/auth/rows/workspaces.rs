//! The rows of workspaces, members and anchors, and the removal of users.
use crate::auth::rows::people::{email_row, user_row};
use crate::auth::workspace::{Anchor, Directory, Role, Workspace};
use crate::clock::Timestamp;
use crate::store::{Effect, EffectKind, ReadView, StoreError, unreadable};
use serde::Serialize;
use std::sync::Arc;
use uuid::Uuid;

pub(super) const EFFECTS: [EffectKind; 6] = [
    EffectKind::new(WorkspaceCreated::KIND, INSERT_WORKSPACES),
    EffectKind::new(MemberSet::KIND, SET_MEMBERS),
    EffectKind::new(MemberRemoved::KIND, REMOVE_MEMBERS),
    EffectKind::new(AnchorCreated::KIND, INSERT_ANCHORS),
    EffectKind::new(AnchorRevoked::KIND, REVOKE_ANCHORS),
    EffectKind::new(UserRemoved::KIND, REMOVE_USERS),
];

pub(in crate::auth) fn workspace_row(slug: &str) -> String {
    format!("workspace:{slug}")
}
/// The rows that a change of a membership touches.
pub(in crate::auth) fn member_rows(workspace_id: Uuid, user_id: Uuid) -> Vec<String> {
    vec![
        format!("member:{workspace_id}/{user_id}"),
        user_row(user_id),
    ]
}
pub(in crate::auth) fn anchor_row(anchor: &str) -> String {
    format!("anchor:{anchor}")
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct WorkspaceCreated {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) slug: String,
    pub(in crate::auth) created_at: Timestamp,
}
impl WorkspaceCreated {
    const KIND: &str = "workspace.created";

    pub(in crate::auth) fn effect(&self) -> Effect {
        Effect::new(Self::KIND, vec![workspace_row(&self.slug)], self)
    }
}

/// A new member, or a new role of a member.
#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct MemberSet {
    pub(in crate::auth) workspace_id: Uuid,
    pub(in crate::auth) user_id: Uuid,
    pub(in crate::auth) role: u8,
}
impl MemberSet {
    const KIND: &str = "member.set";

    pub(in crate::auth) fn effect(&self) -> Effect {
        let rows = member_rows(self.workspace_id, self.user_id);
        Effect::new(Self::KIND, rows, self)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct MemberRemoved {
    pub(in crate::auth) workspace_id: Uuid,
    pub(in crate::auth) user_id: Uuid,
}
impl MemberRemoved {
    const KIND: &str = "member.removed";

    pub(in crate::auth) fn effect(&self) -> Effect {
        let rows = member_rows(self.workspace_id, self.user_id);
        Effect::new(Self::KIND, rows, self)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct AnchorCreated {
    pub(in crate::auth) anchor: String,
    pub(in crate::auth) workspace_id: Uuid,
    pub(in crate::auth) project_id: Uuid,
    pub(in crate::auth) created_at: Timestamp,
}
impl AnchorCreated {
    const KIND: &str = "anchor.created";

    pub(in crate::auth) fn effect(&self) -> Effect {
        Effect::new(Self::KIND, vec![anchor_row(&self.anchor)], self)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct AnchorRevoked {
    pub(in crate::auth) anchor: String,
}
impl AnchorRevoked {
    const KIND: &str = "anchor.revoked";

    pub(in crate::auth) fn effect(&self) -> Effect {
        Effect::new(Self::KIND, vec![anchor_row(&self.anchor)], self)
    }
}

/// A user is removed with all tokens and memberships; the user's assets stay.
#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct UserRemoved {
    pub(in crate::auth) id: Uuid,
    /// A new user may have the same email, so its row is locked too.
    pub(in crate::auth) email: String,
}
impl UserRemoved {
    const KIND: &str = "user.removed";

    pub(in crate::auth) fn effect(&self) -> Effect {
        let rows = vec![user_row(self.id), email_row(&self.email)];
        Effect::new(Self::KIND, rows, self)
    }
}

const INSERT_WORKSPACES: &[&str] = &["INSERT INTO workspaces (id, slug, created_at)
     SELECT value ->> '$.data.id', value ->> '$.data.slug', value ->> '$.data.created_at'
     FROM json_each(?1)"];
const SET_MEMBERS: &[&str] = &["INSERT INTO members (workspace_id, user_id, role)
     SELECT value ->> '$.data.workspace_id', value ->> '$.data.user_id', value ->> '$.data.role'
     FROM json_each(?1) WHERE true
     ON CONFLICT DO UPDATE SET role = excluded.role"];
const REMOVE_MEMBERS: &[&str] = &["DELETE FROM members WHERE (workspace_id, user_id) IN
     (SELECT value ->> '$.data.workspace_id', value ->> '$.data.user_id' FROM json_each(?1))"];
const INSERT_ANCHORS: &[&str] = &[
    "INSERT INTO anchors (anchor, workspace_id, project_id, created_at)
     SELECT value ->> '$.data.anchor', value ->> '$.data.workspace_id',
            value ->> '$.data.project_id', value ->> '$.data.created_at'
     FROM json_each(?1)",
];
const REVOKE_ANCHORS: &[&str] =
    &["DELETE FROM anchors WHERE anchor IN (SELECT value ->> '$.data.anchor' FROM json_each(?1))"];
const REMOVE_USERS: &[&str] = &[
    "DELETE FROM tokens WHERE user_id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
    "DELETE FROM members WHERE user_id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
    "DELETE FROM users WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
];

/// Reads the whole directory: a server that stores files for a few teams has few of each.
pub(in crate::auth) async fn directory(view: &mut ReadView) -> Result<Directory, StoreError> {
    let mut directory = Directory::default();
    let rows = view
        .rows("SELECT id, slug FROM workspaces ORDER BY slug", [])
        .await?;
    for row in rows {
        let id = row.id("id")?;
        let slug = row.text("slug")?.to_owned();
        directory.add(Workspace { id, slug });
    }
    let rows = view
        .rows("SELECT workspace_id, user_id, role FROM members", [])
        .await?;
    for row in rows {
        let member = (row.id("workspace_id")?, row.id("user_id")?);
        let number = row.integer("role")?;
        let role = u8::try_from(number).ok().and_then(Role::of_number);
        let role = role.ok_or_else(|| unreadable(format!("no role: {number}")))?;
        directory.roles.insert(member, role);
    }
    let rows = view
        .rows("SELECT anchor, workspace_id, project_id FROM anchors", [])
        .await?;
    for row in rows {
        let project_id = row.id("project_id")?;
        let workspace = directory.by_id.get(&row.id("workspace_id")?);
        if let Some(workspace) = workspace.cloned() {
            let anchor = Arc::new(Anchor {
                workspace,
                project_id,
            });
            directory
                .anchors
                .insert(row.text("anchor")?.to_owned(), anchor);
        }
    }
    Ok(directory)
}

pub(in crate::auth) async fn has_workspace(
    view: &mut ReadView,
    slug: &str,
) -> Result<bool, StoreError> {
    view.finds("SELECT 1 FROM workspaces WHERE slug = ?1", [slug.into()])
        .await
}

/// Email and id of every user, by email.
pub(in crate::auth) async fn people(
    view: &mut ReadView,
) -> Result<Vec<(String, Uuid)>, StoreError> {
    let rows = view
        .rows("SELECT email, id FROM users ORDER BY email", [])
        .await?;
    rows.iter()
        .map(|row| Ok((row.text("email")?.to_owned(), row.id("id")?)))
        .collect()
}
