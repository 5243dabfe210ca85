//! What an asset belongs to. Plane contract, section 1.2.
use super::Asset;
use serde::{Deserialize, Serialize};

/// The ten values of `entity_type`: upper case, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EntityType {
    UserAvatar,
    UserCover,
    WorkspaceLogo,
    ProjectCover,
    IssueAttachment,
    IssueDescription,
    CommentDescription,
    PageDescription,
    DraftIssueDescription,
    DraftIssueAttachment,
}
impl EntityType {
    pub const ALL: [Self; 10] = [
        Self::UserAvatar,
        Self::UserCover,
        Self::WorkspaceLogo,
        Self::ProjectCover,
        Self::IssueAttachment,
        Self::IssueDescription,
        Self::CommentDescription,
        Self::PageDescription,
        Self::DraftIssueDescription,
        Self::DraftIssueAttachment,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserAvatar => "USER_AVATAR",
            Self::UserCover => "USER_COVER",
            Self::WorkspaceLogo => "WORKSPACE_LOGO",
            Self::ProjectCover => "PROJECT_COVER",
            Self::IssueAttachment => "ISSUE_ATTACHMENT",
            Self::IssueDescription => "ISSUE_DESCRIPTION",
            Self::CommentDescription => "COMMENT_DESCRIPTION",
            Self::PageDescription => "PAGE_DESCRIPTION",
            Self::DraftIssueDescription => "DRAFT_ISSUE_DESCRIPTION",
            Self::DraftIssueAttachment => "DRAFT_ISSUE_ATTACHMENT",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether the static route serves it: avatars, covers and logos are public.
    #[must_use]
    pub fn is_static(self) -> bool {
        matches!(
            self,
            Self::UserAvatar | Self::UserCover | Self::WorkspaceLogo | Self::ProjectCover
        )
    }

    /// Whether it belongs to a person, by whichever route it was made; its key then lies in `user-assets/`.
    #[must_use]
    pub fn is_of_a_user(self) -> bool {
        matches!(self, Self::UserAvatar | Self::UserCover)
    }

    /// The pointer that can name an asset of this type as the current one.
    #[must_use]
    pub fn pointer(self) -> Option<PointerKind> {
        match self {
            Self::UserAvatar => Some(PointerKind::UserAvatar),
            Self::UserCover => Some(PointerKind::UserCover),
            Self::WorkspaceLogo => Some(PointerKind::WorkspaceLogo),
            Self::ProjectCover => Some(PointerKind::ProjectCover),
            _ => None,
        }
    }

    /// Where clients find an asset of this type: a path, never with a host. `None` where Plane answers `null`.
    // Plane: what is not bound is written as the Python word `None`.
    #[must_use]
    pub fn asset_url(self, asset: &Asset, workspace_slug: Option<&str>) -> Option<String> {
        let id = asset.id;
        let slug = workspace_slug.unwrap_or("None");
        let word = |bound: Option<uuid::Uuid>| {
            bound.map_or_else(|| "None".to_owned(), |bound| bound.to_string())
        };
        let project = word(asset.bindings.project_id);
        match self {
            Self::UserAvatar | Self::UserCover | Self::WorkspaceLogo | Self::ProjectCover => {
                Some(static_url(id))
            }
            Self::IssueAttachment => {
                let issue = word(asset.bindings.issue_id);
                Some(format!(
                    "/api/assets/v2/workspaces/{slug}/projects/{project}/issues/{issue}/attachments/{id}/"
                ))
            }
            Self::IssueDescription
            | Self::CommentDescription
            | Self::PageDescription
            | Self::DraftIssueDescription => Some(format!(
                "/api/assets/v2/workspaces/{slug}/projects/{project}/{id}/"
            )),
            Self::DraftIssueAttachment => None,
        }
    }
}

/// Where the static route serves an asset.
#[must_use]
pub fn static_url(id: uuid::Uuid) -> String {
    format!("/api/assets/v2/static/{id}/")
}

/// What names the current picture of something. Plane contract, section 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointerKind {
    UserAvatar,
    UserCover,
    WorkspaceLogo,
    ProjectCover,
}
impl PointerKind {
    /// As the rows have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserAvatar => "user_avatar",
            Self::UserCover => "user_cover",
            Self::WorkspaceLogo => "workspace_logo",
            Self::ProjectCover => "project_cover",
        }
    }
}

/// The key of one pointer.
///
/// A client may claim any project id, so a cover's pointer belongs to the workspace and the project together: two
/// workspaces that claim one project id have two pointers. The ids of users and workspaces are looked up, never claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pointer {
    pub kind: PointerKind,
    /// Set for a project's cover only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<uuid::Uuid>,
    /// The user, workspace or project.
    pub owner_id: uuid::Uuid,
}
impl Pointer {
    #[must_use]
    pub fn user_avatar(user_id: uuid::Uuid) -> Self {
        Self {
            kind: PointerKind::UserAvatar,
            workspace_id: None,
            owner_id: user_id,
        }
    }

    #[must_use]
    pub fn project_cover(workspace_id: uuid::Uuid, project_id: uuid::Uuid) -> Self {
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
    use crate::assets::model::Bindings;
    use rstest::rstest;
    use uuid::Uuid;

    #[test]
    fn the_ten_types_are_upper_case_and_exact() {
        for kind in EntityType::ALL {
            assert_eq!(EntityType::parse(kind.as_str()), Some(kind));
            assert_eq!(EntityType::parse(&kind.as_str().to_lowercase()), None);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.is_static(), kind.pointer().is_some());
        }
    }

    const STATIC: &str = "/api/assets/v2/static/00000000-0000-0000-0000-00000000000a/";
    const ATTACHMENT: &str = "/api/assets/v2/workspaces/acme/projects/00000000-0000-0000-0000-000000000002/issues/00000000-0000-0000-0000-000000000003/attachments/00000000-0000-0000-0000-00000000000a/";
    const DESCRIPTION: &str = "/api/assets/v2/workspaces/acme/projects/00000000-0000-0000-0000-000000000002/00000000-0000-0000-0000-00000000000a/";

    #[rstest]
    #[case(EntityType::UserAvatar, Some(STATIC))]
    #[case(EntityType::UserCover, Some(STATIC))]
    #[case(EntityType::WorkspaceLogo, Some(STATIC))]
    #[case(EntityType::ProjectCover, Some(STATIC))]
    #[case(EntityType::IssueAttachment, Some(ATTACHMENT))]
    #[case(EntityType::IssueDescription, Some(DESCRIPTION))]
    #[case(EntityType::CommentDescription, Some(DESCRIPTION))]
    #[case(EntityType::PageDescription, Some(DESCRIPTION))]
    #[case(EntityType::DraftIssueDescription, Some(DESCRIPTION))]
    #[case(EntityType::DraftIssueAttachment, None)]
    fn each_type_has_its_url(#[case] kind: EntityType, #[case] url: Option<&str>) {
        let bound = Asset::of_type(
            kind,
            Bindings {
                project_id: Some(Uuid::from_u128(2)),
                issue_id: Some(Uuid::from_u128(3)),
                ..Bindings::default()
            },
        );
        assert_eq!(bound.asset_url(Some("acme")).as_deref(), url);
    }

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

    #[test]
    fn what_is_not_bound_is_written_as_the_python_word() {
        let unbound = Asset::of_type(EntityType::IssueAttachment, Bindings::default());
        insta::assert_snapshot!(
            unbound.asset_url(Some("acme")).unwrap(),
            @"/api/assets/v2/workspaces/acme/projects/None/issues/None/attachments/00000000-0000-0000-0000-00000000000a/"
        );
    }
}
