//! What AWS's own signer signs, holds here: keys, queries and headers of every kind, in the header and in the query.
use super::*;
use aws_sdk_s3::config::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use std::time::{SystemTime, UNIX_EPOCH};

const HOST: &str = "files.example.com:9000";

/// The request as the SDK would send it.
fn signed_by_sdk(
    method: &str,
    target: &str,
    headers: &[(String, String)],
    location: SignatureLocation,
) -> Request {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    if location == SignatureLocation::QueryParams {
        settings.expires_in = Some(Duration::from_mins(5));
    } else {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings.signature_location = location;
    let now = at("20261123T091813Z");
    let identity = Credentials::new("access-key", "secret-key", None, None, "test").into();
    let time: SystemTime = UNIX_EPOCH + Duration::from_millis(now.as_millis().unsigned_abs());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("s3")
        .time(time)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("http://{HOST}{target}");
    let stated = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let unsigned = SignableRequest::new(method, &url, stated, SignableBody::UnsignedPayload);
    let (instructions, _) = sign(unsigned.unwrap(), &parameters).unwrap().into_parts();
    let mut target = target.to_owned();
    for (name, value) in instructions.params() {
        target.push(if target.contains('?') { '&' } else { '?' });
        for part in [name, "=", &uri::encode_query(value)] {
            target.push_str(part);
        }
    }
    let added = instructions.headers();
    let all: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(added)
        .chain([("host", HOST)])
        .collect();
    Request::new(method, &target, &all)
}

proptest! {
    #[test]
    fn signatures_of_the_sdk_verify(
        method in prop::sample::select(vec!["GET", "PUT", "DELETE", "HEAD", "POST"]),
        key in "\\PC{1,12}",
        query in prop::collection::vec(("[a-zA-Z-]{1,6}", "\\PC{0,6}"), 0..4),
        metadata in prop::collection::btree_map("x-amz-meta-[a-z]{1,4}", "[!-~]{1,4}([ ]{1,3}[!-~]{1,4}){0,2}", 0..3),
        in_query: bool,
    ) {
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", uri::encode_query(value)))
            .collect();
        let mut target = format!("/bucket/{}", uri::encode_path(&key));
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let headers: Vec<(String, String)> = metadata.into_iter().collect();
        let location = if in_query { SignatureLocation::QueryParams } else { SignatureLocation::Headers };
        let request = signed_by_sdk(method, &target, &headers, location);
        let verified = request.verify();
        prop_assert!(verified.is_ok(), "{request:?}: {verified:?}");
        prop_assert_eq!(verified.unwrap().is_presigned(), in_query);
    }
}
