//! Workspaces, their members and the anchors of published projects, as values. Plane contract, section 1.1.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// The role of a member. All three have the same rights here, except where Plane requires an admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Admin,
    Member,
    Guest,
}
impl Role {
    const ALL: [Self; 3] = [Self::Admin, Self::Member, Self::Guest];

    /// Plane's number of the role.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Admin => 20,
            Self::Member => 15,
            Self::Guest => 5,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Guest => "guest",
        }
    }

    pub(super) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.number() == number)
    }

    /// `admin`, `member`, `guest`, or Plane's number of it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| text == role.name() || text == role.number().to_string())
    }
}

/// A workspace: a slug in paths, an id in keys and responses.
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

/// All workspaces, members and anchors, as of one moment.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) by_slug: BTreeMap<String, Arc<Workspace>>,
    pub(super) by_id: HashMap<Uuid, Arc<Workspace>>,
    /// By workspace and user.
    pub(super) roles: HashMap<(Uuid, Uuid), Role>,
    pub(super) anchors: BTreeMap<String, Arc<Anchor>>,
}
impl Directory {
    pub(super) fn add(&mut self, workspace: Workspace) {
        let workspace = Arc::new(workspace);
        self.by_id.insert(workspace.id, workspace.clone());
        self.by_slug.insert(workspace.slug.clone(), workspace);
    }
}

/// A workspace with its members: emails and roles.
#[derive(Debug, Clone)]
pub struct WorkspaceListing {
    pub workspace: Arc<Workspace>,
    pub members: Vec<(String, Role)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_a_name_and_a_number() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
            assert_eq!(Role::parse(&role.number().to_string()), Some(role));
            assert_eq!(Role::of_number(role.number()), Some(role));
        }
        assert_eq!(Role::parse("owner"), None);
    }
}
