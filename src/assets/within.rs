//! Among which assets a route looks. Plane contract, section 3.
use super::Asset;
use uuid::Uuid;

/// What a path names beside an asset's id: an asset outside of it is not found.
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
        let _ = asset;
        todo!()
    }
}

/// A change of an asset that is there.
#[derive(Debug, Clone)]
pub struct Change {
    /// The text of a JSON object; `None`: they stay.
    pub attributes: Option<String>,
    pub updated_by: Uuid,
    /// The pointer of the asset's kind moves to it, now or when its bytes come, and what it named before is deleted.
    pub moves_pointer: bool,
    /// On the first change the creator becomes who changes it (attachments).
    pub takes_over: bool,
}

/// Among which assets an external id is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueIn {
    Workspace,
    /// Attachments of the same workspace, project and issue.
    Issue,
}

/// What `bulk` binds.
#[derive(Debug, Clone)]
pub struct Binding {
    pub workspace_id: Uuid,
    pub project_id: Uuid,
    /// An issue, comment, page or draft, by each asset's type.
    pub entity_id: Uuid,
    /// An anchor's: only comments' files, only those of the published project.
    pub is_public: bool,
    /// An anchor's, for who is no member: only what he made; another's refuses all.
    pub only_created_by: Option<Uuid>,
}
