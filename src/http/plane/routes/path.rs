//! Finds the route of a path in the table, and the ids in the path.
//!
//! A path is decoded once and then matched, as Django does; so `%2F` cuts a segment in two. An id is a lower-case UUID
//! with dashes; anything else in its place is an unknown route.
use crate::assets::parse_id;
use crate::http::plane::routes::table::{ROUTES, Route};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

/// The slug and the ids in a path. Those that its route does not have are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::http) struct PathParameters {
    /// A workspace's slug; for a published project its anchor.
    pub(in crate::http) slug_or_anchor: String,
    pub(in crate::http) project_id: Option<Uuid>,
    pub(in crate::http) issue_id: Option<Uuid>,
    pub(in crate::http) entity_id: Uuid,
    /// The id of an attachment too, which is an asset.
    pub(in crate::http) asset_id: Uuid,
}
impl PathParameters {
    /// Reads `segment` as the value of `parameter`. `None`: it cannot be one.
    fn read(&mut self, parameter: &str, segment: &str) -> Option<()> {
        // Plane: answers URLs with this word and has no route for them.
        let is_unbound = parameter.ends_with("?>") && segment == "None";
        let id = || {
            if is_unbound {
                Some(None)
            } else {
                parse_id(segment).map(Some)
            }
        };
        match parameter {
            "<slug>" | "<anchor>" => {
                self.slug_or_anchor = (!segment.is_empty()).then(|| segment.to_owned())?;
            }
            "<project_id>" | "<project_id?>" => self.project_id = id()?,
            "<issue_id>" | "<issue_id?>" => self.issue_id = id()?,
            "<entity_id>" => self.entity_id = parse_id(segment)?,
            _ => self.asset_id = parse_id(segment)?,
        }
        Some(())
    }
}

/// The route of a path.
#[derive(Debug)]
pub(in crate::http) enum RouteMatch {
    Route(&'static Route, PathParameters),
    /// The path of a route, without the slash at its end.
    MissingSlash,
    NotFound,
}

/// `raw_path`: as it stands in the request line, percent-encoded.
pub(in crate::http) fn find_route(raw_path: &str) -> RouteMatch {
    let path = percent_decode_str(raw_path).decode_utf8_lossy();
    let without_slash = path.strip_suffix('/');
    let path = without_slash.unwrap_or(&path);
    let mut routes = ROUTES.iter();
    let found = routes.find_map(|route| Some((route, match_pattern(route, path)?)));
    match found {
        None => RouteMatch::NotFound,
        Some(_) if without_slash.is_none() => RouteMatch::MissingSlash,
        Some((route, parameters)) => RouteMatch::Route(route, parameters),
    }
}

/// The parameters in `path` (without the slash at its end) where it is a path of this route.
fn match_pattern(route: &Route, path: &str) -> Option<PathParameters> {
    let mut pattern = route.path.trim_end_matches('/').split('/');
    let mut segments = path.split('/');
    let mut parameters = PathParameters::default();
    loop {
        match (pattern.next(), segments.next()) {
            (None, None) => return Some(parameters),
            (Some(expected), Some(segment)) if expected.starts_with('<') => {
                parameters.read(expected, segment)?;
            }
            (Some(expected), Some(segment)) if expected == segment => {}
            _ => return None,
        }
    }
}
