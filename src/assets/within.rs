//! Which assets a route may find and change. Plane contract, section 3.
use crate::assets::entity::EntityType;
use crate::assets::model::Asset;
use uuid::Uuid;

/// The scope that a path names in addition to an asset's id: a route finds no asset outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Avatars and covers of one user.
    Own {
        user_id: Uuid,
    },
    Workspace {
        workspace_id: Uuid,
    },
    /// `None`: assets bound to no project, which a path calls `None`.
    Project {
        workspace_id: Uuid,
        project_id: Option<Uuid>,
    },
    /// Attachments of one issue.
    Issue {
        workspace_id: Uuid,
        project_id: Option<Uuid>,
        issue_id: Option<Uuid>,
    },
}
impl Within {
    #[must_use]
    pub fn holds(&self, asset: &Asset) -> bool {
        let bound = &asset.bindings;
        match *self {
            Self::Own { user_id } => {
                asset.entity_type.is_of_a_user() && bound.user_id == Some(user_id)
            }
            Self::Workspace { workspace_id } => bound.workspace_id == Some(workspace_id),
            Self::Project {
                workspace_id,
                project_id,
            } => bound.workspace_id == Some(workspace_id) && bound.project_id == project_id,
            Self::Issue {
                workspace_id,
                project_id,
                issue_id,
            } => {
                asset.entity_type == EntityType::IssueAttachment
                    && bound.workspace_id == Some(workspace_id)
                    && bound.project_id == project_id
                    && bound.issue_id == issue_id
            }
        }
    }
}

/// Which of the assets that a route finds the caller may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    All,
    /// Only what this user created.
    CreatedBy(Uuid),
    /// Issue attachments only where this user created them; assets of other types all.
    AllButAttachmentsOfOthers(Uuid),
}
impl Permission {
    #[must_use]
    pub fn covers(self, asset: &Asset) -> bool {
        match self {
            Self::All => true,
            Self::CreatedBy(user_id) => asset.created_by == user_id,
            Self::AllButAttachmentsOfOthers(user_id) => {
                asset.entity_type != EntityType::IssueAttachment || asset.created_by == user_id
            }
        }
    }
}

/// A change of an existing asset.
#[derive(Debug, Clone)]
pub struct Change {
    /// The text of a JSON object; `None`: they stay.
    pub attributes: Option<String>,
    pub updated_by: Uuid,
    /// The pointer of the asset's kind moves to it, now or when its bytes arrive, and the asset that it named before is
    /// deleted.
    pub moves_pointer: bool,
    /// On the first change the caller becomes the creator (attachments).
    pub takes_over: bool,
}

/// The assets among which an external id is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueIn {
    Workspace,
    /// Attachments of the same workspace, project and issue.
    Issue,
}

impl UniqueIn {
    /// Whether an external id must be unique among these two assets of one workspace.
    pub(super) fn is_shared_by(self, one: &Asset, other: &Asset) -> bool {
        let place = |asset: &Asset| {
            let bound = &asset.bindings;
            (asset.entity_type, bound.project_id, bound.issue_id)
        };
        self == Self::Workspace || place(one) == place(other)
    }
}

/// The bindings that `bulk` sets.
#[derive(Debug, Clone)]
pub struct Binding {
    pub workspace_id: Uuid,
    pub project_id: Uuid,
    /// The id of an issue, comment, page or draft, by each asset's type.
    pub entity_id: Uuid,
    /// The request came by an anchor: it binds only files of comments, and only those of the published project.
    pub is_public: bool,
    /// If it does not cover one of the assets, none is bound.
    pub permission: Permission,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Bindings;
    use rstest::rstest;

    const CALLER: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn asset(entity_type: EntityType, created_by: Uuid) -> Asset {
        Asset {
            created_by,
            ..Asset::of_type(entity_type, Bindings::default())
        }
    }

    #[rstest]
    #[case(Permission::All, true, true)]
    #[case(Permission::CreatedBy(CALLER), false, false)]
    #[case(Permission::AllButAttachmentsOfOthers(CALLER), false, true)]
    fn a_permission_covers_assets_of_others_by_their_type(
        #[case] permission: Permission,
        #[case] attachments: bool,
        #[case] rest: bool,
    ) {
        for entity_type in EntityType::ALL {
            let is_attachment = entity_type == EntityType::IssueAttachment;
            let expected = if is_attachment { attachments } else { rest };
            assert_eq!(permission.covers(&asset(entity_type, OTHER)), expected);
            assert!(permission.covers(&asset(entity_type, CALLER)));
        }
    }
}
