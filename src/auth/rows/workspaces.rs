//! The rows of workspaces, members and anchors, and of people who leave.
use crate::auth::rows::people::{effect, email_lock, id_of, user_lock};
use crate::auth::workspace::{Anchor, Directory, Role, Workspace};
use crate::clock::Timestamp;
use crate::store::{Effect, EffectKind};
use futures_util::future::BoxFuture;
use serde::Serialize;
use sqlx::{Row, SqliteConnection};
use std::sync::Arc;
use uuid::Uuid;

pub(super) const EFFECTS: [EffectKind; 6] = [
    EffectKind {
        kind: WorkspaceCreated::KIND,
        apply: apply_workspace_created,
    },
    EffectKind {
        kind: MemberSet::KIND,
        apply: apply_member_set,
    },
    EffectKind {
        kind: MemberRemoved::KIND,
        apply: apply_member_removed,
    },
    EffectKind {
        kind: AnchorCreated::KIND,
        apply: apply_anchor_created,
    },
    EffectKind {
        kind: AnchorRevoked::KIND,
        apply: apply_anchor_revoked,
    },
    EffectKind {
        kind: UserRemoved::KIND,
        apply: apply_user_removed,
    },
];

pub(in crate::auth) fn workspace_lock(slug: &str) -> String {
    format!("workspace:{slug}")
}
pub(in crate::auth) fn member_lock(workspace_id: Uuid, user_id: Uuid) -> String {
    format!("member:{workspace_id}/{user_id}")
}
pub(in crate::auth) fn anchor_lock(anchor: &str) -> String {
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
        effect(Self::KIND, vec![workspace_lock(&self.slug)], self)
    }
}

/// A new member, or another role of one.
#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct MemberSet {
    pub(in crate::auth) workspace_id: Uuid,
    pub(in crate::auth) user_id: Uuid,
    pub(in crate::auth) role: u8,
}
impl MemberSet {
    const KIND: &str = "member.set";

    pub(in crate::auth) fn effect(&self) -> Effect {
        let touches = vec![
            member_lock(self.workspace_id, self.user_id),
            user_lock(self.user_id),
        ];
        effect(Self::KIND, touches, self)
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
        let touches = vec![
            member_lock(self.workspace_id, self.user_id),
            user_lock(self.user_id),
        ];
        effect(Self::KIND, touches, self)
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
        effect(Self::KIND, vec![anchor_lock(&self.anchor)], self)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct AnchorRevoked {
    pub(in crate::auth) anchor: String,
}
impl AnchorRevoked {
    const KIND: &str = "anchor.revoked";

    pub(in crate::auth) fn effect(&self) -> Effect {
        effect(Self::KIND, vec![anchor_lock(&self.anchor)], self)
    }
}

/// Their tokens and memberships go too; their assets stay.
#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct UserRemoved {
    pub(in crate::auth) id: Uuid,
    /// Somebody new may have it.
    pub(in crate::auth) email: String,
}
impl UserRemoved {
    const KIND: &str = "user.removed";

    pub(in crate::auth) fn effect(&self) -> Effect {
        let touches = vec![user_lock(self.id), email_lock(&self.email)];
        effect(Self::KIND, touches, self)
    }
}

macro_rules! apply {
    ($name:ident, $($sql:literal),+) => {
        fn $name<'c>(
            connection: &'c mut SqliteConnection,
            rows: &'c str,
        ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
            Box::pin(async move {
                $(sqlx::query($sql).bind(rows).execute(&mut *connection).await?;)+
                Ok(())
            })
        }
    };
}

apply!(
    apply_workspace_created,
    "INSERT INTO workspaces (id, slug, created_at)
     SELECT value ->> '$.data.id', value ->> '$.data.slug', value ->> '$.data.created_at'
     FROM json_each(?1)"
);
apply!(
    apply_member_set,
    "INSERT INTO members (workspace_id, user_id, role)
     SELECT value ->> '$.data.workspace_id', value ->> '$.data.user_id', value ->> '$.data.role'
     FROM json_each(?1) WHERE true
     ON CONFLICT DO UPDATE SET role = excluded.role"
);
apply!(
    apply_member_removed,
    "DELETE FROM members WHERE (workspace_id, user_id) IN
     (SELECT value ->> '$.data.workspace_id', value ->> '$.data.user_id' FROM json_each(?1))"
);
apply!(
    apply_anchor_created,
    "INSERT INTO anchors (anchor, workspace_id, project_id, created_at)
     SELECT value ->> '$.data.anchor', value ->> '$.data.workspace_id',
            value ->> '$.data.project_id', value ->> '$.data.created_at'
     FROM json_each(?1)"
);
apply!(
    apply_anchor_revoked,
    "DELETE FROM anchors WHERE anchor IN (SELECT value ->> '$.data.anchor' FROM json_each(?1))"
);
apply!(
    apply_user_removed,
    "DELETE FROM tokens WHERE user_id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
    "DELETE FROM members WHERE user_id IN (SELECT value ->> '$.data.id' FROM json_each(?1))",
    "DELETE FROM users WHERE id IN (SELECT value ->> '$.data.id' FROM json_each(?1))"
);

/// All of it: a machine that keeps files for a few teams has a few of each.
pub(in crate::auth) async fn directory(
    connection: &mut SqliteConnection,
) -> Result<Directory, sqlx::Error> {
    let mut directory = Directory::default();
    let rows = sqlx::query("SELECT id, slug FROM workspaces ORDER BY slug")
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let id = id_of(&row, "id")?;
        let slug: String = row.try_get("slug")?;
        directory.add(Workspace { id, slug });
    }
    let rows = sqlx::query("SELECT workspace_id, user_id, role FROM members")
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let member = (id_of(&row, "workspace_id")?, id_of(&row, "user_id")?);
        let number: u8 = row.try_get("role")?;
        let role = Role::of_number(number)
            .ok_or_else(|| sqlx::Error::Decode(format!("no role: {number}").into()))?;
        directory.roles.insert(member, role);
    }
    let rows = sqlx::query("SELECT anchor, workspace_id, project_id FROM anchors")
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let project_id = id_of(&row, "project_id")?;
        let workspace = directory.by_id.get(&id_of(&row, "workspace_id")?);
        if let Some(workspace) = workspace.cloned() {
            let anchor = Arc::new(Anchor {
                workspace,
                project_id,
            });
            directory.anchors.insert(row.try_get("anchor")?, anchor);
        }
    }
    Ok(directory)
}

pub(in crate::auth) async fn has_workspace(
    connection: &mut SqliteConnection,
    slug: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM workspaces WHERE slug = ?1)")
        .bind(slug)
        .fetch_one(connection)
        .await
}

/// Email and id of everybody, by email.
pub(in crate::auth) async fn people(
    connection: &mut SqliteConnection,
) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    let rows = sqlx::query("SELECT email, id FROM users ORDER BY email")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("email")?, id_of(row, "id")?)))
        .collect()
}
