//! Percent-encoding with S3's own set: unreserved characters stay (and `/` in paths), all else is `%XX`.

/// Encodes a path: `A-Za-z0-9-_.~/` stay.
#[must_use]
pub fn encode_path(_text: &str) -> String {
    todo!()
}
/// Encodes a query's name or value: `A-Za-z0-9-_.~` stay.
#[must_use]
pub fn encode_query(_text: &str) -> String {
    todo!()
}
/// Decodes once; `+` stays a plus sign. `None` when an escape is broken or the result is no UTF-8.
#[must_use]
pub fn decode(_text: &str) -> Option<String> {
    todo!()
}
/// The names and values of a raw query in order, decoded; a name without `=` has an empty value.
/// `None` when one does not decode.
#[must_use]
pub fn parse_query(_raw: &str) -> Option<Vec<(String, String)>> {
    todo!()
}
