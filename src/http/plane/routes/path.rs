//! Which route of the table a path belongs to, and the ids in the path.
//!
//! A path is decoded once and then matched, as Django does; so `%2F` cuts a segment in two. An id is a lower-case UUID
//! with dashes; anything else in its place is an unknown route.
use crate::assets::parse_id;
use crate::http::plane::routes::table::{ROUTES, Route};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

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
    let found = routes.find_map(|route| Some((route, names_in(route, wanted)?)));
    match found {
        None => Found::Nothing,
        Some(_) if slashless.is_none() => Found::MissingSlash,
        Some((route, names)) => Found::Route(route, names),
    }
}

/// What a path (without its last slash) names, where it is one of this route's.
fn names_in(route: &Route, slashless: &str) -> Option<Names> {
    let mut pattern = route.path.trim_end_matches('/').split('/');
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
