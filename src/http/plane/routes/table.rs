//! The routes of the asset API: one table of path, methods and scopes. Plane contract, sections 2.2 and 3.0.
//!
//! A path is decoded once and then matched, as Django does; so `%2F` cuts a segment in two. An id is a lower-case UUID with
//! dashes; anything else in its place is an unknown route.
use crate::assets::parse_id;
use percent_encoding::percent_decode_str;
use uuid::Uuid;

/// One line of the table.
#[derive(Debug)]
pub(in crate::http) struct Route {
    /// `<slug>` and `<anchor>` stand for any text, all else in `<>` for an id; with a `?` it may also be `None`.
    pub(in crate::http) path: &'static str,
    /// As a 405 answers it.
    pub(in crate::http) allow: &'static str,
    pub(in crate::http) access: Access,
    pub(in crate::http) endpoint: Endpoint,
}
/// What is asked for. Several paths may ask for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Endpoint {
    Me,
    UserAssets,
    UserAsset,
    /// The documented form of v1, section 3.3.
    AssetsV1,
    AssetV1,
    Attachments,
    Attachment,
    Static,
    WorkspaceAssets,
    WorkspaceAsset,
    ProjectAssets,
    ProjectAsset,
    Check,
    Download,
    ProjectDownload,
    Restore,
    Duplicate,
    Bulk,
    AnchorAssets,
    AnchorAsset,
    AnchorRestore,
    AnchorBulk,
}
/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Access {
    /// No token is looked at.
    Public,
    /// Any valid token.
    Token,
    /// A token with one of these scopes: the first list to read, the second to write.
    Scoped(&'static [&'static str], &'static [&'static str]),
    /// Anybody may read; a token with one of these scopes may write.
    ScopedWrite(&'static [&'static str]),
}
/// Which of Plane's two APIs a route belongs to: they word the same refusals differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Version {
    V1,
    V2,
}

const READ: &str = "assets:read";
const WRITE: &str = "assets:write";
const ASSETS: Access = Access::Scoped(&[READ], &[WRITE]);
const ATTACHMENTS: Access = Access::Scoped(
    &["projects.work_items.attachments:read", READ],
    &["projects.work_items.attachments:write", WRITE],
);
const PUBLISHED: Access = Access::ScopedWrite(&[WRITE]);

const COLLECTION: &str = "POST, OPTIONS";
const ITEM: &str = "GET, PATCH, DELETE, HEAD, OPTIONS";
const LOOK: &str = "GET, HEAD, OPTIONS";

#[rustfmt::skip]
pub(in crate::http) static ROUTES: [Route; 31] = [
    Route { path: "/api/v1/users/me/",                                endpoint: Endpoint::Me,         access: Access::Token, allow: "GET" },
    // Plane: not there; the Python SDK's `users.upload_asset()` posts here.
    Route { path: "/api/v1/users/assets/",                            endpoint: Endpoint::UserAssets, access: ASSETS, allow: "POST" },
    Route { path: "/api/v1/assets/user-assets/",                      endpoint: Endpoint::UserAssets, access: ASSETS, allow: "POST" },
    Route { path: "/api/v1/assets/user-assets/server/",               endpoint: Endpoint::UserAssets, access: ASSETS, allow: "POST" },
    Route { path: "/api/v1/assets/user-assets/<asset_id>/",           endpoint: Endpoint::UserAsset,  access: ASSETS, allow: "PATCH, DELETE" },
    Route { path: "/api/v1/assets/user-assets/<asset_id>/server/",    endpoint: Endpoint::UserAsset,  access: ASSETS, allow: "PATCH, DELETE" },
    Route { path: "/api/v1/workspaces/<slug>/assets/",                endpoint: Endpoint::AssetsV1,   access: ASSETS, allow: "POST" },
    Route { path: "/api/v1/workspaces/<slug>/assets/<asset_id>/",     endpoint: Endpoint::AssetV1,    access: ASSETS, allow: "GET, PATCH" },
    Route { path: "/api/v1/workspaces/<slug>/projects/<project_id>/work-items/<issue_id>/attachments/",                  endpoint: Endpoint::Attachments, access: ATTACHMENTS, allow: "GET, POST" },
    Route { path: "/api/v1/workspaces/<slug>/projects/<project_id>/work-items/<issue_id>/attachments/<attachment_id>/",  endpoint: Endpoint::Attachment,  access: ATTACHMENTS, allow: "GET, PATCH, DELETE" },
    Route { path: "/api/v1/workspaces/<slug>/projects/<project_id>/issues/<issue_id>/issue-attachments/",                 endpoint: Endpoint::Attachments, access: ATTACHMENTS, allow: "GET, POST" },
    Route { path: "/api/v1/workspaces/<slug>/projects/<project_id>/issues/<issue_id>/issue-attachments/<attachment_id>/", endpoint: Endpoint::Attachment,  access: ATTACHMENTS, allow: "GET, PATCH, DELETE" },
    Route { path: "/api/assets/v2/static/<asset_id>/",                endpoint: Endpoint::Static,     access: Access::Public, allow: LOOK },
    Route { path: "/api/assets/v2/user-assets/",                      endpoint: Endpoint::UserAssets, access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/user-assets/<asset_id>/",           endpoint: Endpoint::UserAsset,  access: ASSETS, allow: "PATCH, DELETE, OPTIONS" },
    Route { path: "/api/assets/v2/workspaces/<slug>/",                endpoint: Endpoint::WorkspaceAssets, access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/<asset_id>/",     endpoint: Endpoint::WorkspaceAsset,  access: ASSETS, allow: ITEM },
    Route { path: "/api/assets/v2/workspaces/<slug>/check/<asset_id>/",            endpoint: Endpoint::Check,     access: ASSETS, allow: LOOK },
    Route { path: "/api/assets/v2/workspaces/<slug>/download/<asset_id>/",         endpoint: Endpoint::Download,  access: ASSETS, allow: LOOK },
    Route { path: "/api/assets/v2/workspaces/<slug>/restore/<asset_id>/",          endpoint: Endpoint::Restore,   access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/duplicate-assets/<asset_id>/", endpoint: Endpoint::Duplicate, access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id>/",                      endpoint: Endpoint::ProjectAssets,   access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id?>/<asset_id>/",          endpoint: Endpoint::ProjectAsset,    access: ASSETS, allow: ITEM },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id>/download/<asset_id>/",  endpoint: Endpoint::ProjectDownload, access: ASSETS, allow: LOOK },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id>/<entity_id>/bulk/",     endpoint: Endpoint::Bulk,            access: ASSETS, allow: COLLECTION },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id>/issues/<issue_id>/attachments/",                    endpoint: Endpoint::Attachments, access: ATTACHMENTS, allow: "GET, POST, HEAD, OPTIONS" },
    Route { path: "/api/assets/v2/workspaces/<slug>/projects/<project_id?>/issues/<issue_id?>/attachments/<attachment_id>/", endpoint: Endpoint::Attachment,  access: ATTACHMENTS, allow: ITEM },
    Route { path: "/api/public/assets/v2/anchor/<anchor>/",                      endpoint: Endpoint::AnchorAssets,  access: ASSETS,    allow: COLLECTION },
    Route { path: "/api/public/assets/v2/anchor/<anchor>/<asset_id>/",           endpoint: Endpoint::AnchorAsset,   access: PUBLISHED, allow: ITEM },
    Route { path: "/api/public/assets/v2/anchor/<anchor>/restore/<asset_id>/",   endpoint: Endpoint::AnchorRestore, access: ASSETS,    allow: COLLECTION },
    Route { path: "/api/public/assets/v2/anchor/<anchor>/<entity_id>/bulk/",     endpoint: Endpoint::AnchorBulk,    access: ASSETS,    allow: COLLECTION },
];

impl Route {
    pub(in crate::http) fn version(&self) -> Version {
        if self.path.starts_with("/api/v1/") {
            Version::V1
        } else {
            Version::V2
        }
    }

    pub(in crate::http) fn allows(&self, method: &str) -> bool {
        self.allow.split(", ").any(|allowed| allowed == method)
    }

    /// Whether a request needs no token.
    pub(in crate::http) fn is_open(&self, method: &str) -> bool {
        match self.access {
            Access::Public => true,
            Access::ScopedWrite(_) => is_reading(method),
            Access::Token | Access::Scoped(..) => false,
        }
    }

    /// The scopes of which one is needed; `None`: no scope is.
    pub(in crate::http) fn scopes(&self, method: &str) -> Option<&'static [&'static str]> {
        match self.access {
            Access::Public | Access::Token => None,
            _ if method == "OPTIONS" => None,
            Access::ScopedWrite(_) if is_reading(method) => None,
            Access::Scoped(read, _) if is_reading(method) => Some(read),
            Access::Scoped(_, write) | Access::ScopedWrite(write) => Some(write),
        }
    }

    /// Whether the answer is bytes or a redirect: `Accept` is then not judged.
    pub(in crate::http) fn gives_a_file(&self, method: &str) -> bool {
        match self.endpoint {
            Endpoint::Static => true,
            Endpoint::Attachment
            | Endpoint::WorkspaceAsset
            | Endpoint::ProjectAsset
            | Endpoint::Download
            | Endpoint::ProjectDownload
            | Endpoint::AnchorAsset => is_reading(method),
            _ => false,
        }
    }

    /// What a path (without its last slash) names, where it is one of this route's.
    fn names_in(&self, slashless: &str) -> Option<Names> {
        let mut pattern = self.path.trim_end_matches('/').split('/');
        let mut path = slashless.split('/');
        let mut names = Names::default();
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return Some(names),
                (Some(wanted), Some(segment)) if wanted.starts_with('<') => {
                    names.take(wanted, segment)?;
                }
                (Some(wanted), Some(segment)) if wanted == segment => {}
                _ => return None,
            }
        }
    }
}

fn is_reading(method: &str) -> bool {
    matches!(method, "GET" | "HEAD")
}

/// What a path names. What it does not name is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct Names {
    /// A workspace's slug, or an anchor.
    pub(in crate::http) place: String,
    pub(in crate::http) project_id: Option<Uuid>,
    pub(in crate::http) issue_id: Option<Uuid>,
    pub(in crate::http) entity_id: Uuid,
    /// An attachment is one too.
    pub(in crate::http) asset_id: Uuid,
}
impl Names {
    /// `None`: the segment cannot stand there.
    fn take(&mut self, wanted: &str, segment: &str) -> Option<()> {
        // Plane: gives out urls with this word and cannot route them.
        let is_unbound = wanted.ends_with("?>") && segment == "None";
        let id = || {
            if is_unbound {
                Some(None)
            } else {
                parse_id(segment).map(Some)
            }
        };
        match wanted {
            "<slug>" | "<anchor>" => {
                self.place = (!segment.is_empty()).then(|| segment.to_owned())?;
            }
            "<project_id>" | "<project_id?>" => self.project_id = id()?,
            "<issue_id>" | "<issue_id?>" => self.issue_id = id()?,
            "<entity_id>" => self.entity_id = parse_id(segment)?,
            _ => self.asset_id = parse_id(segment)?,
        }
        Some(())
    }
}

/// What a raw path leads to.
#[derive(Debug)]
pub(in crate::http) enum Found {
    Route(&'static Route, Names),
    /// A known route but for its last slash.
    MissingSlash,
    Nothing,
}

pub(in crate::http) fn find(raw_path: &str) -> Found {
    let path = percent_decode_str(raw_path).decode_utf8_lossy();
    let slashless = path.strip_suffix('/');
    let wanted = slashless.unwrap_or(&path);
    let mut routes = ROUTES.iter();
    let found = routes.find_map(|route| Some((route, route.names_in(wanted)?)));
    match found {
        None => Found::Nothing,
        Some(_) if slashless.is_none() => Found::MissingSlash,
        Some((route, names)) => Found::Route(route, names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::BTreeSet;

    const PROJECT: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
    const ISSUE: Uuid = Uuid::from_u128(0x2222_2222_2222_4222_8222_2222_2222_2222);
    const ENTITY: Uuid = Uuid::from_u128(0x3333_3333_3333_4333_8333_3333_3333_3333);
    const ASSET: Uuid = Uuid::from_u128(0x4444_4444_4444_4444_8444_4444_4444_4444);

    /// `P`, `I`, `E`, `A` as segments stand for ids.
    fn spelled(path: &str) -> String {
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
    #[case("/api/assets/v2/static/A/", Endpoint::Static, LOOK)]
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
    #[case("/api/assets/v2/workspaces/acme/check/A/", Endpoint::Check, LOOK)]
    #[case("/api/assets/v2/workspaces/acme/download/A/", Endpoint::Download, LOOK)]
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
        LOOK
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
        let spelled = spelled(path);
        let Found::Route(route, names) = find(&spelled) else {
            panic!("{path} is a route")
        };
        assert_eq!((route.endpoint, route.allow), (endpoint, allow));
        let holds = |segment: &str| path.split('/').any(|one| one == segment);
        let expected = Names {
            place: if holds("acme") { "acme" } else { "" }.to_owned(),
            project_id: holds("P").then_some(PROJECT),
            issue_id: holds("I").then_some(ISSUE),
            entity_id: if holds("E") { ENTITY } else { Uuid::nil() },
            asset_id: if holds("A") { ASSET } else { Uuid::nil() },
        };
        assert_eq!(names, expected);
        let slashless = spelled.trim_end_matches('/');
        assert!(matches!(find(slashless), Found::MissingSlash));
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
    fn what_is_not_bound_is_routed_where_one_asset_is_named(
        #[case] path: &str,
        #[case] is_routed: bool,
    ) {
        let found = find(&spelled(path));
        assert_eq!(matches!(found, Found::Route(..)), is_routed);
        if let Found::Route(_, names) = found {
            assert_eq!(names.project_id.is_none(), path.contains("projects/None"));
            assert_eq!(names.issue_id, None);
        }
    }

    #[rstest]
    #[case("/api/v1/workspaces/a%20c%C5%BC+x/assets/", "a cż+x")]
    #[case("/api/v1/workspaces/None/assets/", "None")]
    #[case("/api/v1/%77orkspaces/..%2e/assets/", "...")]
    #[case("/api/v1/workspaces/%FF%zz/assets/", "\u{fffd}%zz")]
    fn a_slug_is_any_text_decoded_once(#[case] path: &str, #[case] slug: &str) {
        let Found::Route(_, names) = find(path) else {
            panic!("{path} is a route")
        };
        assert_eq!(names.place, slug);
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
    fn every_other_path_leads_nowhere(#[case] path: &str) {
        assert!(matches!(find(&spelled(path)), Found::Nothing), "{path}");
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
    fn only_static_files_and_published_ones_are_read_without_a_token() {
        for route in &ROUTES {
            let open: Vec<_> = ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"]
                .into_iter()
                .filter(|method| route.is_open(method))
                .collect();
            match route.endpoint {
                Endpoint::Static => assert_eq!(open.len(), 6),
                Endpoint::AnchorAsset => assert_eq!(open, ["GET", "HEAD"]),
                _ => assert!(open.is_empty(), "{}", route.path),
            }
        }
    }
}
