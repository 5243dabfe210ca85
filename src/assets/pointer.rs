//! The pointer that names the current picture of a user, a workspace or a project. Plane contract, section 1.1.
use crate::assets::entity::PointerKind;
use crate::assets::model::Asset;
use serde::Serialize;
use uuid::Uuid;

/// The key of one pointer.
///
/// A client may claim any project id, so a cover's pointer belongs to the workspace and the project together: two
/// workspaces that claim one project id have two pointers. The ids of users and workspaces are looked up, never claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pointer {
    pub kind: PointerKind,
    /// Set for a project's cover only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<Uuid>,
    /// The user, workspace or project.
    pub owner_id: Uuid,
}
impl Pointer {
    #[must_use]
    pub fn user_avatar(user_id: Uuid) -> Self {
        Self {
            kind: PointerKind::UserAvatar,
            workspace_id: None,
            owner_id: user_id,
        }
    }

    #[must_use]
    pub fn project_cover(workspace_id: Uuid, project_id: Uuid) -> Self {
        Self {
            kind: PointerKind::ProjectCover,
            workspace_id: Some(workspace_id),
            owner_id: project_id,
        }
    }

    /// The only pointer that may name the asset; `None`: its type has none, or it is bound to no owner.
    #[must_use]
    pub fn of(asset: &Asset) -> Option<Self> {
        let bound = &asset.bindings;
        let kind = asset.entity_type.pointer()?;
        let owner_id = match kind {
            PointerKind::UserAvatar | PointerKind::UserCover => bound.user_id?,
            PointerKind::WorkspaceLogo => bound.workspace_id?,
            PointerKind::ProjectCover => {
                return Some(Self::project_cover(bound.workspace_id?, bound.project_id?));
            }
        };
        Some(Self {
            kind,
            workspace_id: None,
            owner_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::entity::EntityType;
    use crate::assets::model::Bindings;

    #[test]
    fn a_covers_pointer_belongs_to_its_workspace_and_project() {
        let bindings = |workspace: u128, project: u128| Bindings {
            user_id: Some(Uuid::from_u128(9)),
            workspace_id: Some(Uuid::from_u128(workspace)),
            project_id: Some(Uuid::from_u128(project)),
            ..Bindings::default()
        };
        let pointer = |kind, bindings| Pointer::of(&Asset::of_type(kind, bindings));
        let cover = pointer(EntityType::ProjectCover, bindings(1, 2)).unwrap();
        assert_eq!(
            cover,
            Pointer::project_cover(Uuid::from_u128(1), Uuid::from_u128(2))
        );
        assert_ne!(
            pointer(EntityType::ProjectCover, bindings(3, 2)),
            Some(cover)
        );
        assert_ne!(
            pointer(EntityType::ProjectCover, bindings(1, 3)),
            Some(cover)
        );
        let logo = pointer(EntityType::WorkspaceLogo, bindings(1, 2)).unwrap();
        assert_eq!(
            (logo.workspace_id, logo.owner_id),
            (None, Uuid::from_u128(1))
        );
        let avatar = pointer(EntityType::UserAvatar, bindings(1, 2));
        assert_eq!(avatar, Some(Pointer::user_avatar(Uuid::from_u128(9))));
        let unbound = pointer(EntityType::ProjectCover, Bindings::default());
        assert_eq!(unbound, None);
        let description = pointer(EntityType::IssueDescription, bindings(1, 2));
        assert_eq!(description, None);
    }
}
