//! Making workspaces, changing their members, publishing their projects. Plane contract, section 1.1.
//!
//! Guarantees: a change takes effect from the next request on; repeated look-ups are answered from memory.
use crate::auth::error::AuthError;
use crate::auth::principal::Principal;
use crate::auth::registry::Auth;
use crate::auth::rows::people;
use crate::auth::rows::workspaces::{
    self, AnchorCreated, AnchorRevoked, MemberRemoved, MemberSet, UserRemoved, WorkspaceCreated,
};
use crate::auth::user::Email;
use crate::auth::workspace::{Anchor, Directory, Role, Workspace, WorkspaceListing};
use crate::store::{Decision, ReadView, RecordError, StoreError};
use std::sync::Arc;
use uuid::Uuid;

/// Plane: slugs are at most 48 characters.
const LONGEST_SLUG: usize = 48;

impl Auth {
    /// The workspace of a slug. Where it does not exist and `makes` is set (POST, PATCH, DELETE), a token for any
    /// workspace creates it, if the slug is well-formed.
    /// # Errors
    /// When the index does not answer, or the change cannot be stored.
    pub async fn workspace(
        &self,
        slug: &str,
        caller: &Principal,
        makes: bool,
    ) -> Result<Option<Arc<Workspace>>, StoreError> {
        let known = self.directory().await?.by_slug.get(slug).cloned();
        if known.is_some() || !makes || !caller.any_workspace || !is_slug(slug) {
            return Ok(known);
        }
        self.make_workspace(slug).await?;
        Ok(self.directory().await?.by_slug.get(slug).cloned())
    }

    /// # Errors
    /// When the index does not answer.
    pub async fn workspace_by_id(&self, id: Uuid) -> Result<Option<Arc<Workspace>>, StoreError> {
        Ok(self.directory().await?.by_id.get(&id).cloned())
    }

    /// The caller's role; `None`: not a member. A token for any workspace is admin of each.
    /// # Errors
    /// When the index does not answer.
    pub async fn role(
        &self,
        caller: &Principal,
        workspace: &Workspace,
    ) -> Result<Option<Role>, StoreError> {
        if caller.any_workspace {
            return Ok(Some(Role::Admin));
        }
        let member = (workspace.id, caller.user_id);
        Ok(self.directory().await?.roles.get(&member).copied())
    }

    /// The published project of an anchor.
    /// # Errors
    /// When the index does not answer.
    pub async fn anchor(&self, anchor: &str) -> Result<Option<Arc<Anchor>>, StoreError> {
        Ok(self.directory().await?.anchors.get(anchor).cloned())
    }

    /// Creates a workspace with its first members, and a user for each unknown email.
    /// # Errors
    /// `Refused` when the slug is taken or malformed, or an email is malformed.
    pub async fn create_workspace(
        &self,
        slug: &str,
        members: &[(String, Role)],
    ) -> Result<WorkspaceListing, AuthError> {
        if !is_slug(slug) {
            return Err(AuthError::Refused(format!(
                "{slug:?} is no slug of a workspace: write 1 to 48 of a-z, 0-9, _ and -."
            )));
        }
        for (email, _) in members {
            Email::parse(email).map_err(AuthError::Refused)?;
        }
        if !self.make_workspace(slug).await? {
            return Err(AuthError::Refused(format!(
                "There is a workspace {slug} already; `hangar workspace member add` adds people to it."
            )));
        }
        for (email, role) in members {
            self.set_member(slug, email, *role).await?;
        }
        let listed = self.workspaces().await?;
        listed
            .into_iter()
            .find(|listing| listing.workspace.slug == slug)
            .ok_or_else(|| AuthError::Refused(format!("The workspace {slug} is gone again.")))
    }

    /// All workspaces, by slug, and their members, by email.
    /// # Errors
    /// When the index does not answer.
    pub async fn workspaces(&self) -> Result<Vec<WorkspaceListing>, StoreError> {
        let directory = self.directory().await?;
        let people = self.people().await?;
        let listing = |workspace: &Arc<Workspace>| {
            let members = people.iter().filter_map(|(email, id)| {
                let role = directory.roles.get(&(workspace.id, *id))?;
                Some((email.clone(), *role))
            });
            WorkspaceListing {
                workspace: workspace.clone(),
                members: members.collect(),
            }
        };
        Ok(directory.by_slug.values().map(listing).collect())
    }

    /// Adds a member, or changes the role of a member.
    /// # Errors
    /// `Refused` when there is no such workspace, or the email is malformed.
    pub async fn set_member(&self, slug: &str, email: &str, role: Role) -> Result<(), AuthError> {
        let workspace = self.known_workspace(slug).await?;
        let email = Email::parse(email).map_err(AuthError::Refused)?;
        let set = MemberSet {
            workspace_id: workspace.id,
            user_id: self.ensure_user(&email).await?,
            role: role.number(),
        };
        let rows = workspaces::member_rows(set.workspace_id, set.user_id);
        self.change_directory(rows, move |view| {
            Box::pin(async move {
                let user = people::user_by_id(view, set.user_id).await;
                if user?.is_none() {
                    let gone = "The user was removed meanwhile; try again.";
                    return Err(AuthError::Refused(gone.to_owned()));
                }
                Ok(Decision {
                    effect: Some(set.effect()),
                    answer: (),
                })
            })
        })
        .await
    }

    /// # Errors
    /// `Refused` when there is no such workspace or member.
    pub async fn remove_member(&self, slug: &str, email: &str) -> Result<(), AuthError> {
        let workspace = self.known_workspace(slug).await?;
        let (_, user_id) = self.known_user(email).await?;
        let role = self
            .directory()
            .await?
            .roles
            .get(&(workspace.id, user_id))
            .copied();
        if role.is_none() {
            return Err(AuthError::Refused(format!(
                "{email} is no member of {slug}."
            )));
        }
        let removed = MemberRemoved {
            workspace_id: workspace.id,
            user_id,
        };
        let rows = workspaces::member_rows(workspace.id, user_id);
        self.change_directory(rows, move |_| {
            Box::pin(async move {
                Ok(Decision {
                    effect: Some(removed.effect()),
                    answer: (),
                })
            })
        })
        .await
    }

    /// Emails and ids, by email.
    /// # Errors
    /// When the index does not answer.
    pub async fn people(&self) -> Result<Vec<(String, Uuid)>, StoreError> {
        let mut view = self.view().await?;
        workspaces::people(&mut view).await
    }

    /// Removes a user with all tokens and memberships, at once; the user's uploads stay.
    /// # Errors
    /// `Refused` when there is no such user.
    pub async fn remove_user(&self, email: &str) -> Result<(), AuthError> {
        let (email, id) = self.known_user(email).await?;
        let rows = vec![people::user_row(id), people::email_row(&email)];
        let removed = UserRemoved { id, email };
        self.change_directory(rows, move |_| {
            Box::pin(async move {
                Ok(Decision {
                    effect: Some(removed.effect()),
                    answer: (),
                })
            })
        })
        .await
    }

    /// Publishes a project: every client that knows the anchor may read the files of its descriptions and comments.
    /// # Errors
    /// `Refused` when there is no such workspace.
    pub async fn create_anchor(
        &self,
        slug: &str,
        project_id: Uuid,
    ) -> Result<(String, Arc<Anchor>), AuthError> {
        let workspace = self.known_workspace(slug).await?;
        let mut random = [0; 16];
        rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut random).map_err(|_| {
            AuthError::Refused("The system's random generator does not answer.".to_owned())
        })?;
        let created = AnchorCreated {
            anchor: hex::encode(random),
            workspace_id: workspace.id,
            project_id,
            created_at: self.inner.clock.now(),
        };
        let anchor = created.anchor.clone();
        let rows = vec![workspaces::anchor_row(&anchor)];
        self.change_directory(rows, move |_| {
            Box::pin(async move {
                Ok(Decision {
                    effect: Some(created.effect()),
                    answer: (),
                })
            })
        })
        .await?;
        let published = Anchor {
            workspace,
            project_id,
        };
        Ok((anchor, Arc::new(published)))
    }

    /// By anchor.
    /// # Errors
    /// When the index does not answer.
    pub async fn anchors(&self) -> Result<Vec<(String, Arc<Anchor>)>, StoreError> {
        let directory = self.directory().await?;
        let anchors = directory.anchors.iter();
        Ok(anchors
            .map(|(text, anchor)| (text.clone(), anchor.clone()))
            .collect())
    }

    /// # Errors
    /// `Refused` when there is no such anchor.
    pub async fn revoke_anchor(&self, anchor: &str) -> Result<(), AuthError> {
        if self.anchor(anchor).await?.is_none() {
            return Err(AuthError::Refused(format!(
                "There is no anchor {anchor:?}; `hangar anchor list` shows those there are."
            )));
        }
        let revoked = AnchorRevoked {
            anchor: anchor.to_owned(),
        };
        self.change_directory(vec![workspaces::anchor_row(anchor)], move |_| {
            Box::pin(async move {
                Ok(Decision {
                    effect: Some(revoked.effect()),
                    answer: (),
                })
            })
        })
        .await
    }

    /// Returns whether this call created it: racing callers create one.
    async fn make_workspace(&self, slug: &str) -> Result<bool, StoreError> {
        let created = WorkspaceCreated {
            id: Uuid::new_v4(),
            slug: slug.to_owned(),
            created_at: self.inner.clock.now(),
        };
        let rows = vec![workspaces::workspace_row(slug)];
        let made = self.change_directory(rows, move |view| {
            Box::pin(async move {
                let known = workspaces::has_workspace(view, &created.slug).await;
                let known = known?;
                Ok(Decision {
                    effect: (!known).then(|| created.effect()),
                    answer: !known,
                })
            })
        });
        made.await.map_err(|error| match error {
            AuthError::Store(error) => error,
            AuthError::Refused(reason) => StoreError::Unavailable(reason.into()),
        })
    }

    async fn known_workspace(&self, slug: &str) -> Result<Arc<Workspace>, AuthError> {
        let known = self.directory().await?.by_slug.get(slug).cloned();
        known.ok_or_else(|| {
            AuthError::Refused(format!(
                "There is no workspace {slug:?}; `hangar workspace list` shows those there are."
            ))
        })
    }

    /// The user's email as it is stored, and the user's id.
    async fn known_user(&self, email: &str) -> Result<(String, Uuid), AuthError> {
        let email = Email::parse(email).map_err(AuthError::Refused)?;
        let people = self.people().await?;
        let known = people
            .into_iter()
            .find(|(known, _)| known == email.as_str());
        known.ok_or_else(|| {
            AuthError::Refused(format!(
                "There is no user {}; `hangar user list` shows those there are.",
                email.as_str()
            ))
        })
    }

    async fn directory(&self) -> Result<Arc<Directory>, StoreError> {
        let held = &self.inner.directory;
        if let Some(known) = held.get(&()) {
            return Ok(known);
        }
        let epoch = held.epoch();
        let mut view = self.view().await?;
        let directory = Arc::new(workspaces::directory(&mut view).await?);
        held.insert_since(epoch, (), directory.clone());
        Ok(directory)
    }

    async fn change_directory<T, C>(&self, rows: Vec<String>, check: C) -> Result<T, AuthError>
    where
        T: Send + 'static,
        C: for<'v> FnOnce(
                &'v mut ReadView,
            )
                -> futures_util::future::BoxFuture<'v, Result<Decision<T>, AuthError>>
            + Send
            + 'static,
    {
        let auth = self.clone();
        // A task of its own: if the caller is cancelled half-way, the cache must still learn of a recorded change.
        let changing = tokio::spawn(async move {
            let changed = auth.inner.store.record(rows, check).await;
            auth.inner.directory.forget_all();
            auth.inner.principals.forget_all();
            changed.map_err(RecordError::into_refusal)
        });
        changing.await.unwrap_or_else(|error| {
            let trouble = format!("a change of workspaces did not finish: {error}");
            Err(AuthError::Store(StoreError::Unavailable(trouble.into())))
        })
    }
}

fn is_slug(text: &str) -> bool {
    (1..=LONGEST_SLUG).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_short_and_plain() {
        for slug in ["a", "my-team_2", &"a".repeat(48)] {
            assert!(is_slug(slug), "{slug}");
        }
        for other in ["", "A", "a b", "a/b", "é", &"a".repeat(49)] {
            assert!(!is_slug(other), "{other}");
        }
    }
}
