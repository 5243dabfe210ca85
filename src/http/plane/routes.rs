//! The routes of the asset API: one table of path, methods and scopes. Plane contract, sections 2.2 and 3.0.
//!
//! Paths are matched raw. An id is a lower-case UUID with dashes; anything else in its place is an unknown route.
use crate::assets::parse_id;
use uuid::Uuid;

/// One line of the table.
#[derive(Debug)]
pub(super) struct Route {
    /// `<id>` stands for one id.
    path: &'static str,
    /// As a 405 answers it.
    pub(super) allow: &'static str,
    pub(super) access: Access,
    pub(super) endpoint: Endpoint,
}
/// What is asked for. Two paths may ask for one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    UserAssets,
    UserAsset,
    Me,
    Static,
}
/// Who may ask.
#[derive(Debug)]
pub(super) enum Access {
    /// No token is looked at, no `Accept` judged.
    Public,
    /// Any valid token.
    Token,
    /// A token with one of these scopes: the first list to read, the second to write.
    Scoped(&'static [&'static str], &'static [&'static str]),
}
impl Access {
    /// One of these is needed; `None`: no scope is.
    pub(super) fn scopes(&self, method: &str) -> Option<&'static [&'static str]> {
        match (self, method) {
            (Self::Public | Self::Token, _) | (_, "OPTIONS") => None,
            (Self::Scoped(read, _), "GET" | "HEAD") => Some(read),
            (Self::Scoped(_, write), _) => Some(write),
        }
    }
}

const ASSETS: Access = Access::Scoped(&["assets:read"], &["assets:write"]);

#[rustfmt::skip]
static ROUTES: [Route; 7] = [
    Route { path: "/api/v1/assets/user-assets/",             allow: "POST",               access: ASSETS,         endpoint: Endpoint::UserAssets },
    Route { path: "/api/v1/assets/user-assets/<id>/",        allow: "PATCH, DELETE",      access: ASSETS,         endpoint: Endpoint::UserAsset },
    Route { path: "/api/v1/assets/user-assets/server/",      allow: "POST",               access: ASSETS,         endpoint: Endpoint::UserAssets },
    Route { path: "/api/v1/assets/user-assets/<id>/server/", allow: "PATCH, DELETE",      access: ASSETS,         endpoint: Endpoint::UserAsset },
    Route { path: "/api/v1/users/me/",                       allow: "GET",                access: Access::Token,  endpoint: Endpoint::Me },
    // Plane: not there; the Python SDK's `users.upload_asset()` posts here.
    Route { path: "/api/v1/users/assets/",                   allow: "POST",               access: ASSETS,         endpoint: Endpoint::UserAssets },
    Route { path: "/api/assets/v2/static/<id>/",             allow: "GET, HEAD, OPTIONS", access: Access::Public, endpoint: Endpoint::Static },
];

impl Route {
    pub(super) fn allows(&self, method: &str) -> bool {
        self.allow.split(", ").any(|allowed| allowed == method)
    }

    /// The ids in a path (without its last slash), where it is one of this route's.
    fn ids_in(&self, slashless: &str) -> Option<Ids> {
        let mut pattern = self.path.trim_end_matches('/').split('/');
        let mut path = slashless.split('/');
        let mut ids = Vec::new();
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return Some(Ids(ids)),
                (Some("<id>"), Some(segment)) => ids.push(parse_id(segment)?),
                (Some(wanted), Some(segment)) if wanted == segment => {}
                _ => return None,
            }
        }
    }
}

/// The ids of a path, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ids(Vec<Uuid>);
impl Ids {
    /// The id of the asset: by all routes the last one.
    pub(super) fn asset(&self) -> Uuid {
        self.0.last().copied().unwrap_or_default()
    }
}

/// What a raw path leads to.
#[derive(Debug)]
pub(super) enum Found {
    Route(&'static Route, Ids),
    /// A known route but for its last slash.
    MissingSlash,
    Nothing,
}

pub(super) fn find(raw_path: &str) -> Found {
    let slashless = raw_path.strip_suffix('/');
    let wanted = slashless.unwrap_or(raw_path);
    let mut routes = ROUTES.iter();
    let found = routes.find_map(|route| Some((route, route.ids_in(wanted)?)));
    match found {
        None => Found::Nothing,
        Some(_) if slashless.is_none() => Found::MissingSlash,
        Some((route, ids)) => Found::Route(route, ids),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const ID: &str = "3999b15f-7a97-486e-b06b-d08ce45c00c9";

    #[rstest]
    #[case("/api/v1/assets/user-assets/", Endpoint::UserAssets, "POST")]
    #[case("/api/v1/assets/user-assets/server/", Endpoint::UserAssets, "POST")]
    #[case("/api/v1/assets/user-assets/ID/", Endpoint::UserAsset, "PATCH, DELETE")]
    #[case(
        "/api/v1/assets/user-assets/ID/server/",
        Endpoint::UserAsset,
        "PATCH, DELETE"
    )]
    #[case("/api/v1/users/me/", Endpoint::Me, "GET")]
    #[case("/api/v1/users/assets/", Endpoint::UserAssets, "POST")]
    #[case("/api/assets/v2/static/ID/", Endpoint::Static, "GET, HEAD, OPTIONS")]
    fn a_known_path_leads_to_its_route(
        #[case] path: &str,
        #[case] endpoint: Endpoint,
        #[case] allow: &str,
    ) {
        let path = path.replace("ID", ID);
        let Found::Route(route, ids) = find(&path) else {
            panic!("{path} is a route")
        };
        assert_eq!((route.endpoint, route.allow), (endpoint, allow));
        assert_eq!(ids.0.len(), path.matches(ID).count());
        assert!(matches!(
            find(path.trim_end_matches('/')),
            Found::MissingSlash
        ));
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
    #[case("/api/v1/assets/user-assets/<id>/")]
    #[case("/api/assets/v2/static/")]
    #[case("/API/v1/users/me/")]
    fn every_other_path_leads_nowhere(#[case] path: &str) {
        assert!(matches!(find(path), Found::Nothing), "{path}");
    }

    #[test]
    fn reading_and_writing_need_their_own_scope() {
        assert_eq!(ASSETS.scopes("GET"), Some(["assets:read"].as_slice()));
        assert_eq!(ASSETS.scopes("POST"), Some(["assets:write"].as_slice()));
        assert_eq!(ASSETS.scopes("OPTIONS"), None);
        assert_eq!(Access::Token.scopes("GET"), None);
    }
}
