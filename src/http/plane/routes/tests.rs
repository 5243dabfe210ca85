use crate::http::plane::routes::path::{PathParameters, RouteMatch, find_route};
use crate::http::plane::routes::table::{
    COLLECTION, Endpoint, ITEM, READ_ONLY, ROUTES, Route, Version,
};
use rstest::rstest;
use std::collections::BTreeSet;
use uuid::Uuid;

const PROJECT: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
const ISSUE: Uuid = Uuid::from_u128(0x2222_2222_2222_4222_8222_2222_2222_2222);
const ENTITY: Uuid = Uuid::from_u128(0x3333_3333_3333_4333_8333_3333_3333_3333);
const ASSET: Uuid = Uuid::from_u128(0x4444_4444_4444_4444_8444_4444_4444_4444);

/// Replaces the segments `P`, `I`, `E`, `A` by ids.
fn with_ids(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        "P" => PROJECT.to_string(),
        "I" => ISSUE.to_string(),
        "E" => ENTITY.to_string(),
        "A" => ASSET.to_string(),
        other => other.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

#[rstest]
#[case("/api/v1/assets/user-assets/", Endpoint::UserAssets, "POST")]
#[case("/api/v1/assets/user-assets/server/", Endpoint::UserAssets, "POST")]
#[case("/api/v1/assets/user-assets/A/", Endpoint::UserAsset, "PATCH, DELETE")]
#[case(
    "/api/v1/assets/user-assets/A/server/",
    Endpoint::UserAsset,
    "PATCH, DELETE"
)]
#[case("/api/v1/users/me/", Endpoint::Me, "GET")]
#[case("/api/v1/users/assets/", Endpoint::UserAssets, "POST")]
#[case("/api/v1/workspaces/acme/assets/", Endpoint::AssetsV1, "POST")]
#[case("/api/v1/workspaces/acme/assets/A/", Endpoint::AssetV1, "GET, PATCH")]
#[case(
    "/api/v1/workspaces/acme/projects/P/work-items/I/attachments/",
    Endpoint::Attachments,
    "GET, POST"
)]
#[case(
    "/api/v1/workspaces/acme/projects/P/work-items/I/attachments/A/",
    Endpoint::Attachment,
    "GET, PATCH, DELETE"
)]
#[case(
    "/api/v1/workspaces/acme/projects/P/issues/I/issue-attachments/",
    Endpoint::Attachments,
    "GET, POST"
)]
#[case(
    "/api/v1/workspaces/acme/projects/P/issues/I/issue-attachments/A/",
    Endpoint::Attachment,
    "GET, PATCH, DELETE"
)]
#[case("/api/assets/v2/static/A/", Endpoint::Static, READ_ONLY)]
#[case("/api/assets/v2/user-assets/", Endpoint::UserAssets, COLLECTION)]
#[case(
    "/api/assets/v2/user-assets/A/",
    Endpoint::UserAsset,
    "PATCH, DELETE, OPTIONS"
)]
#[case(
    "/api/assets/v2/workspaces/acme/",
    Endpoint::WorkspaceAssets,
    COLLECTION
)]
#[case("/api/assets/v2/workspaces/acme/A/", Endpoint::WorkspaceAsset, ITEM)]
#[case("/api/assets/v2/workspaces/acme/check/A/", Endpoint::Check, READ_ONLY)]
#[case(
    "/api/assets/v2/workspaces/acme/download/A/",
    Endpoint::Download,
    READ_ONLY
)]
#[case(
    "/api/assets/v2/workspaces/acme/restore/A/",
    Endpoint::Restore,
    COLLECTION
)]
#[case(
    "/api/assets/v2/workspaces/acme/duplicate-assets/A/",
    Endpoint::Duplicate,
    COLLECTION
)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/P/",
    Endpoint::ProjectAssets,
    COLLECTION
)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/P/A/",
    Endpoint::ProjectAsset,
    ITEM
)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/P/download/A/",
    Endpoint::ProjectDownload,
    READ_ONLY
)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/P/E/bulk/",
    Endpoint::Bulk,
    COLLECTION
)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/P/issues/I/attachments/",
    Endpoint::Attachments,
    "GET, POST, HEAD, OPTIONS"
)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/P/issues/I/attachments/A/",
    Endpoint::Attachment,
    ITEM
)]
#[case(
    "/api/public/assets/v2/anchor/acme/",
    Endpoint::AnchorAssets,
    COLLECTION
)]
#[case("/api/public/assets/v2/anchor/acme/A/", Endpoint::AnchorAsset, ITEM)]
#[case(
    "/api/public/assets/v2/anchor/acme/restore/A/",
    Endpoint::AnchorRestore,
    COLLECTION
)]
#[case(
    "/api/public/assets/v2/anchor/acme/E/bulk/",
    Endpoint::AnchorBulk,
    COLLECTION
)]
fn a_known_path_leads_to_its_route(
    #[case] path: &str,
    #[case] endpoint: Endpoint,
    #[case] allow: &str,
) {
    let full_path = with_ids(path);
    let RouteMatch::Route(route, parameters) = find_route(&full_path) else {
        panic!("{path} is a route")
    };
    assert_eq!((route.endpoint, route.allow), (endpoint, allow));
    let holds = |segment: &str| path.split('/').any(|one| one == segment);
    let expected = PathParameters {
        slug_or_anchor: if holds("acme") { "acme" } else { "" }.to_owned(),
        project_id: holds("P").then_some(PROJECT),
        issue_id: holds("I").then_some(ISSUE),
        entity_id: if holds("E") { ENTITY } else { Uuid::nil() },
        asset_id: if holds("A") { ASSET } else { Uuid::nil() },
    };
    assert_eq!(parameters, expected);
    let without_slash = full_path.trim_end_matches('/');
    assert!(matches!(
        find_route(without_slash),
        RouteMatch::MissingSlash
    ));
}

#[rstest]
#[case("/api/assets/v2/workspaces/acme/projects/None/A/", true)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/None/issues/None/attachments/A/",
    true
)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/P/issues/None/attachments/A/",
    true
)]
#[case("/api/assets/v2/workspaces/acme/projects/none/A/", false)]
#[case("/api/assets/v2/workspaces/acme/projects/None/", false)]
#[case(
    "/api/assets/v2/workspaces/acme/projects/None/issues/None/attachments/",
    false
)]
#[case("/api/assets/v2/workspaces/acme/projects/None/E/bulk/", false)]
#[case(
    "/api/v1/workspaces/acme/projects/None/work-items/None/attachments/A/",
    false
)]
fn none_stands_for_an_id_only_in_the_path_of_one_asset(
    #[case] path: &str,
    #[case] is_routed: bool,
) {
    let found = find_route(&with_ids(path));
    assert_eq!(matches!(found, RouteMatch::Route(..)), is_routed);
    if let RouteMatch::Route(_, parameters) = found {
        assert_eq!(
            parameters.project_id.is_none(),
            path.contains("projects/None")
        );
        assert_eq!(parameters.issue_id, None);
    }
}

#[rstest]
#[case("/api/v1/workspaces/a%20c%C5%BC+x/assets/", "a cż+x")]
#[case("/api/v1/workspaces/None/assets/", "None")]
#[case("/api/v1/%77orkspaces/..%2e/assets/", "...")]
#[case("/api/v1/workspaces/%FF%zz/assets/", "\u{fffd}%zz")]
fn a_slug_is_any_text_decoded_once(#[case] path: &str, #[case] slug: &str) {
    let RouteMatch::Route(_, parameters) = find_route(path) else {
        panic!("{path} is a route")
    };
    assert_eq!(parameters.slug_or_anchor, slug);
}

#[rstest]
#[case("/api/")]
#[case("/api")]
#[case("/api/v1/")]
#[case("/api/v1/assets/user-assets//")]
#[case("//api/v1/users/me/")]
#[case("/api/v1/assets/user-assets/x/")]
#[case("/api/v1/assets/user-assets/3999B15F-7A97-486E-B06B-D08CE45C00C9/")]
#[case("/api/v1/assets/user-assets/3999b15f7a97486eb06bd08ce45c00c9/")]
#[case("/api/v1/assets/user-assets/{3999b15f-7a97-486e-b06b-d08ce45c00c9}/")]
#[case("/api/v1/assets/user-assets/<asset_id>/")]
#[case("/api/v1/assets/user-assets/None/")]
#[case("/api/v1/workspaces//assets/")]
#[case("/api/v1/workspaces/a%2Fb/assets/")]
#[case("/api/assets/v2/static/")]
#[case("/api/assets/v2/workspaces/acme/E/bulk/")]
#[case("/api/users/file-assets/")]
#[case("/API/v1/users/me/")]
fn every_other_path_has_no_route(#[case] path: &str) {
    assert!(
        matches!(find_route(&with_ids(path)), RouteMatch::NotFound),
        "{path}"
    );
}

#[test]
fn no_path_is_in_the_table_twice() {
    let paths: BTreeSet<_> = ROUTES.iter().map(|route| route.path).collect();
    assert_eq!(paths.len(), ROUTES.len());
}

fn route(endpoint: Endpoint, version: Version) -> &'static Route {
    let mut routes = ROUTES.iter();
    routes
        .find(|route| route.endpoint == endpoint && route.version() == version)
        .unwrap()
}

#[rstest]
#[case(Endpoint::UserAssets, Version::V1, "POST", Some(["assets:write"].as_slice()))]
#[case(Endpoint::AssetV1, Version::V1, "GET", Some(["assets:read"].as_slice()))]
#[case(Endpoint::Check, Version::V2, "HEAD", Some(["assets:read"].as_slice()))]
#[case(Endpoint::Check, Version::V2, "OPTIONS", None)]
#[case(Endpoint::Attachment, Version::V1, "GET", Some(["projects.work_items.attachments:read", "assets:read"].as_slice()))]
#[case(Endpoint::Attachment, Version::V2, "DELETE", Some(["projects.work_items.attachments:write", "assets:write"].as_slice()))]
#[case(Endpoint::Me, Version::V1, "GET", None)]
#[case(Endpoint::Static, Version::V2, "GET", None)]
#[case(Endpoint::AnchorAsset, Version::V2, "HEAD", None)]
#[case(Endpoint::AnchorAsset, Version::V2, "PATCH", Some(["assets:write"].as_slice()))]
#[case(Endpoint::AnchorAssets, Version::V2, "POST", Some(["assets:write"].as_slice()))]
fn reading_and_writing_need_their_own_scope(
    #[case] endpoint: Endpoint,
    #[case] version: Version,
    #[case] method: &str,
    #[case] scopes: Option<&'static [&'static str]>,
) {
    assert_eq!(route(endpoint, version).scopes(method), scopes);
}

#[test]
fn only_static_and_published_files_are_read_without_a_token() {
    for route in &ROUTES {
        let anonymous: Vec<_> = ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"]
            .into_iter()
            .filter(|method| route.allows_anonymous(method))
            .collect();
        match route.endpoint {
            Endpoint::Static => assert_eq!(anonymous.len(), 6),
            Endpoint::AnchorAsset => assert_eq!(anonymous, ["GET", "HEAD"]),
            _ => assert!(anonymous.is_empty(), "{}", route.path),
        }
    }
}
