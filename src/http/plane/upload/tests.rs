use super::*;
use crate::http::plane::error::INVALID_IMAGE_TYPE_V1;
use rstest::rstest;
use serde_json::json;

const USER: Uuid = Uuid::from_u128(1);
const WORKSPACE: Uuid = Uuid::from_u128(2);
const PROJECT: Uuid = Uuid::from_u128(3);
const OTHER: Uuid = Uuid::from_u128(4);

const SIZE: &str = "Size must be a positive whole number of bytes.";
const ENTITY: &str = "Invalid entity type.";
const TYPE: &str = "Invalid file type. Only JPEG and PNG files are allowed.";
const NAME: &str = "Name must not be longer than 255 bytes.";
const DETAIL: &str = "Please provide valid detail";
const PAYLOAD: &str = "The payload is not valid";

/// Parses a request for a user's own asset, and an identifier too.
fn parsed(body: &Value) -> Result<UploadRequest, String> {
    let fields = Fields::of(body);
    let rules = ImageRules {
        accepts: EntityType::is_of_a_user,
        wrong_type: INVALID_IMAGE_TYPE_V1,
    };
    let bindings = |_| {
        Ok(Bindings {
            user_id: optional_id(&fields, "entity_identifier")?,
            ..Bindings::default()
        })
    };
    parse_image(&fields, 5000, USER, rules, bindings).map_err(|error| error.to_string())
}

#[test]
fn an_image_needs_only_an_entity_type() {
    let request = parsed(&json!({"entity_type": "USER_COVER"})).unwrap();
    assert_eq!(request.entity_type, EntityType::UserCover);
    assert_eq!(request.content_type, "image/jpeg");
    assert_eq!(request.name.as_str(), "unnamed");
    assert_eq!(request.size, 5000);
    assert_eq!(request.created_by, USER);
}

#[rstest]
#[case(json!({"size": 0, "entity_type": "X", "type": "X"}), SIZE)]
#[case(json!({"entity_type": "WORKSPACE_LOGO", "type": "X"}), ENTITY)]
#[case(json!({"entity_type": "user_avatar"}), ENTITY)]
#[case(json!({"entity_type": null}), ENTITY)]
#[case(json!({"entity_type": ["USER_AVATAR"]}), ENTITY)]
#[case(json!({}), ENTITY)]
#[case(json!({"entity_type": "USER_AVATAR", "type": "image/svg+xml", "entity_identifier": "x"}), TYPE)]
#[case(json!({"entity_type": "USER_AVATAR", "type": "image/PNG"}), TYPE)]
#[case(json!({"entity_type": "USER_AVATAR", "type": null}), TYPE)]
#[case(json!({"entity_type": "USER_AVATAR", "type": ""}), TYPE)]
#[case(json!({"entity_type": "USER_AVATAR", "entity_identifier": "x", "name": "x".repeat(256)}), DETAIL)]
#[case(json!({"entity_type": "USER_AVATAR", "name": "x".repeat(256)}), NAME)]
fn the_first_wrong_field_is_refused(#[case] body: Value, #[case] expected: &str) {
    assert_eq!(parsed(&body).unwrap_err(), expected);
}

#[rstest]
#[case(json!({}), Ok(None))]
#[case(json!({"id": null}), Ok(None))]
#[case(json!({"id": ""}), Ok(None))]
#[case(json!({"id": PROJECT}), Ok(Some(PROJECT)))]
#[case(json!({"id": PROJECT.simple().to_string().to_uppercase()}), Ok(Some(PROJECT)))]
#[case(json!({"id": "x"}), Err(DETAIL))]
#[case(json!({"id": " "}), Err(DETAIL))]
#[case(json!({"id": 5}), Err(DETAIL))]
#[case(json!({"id": false}), Err(DETAIL))]
#[case(json!({"id": [PROJECT]}), Err(DETAIL))]
fn an_identifier_is_a_uuid_or_left_out(
    #[case] body: Value,
    #[case] expected: Result<Option<Uuid>, &str>,
) {
    let read = optional_id(&Fields::of(&body), "id").map_err(|error| error.to_string());
    assert_eq!(read.as_ref().copied().map_err(String::as_str), expected);
}

#[rstest]
#[case("text/plain", true)]
#[case("image/svg+xml", true)]
#[case("font/woff2", true)]
#[case("image/jpg", false)]
#[case("text/html", false)]
#[case("text/plain; charset=utf-8", false)]
#[case("Text/Plain", false)]
#[case("application/x-msdownload", false)]
#[case("", false)]
fn attachments_have_a_list_of_types(#[case] content_type: &str, #[case] is_accepted: bool) {
    let read = attachment_type(&Fields::of(&json!({"type": content_type})));
    match read {
        Ok(read) => assert_eq!((is_accepted, read.as_str()), (true, content_type)),
        Err(error) => assert_eq!(
            (is_accepted, error.to_string()),
            (false, "Invalid file type.".to_owned())
        ),
    }
}

#[rstest]
#[case(json!({}), Ok((None, None, false)))]
#[case(json!({"external_id": "a", "external_source": "b"}), Ok((Some("a"), Some("b"), true)))]
#[case(json!({"external_id": "a", "external_source": ""}), Ok((Some("a"), Some(""), false)))]
#[case(json!({"external_id": null, "external_source": "b"}), Ok((None, Some("b"), false)))]
#[case(json!({"external_id": 5}), Err(()))]
#[case(json!({"external_source": ["b"]}), Err(()))]
#[case(json!({"external_id": "x".repeat(256)}), Err(()))]
fn an_external_id_and_source_conflict_only_as_a_pair(
    #[case] body: Value,
    #[case] expected: Result<(Option<&str>, Option<&str>, bool), ()>,
) {
    let read = External::read(&Fields::of(&body));
    let actual = read
        .as_ref()
        .map(|read| (read.id.as_deref(), read.source.as_deref(), read.is_pair()));
    assert_eq!(actual.map_err(|_| ()), expected);
}

#[test]
fn an_external_id_is_counted_in_characters() {
    let read = External::read(&Fields::of(&json!({"external_id": "ż".repeat(255)})));
    assert_eq!(read.unwrap().id, Some("ż".repeat(255)));
}

/// The bindings by an identifier, as `column=id`, in a workspace and in a project of it.
#[rstest]
#[case(EntityType::UserAvatar, None, "user=1", "user=1")]
#[case(EntityType::UserAvatar, Some(USER), "user=1", "user=1")]
#[case(EntityType::UserCover, Some(OTHER), PAYLOAD, PAYLOAD)]
#[case(EntityType::WorkspaceLogo, None, "", "")]
#[case(EntityType::WorkspaceLogo, Some(WORKSPACE), "", "")]
#[case(EntityType::WorkspaceLogo, Some(OTHER), PAYLOAD, PAYLOAD)]
#[case(EntityType::ProjectCover, None, "", "")]
#[case(EntityType::ProjectCover, Some(PROJECT), "project=3", "")]
#[case(EntityType::ProjectCover, Some(OTHER), "project=4", PAYLOAD)]
#[case(EntityType::IssueAttachment, Some(OTHER), "issue=4", "issue=4")]
#[case(EntityType::IssueDescription, Some(OTHER), "issue=4", "issue=4")]
#[case(EntityType::IssueDescription, None, "", "")]
#[case(EntityType::CommentDescription, Some(OTHER), "comment=4", "comment=4")]
#[case(EntityType::PageDescription, Some(OTHER), "page=4", "page=4")]
#[case(EntityType::DraftIssueDescription, Some(OTHER), "", "draft=4")]
#[case(EntityType::DraftIssueAttachment, Some(OTHER), "", "")]
fn an_identifier_binds_by_type_and_never_contradicts_the_path(
    #[case] entity_type: EntityType,
    #[case] identifier: Option<Uuid>,
    #[case] in_workspace: &str,
    #[case] in_project: &str,
) {
    for (project_id, expected) in [(None, in_workspace), (Some(PROJECT), in_project)] {
        let place = Place {
            workspace_id: WORKSPACE,
            project_id,
            user_id: USER,
            binds_drafts: project_id.is_some(),
        };
        let actual = match place.bindings(entity_type, identifier) {
            Err(error) => error.to_string(),
            Ok(bindings) => {
                assert_eq!(bindings.workspace_id, Some(WORKSPACE));
                let project = bindings.project_id.filter(|_| project_id.is_none());
                assert!(project_id.is_none() || bindings.project_id == project_id);
                let columns = [
                    ("user", bindings.user_id),
                    ("project", project),
                    ("issue", bindings.issue_id),
                    ("comment", bindings.comment_id),
                    ("page", bindings.page_id),
                    ("draft", bindings.draft_issue_id),
                ];
                let bound = columns
                    .into_iter()
                    .filter_map(|(name, id)| Some((name, id?)));
                bound
                    .map(|(name, id)| format!("{name}={}", id.as_u128()))
                    .collect::<Vec<_>>()
                    .join(" ")
            }
        };
        assert_eq!(actual, expected);
    }
}

#[rstest]
#[case(json!({}), Ok(None))]
#[case(json!({"attributes": {"b": 1, "a": "x"}}), Ok(Some(r#"{"a":"x","b":1}"#)))]
#[case(json!({"attributes": {}}), Ok(Some("{}")))]
#[case(json!({"attributes": null}), Err(()))]
#[case(json!({"attributes": []}), Err(()))]
#[case(json!({"attributes": "{}"}), Err(()))]
#[case(json!({"attributes": {"a": "x".repeat(16 * 1024)}}), Err(()))]
fn attributes_are_a_small_object_or_absent(
    #[case] body: Value,
    #[case] expected: Result<Option<&str>, ()>,
) {
    let parsed = attributes(&Fields::of(&body));
    assert_eq!(
        parsed.as_ref().map(Option::as_deref).map_err(|_| ()),
        expected
    );
}
