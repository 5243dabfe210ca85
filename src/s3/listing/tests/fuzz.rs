use super::*;
use crate::s3::multipart::query::{PartsQuery, UploadsQuery};
use crate::s3::values::uri;
use crate::s3::values::xml;
use crate::tests::fuzz;
use serde::de::IgnoredAny;

#[test]
fn any_query_lists_within_bounds_and_its_answer_is_xml() {
    fuzz::check(module_path!(), |input| {
        let text = std::str::from_utf8(input).ok();
        let Some(query) = text.and_then(uri::parse_query) else {
            return;
        };
        let listings = [
            ListQuery::objects(&query),
            ListQuery::objects_v2(&bucket(), &query),
            ListQuery::versions(&query),
        ];
        for listing in listings.into_iter().flatten() {
            assert!(listing.max_keys <= MAX_KEYS);
            assert!(listing.delimiter.as_ref().is_none_or(|it| !it.is_empty()));
            assert!(listing.after().is_none_or(|after| !after.is_empty()));
            let page = ListedPage {
                objects: vec![object("a\r\n&<\u{1}b")],
                common_prefixes: vec![listing.prefix.clone()],
                next: Some(listing.prefix.clone()),
            };
            let answer = listing.answer(&bucket(), &page);
            assert!(xml::read::<IgnoredAny>(&answer).is_some(), "{answer}");
        }
        if let Ok(uploads) = UploadsQuery::parse(&query) {
            assert!(uploads.max <= MAX_KEYS);
            assert!(uploads.upload_id_marker.is_none() || uploads.key_marker.is_some());
        }
        if let Ok(parts) = PartsQuery::parse(&query) {
            assert!(parts.max <= MAX_KEYS && parts.after <= 10_000);
        }
        let _ = ListBucketsQuery::parse(&query);
    });
}

#[test]
fn a_token_goes_on_where_its_listing_stopped_and_opens_no_other() {
    fuzz::check(module_path!(), |input| {
        let (scope, last) = fuzz::first_line(input);
        let (Ok(scope), Ok(last)) = (std::str::from_utf8(scope), std::str::from_utf8(last)) else {
            return;
        };
        let listing =
            |token: &str, prefix: &str| v2(&[("prefix", prefix), ("continuation-token", token)]);
        // A token of a client's own making opens nothing but what such a token would say.
        if let Ok(made_up) = listing(scope, "") {
            let after = made_up.after().unwrap_or_default();
            assert!(scope.is_empty() || token::seal(after, &["uploads", "", ""]) == scope);
        }
        if !last.is_empty() {
            let token = token::seal(last, &["uploads", scope, ""]);
            assert_eq!(listing(&token, scope).unwrap().after(), Some(last));
            let foreign = listing(&token, &format!("{scope}/")).map(drop);
            assert_eq!(foreign.unwrap_err().code, ErrorCode::InvalidArgument);
        }
    });
}
