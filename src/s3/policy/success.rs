//! How a form's success is answered: a redirect to a page of the client's, or a status.
use crate::s3::policy::fields::FormFields;
use crate::s3::values::bucket::BucketName;
use crate::s3::values::etag::ETag;
use crate::s3::values::key::ObjectKey;
use crate::s3::values::uri;
use crate::s3::values::xml;

/// How success is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuccessAnswer {
    /// A valid absolute http(s) URL
    Redirect(String),
    /// 200, 201 or 204
    Status(u16),
}
impl SuccessAnswer {
    /// From fields that all are covered by conditions. A redirect that is no valid absolute URL is as good as none.
    pub(super) fn from_fields(fields: &FormFields) -> Self {
        let redirect = ["success_action_redirect", "redirect"]
            .into_iter()
            .filter_map(|name| fields.get(name))
            .find(|url| is_absolute_http_url(url));
        if let Some(url) = redirect {
            return Self::Redirect(url.to_owned());
        }
        Self::Status(match fields.get("success_action_status") {
            Some("200") => 200,
            Some("201") => 201,
            _ => 204,
        })
    }
}
/// The `Location` of a 303: `url` with `bucket`, `key` and `etag` added to its query.
#[must_use]
pub fn redirect_location(url: &str, bucket: &BucketName, key: &ObjectKey, etag: &ETag) -> String {
    let (address, fragment) = match url.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (url, None),
    };
    let joint = match address.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let mut location = format!(
        "{address}{joint}bucket={}&key={}&etag={}",
        uri::encode_query(bucket.as_str()),
        uri::encode_query(key.as_str()),
        uri::encode_query(&etag.quoted()),
    );
    if let Some(fragment) = fragment {
        location.push('#');
        location.push_str(fragment);
    }
    location
}
/// The 201 answer to a form. AWS: without a namespace.
#[must_use]
pub fn post_response(location: &str, bucket: &BucketName, key: &ObjectKey, etag: &ETag) -> String {
    xml::document("PostResponse", xml::Namespace::None, |response| {
        response.text("Location", location);
        response.text("Bucket", bucket.as_str());
        response.text("Key", key.as_str());
        response.text("ETag", &etag.quoted());
    })
}
/// Whether `text` can stand in a `Location` header as it is: `http(s)://host[:port]` and printable ASCII.
fn is_absolute_http_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_port = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (host_port, ""),
    };
    let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%[]:".contains(&byte);
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
        && !host.is_empty()
        && host.bytes().all(host_byte)
        && (port.is_empty() || port.parse::<u16>().is_ok())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn answer(fields: &[(&str, &str)]) -> SuccessAnswer {
        SuccessAnswer::from_fields(&FormFields {
            fields: fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        })
    }

    #[rstest]
    #[case("http://localhost/done")]
    #[case("HTTPS://example.com")]
    #[case("https://example.com:8443/a?b=c#d")]
    #[case("http://[::1]:9000/")]
    fn an_absolute_url_is_redirected_to(#[case] url: &str) {
        let expected = SuccessAnswer::Redirect(url.to_owned());
        let status = ("success_action_status", "200");
        assert_eq!(
            answer(&[("success_action_redirect", url), status]),
            expected
        );
        assert_eq!(answer(&[("redirect", url)]), expected);
    }

    #[rstest]
    #[case("")]
    #[case("/done")]
    #[case("//example.com/")]
    #[case("javascript:alert(1)")]
    #[case("javascript://example.com/%0aalert(1)")]
    #[case("ftp://example.com/")]
    #[case("http://")]
    #[case("http:///path")]
    #[case("http://:80/")]
    #[case("http://example.com:port/")]
    #[case("http://example.com/\r\nSet-Cookie: a=b")]
    #[case("http://example.com/a b")]
    #[case("http://exąmple.com/")]
    fn any_other_redirect_falls_to_the_status(#[case] url: &str) {
        let status = ("success_action_status", "201");
        let fields = [("success_action_redirect", url), status];
        assert_eq!(answer(&fields), SuccessAnswer::Status(201));
    }

    #[rstest]
    #[case("200", 200)]
    #[case("201", 201)]
    #[case("204", 204)]
    #[case("302", 204)]
    #[case("", 204)]
    fn any_other_status_is_204(#[case] sent: &str, #[case] status: u16) {
        let expected = SuccessAnswer::Status(status);
        assert_eq!(answer(&[("success_action_status", sent)]), expected);
    }

    #[rstest]
    #[case("http://h", "http://h?")]
    #[case("http://h/?", "http://h/?")]
    #[case("http://h/?a=b", "http://h/?a=b&")]
    #[case("http://h/?a=b&", "http://h/?a=b&")]
    fn a_redirect_states_the_stored_object(#[case] url: &str, #[case] start: &str) {
        let bucket = BucketName::parse("uploads").unwrap();
        let key = ObjectKey::parse("a/b&c").unwrap();
        let etag = ETag::from_stored("00".to_owned());
        let added = "bucket=uploads&key=a%2Fb%26c&etag=%2200%22";
        let location = |url: &str| redirect_location(url, &bucket, &key, &etag);
        assert_eq!(location(url), format!("{start}{added}"));
        assert_eq!(
            location(&format!("{url}#end")),
            format!("{start}{added}#end")
        );
    }
}
