//! How the document names a route: its path, the parameters in it, and the id of each operation.
use crate::http::plane::routes::table::Route;

/// `/a/<b?>/` is `/a/{b}/`.
pub(in crate::http) fn path(route: &Route) -> String {
    route
        .path
        .replace("?>", "}")
        .replace('<', "{")
        .replace('>', "}")
}

/// The parameters in a path, and whether the value of each may be `None`.
pub(in crate::http) fn parameters(route: &Route) -> Vec<(&'static str, bool)> {
    let segments = route.path.split('/');
    let names = segments.filter_map(|one| one.strip_prefix('<')?.strip_suffix('>'));
    names
        .map(|name| match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        })
        .collect()
}

/// The id of an operation: it stays the same in every release.
pub(in crate::http) fn operation_id(route: &Route, method: &str) -> String {
    let words = route.path.trim_start_matches("/api/").split(['/', '-']);
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<_> = words
        .map(|word| word.trim_matches(['<', '>', '?']))
        .collect();
    format!("{}_{}", words.join("_"), method.to_ascii_lowercase())
}
