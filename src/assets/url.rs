//! Where clients find an asset: paths, never with a host. Plane contract, section 1.2.
use crate::assets::entity::EntityType;
use crate::assets::model::Asset;
use uuid::Uuid;

/// The path at which the static route serves an asset.
#[must_use]
pub fn static_url(id: Uuid) -> String {
    format!("/api/assets/v2/static/{id}/")
}

impl Asset {
    /// The path at which clients find the asset, by its type. It is computed for each response, since the bindings may
    /// change. `None` where Plane answers `null`.
    // Plane: an id that is not bound is written as the Python word `None`.
    #[must_use]
    pub fn asset_url(&self, workspace_slug: Option<&str>) -> Option<String> {
        let id = self.id;
        let slug = workspace_slug.unwrap_or("None");
        let word = |bound: Option<Uuid>| {
            bound.map_or_else(|| "None".to_owned(), |bound| bound.to_string())
        };
        let project = word(self.bindings.project_id);
        match self.entity_type {
            EntityType::UserAvatar
            | EntityType::UserCover
            | EntityType::WorkspaceLogo
            | EntityType::ProjectCover => Some(static_url(id)),
            EntityType::IssueAttachment => {
                let issue = word(self.bindings.issue_id);
                Some(format!(
                    "/api/assets/v2/workspaces/{slug}/projects/{project}/issues/{issue}/attachments/{id}/"
                ))
            }
            EntityType::IssueDescription
            | EntityType::CommentDescription
            | EntityType::PageDescription
            | EntityType::DraftIssueDescription => Some(format!(
                "/api/assets/v2/workspaces/{slug}/projects/{project}/{id}/"
            )),
            EntityType::DraftIssueAttachment => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::model::Bindings;
    use rstest::rstest;

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
    fn an_unbound_id_is_written_as_the_python_word() {
        let unbound = Asset::of_type(EntityType::IssueAttachment, Bindings::default());
        insta::assert_snapshot!(
            unbound.asset_url(Some("acme")).unwrap(),
            @"/api/assets/v2/workspaces/acme/projects/None/issues/None/attachments/00000000-0000-0000-0000-00000000000a/"
        );
    }
}
