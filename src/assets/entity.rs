//! What an asset belongs to. Plane contract, section 1.2.
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

    /// Whether it belongs to a user, whichever route made it; its key then lies in `user-assets/`.
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
}

/// The kinds of pointers, each of which names the current picture of something. Plane contract, section 1.1.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_types_are_upper_case_and_exact() {
        for kind in EntityType::ALL {
            assert_eq!(EntityType::parse(kind.as_str()), Some(kind));
            assert_eq!(EntityType::parse(&kind.as_str().to_lowercase()), None);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(kind.is_static(), kind.pointer().is_some());
        }
    }
}
