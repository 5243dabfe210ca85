//! Requests that AWS publishes, and that Plane and botocore made.
use rstest::rstest;

use super::*;

const AWS_HOST: &str = "examplebucket.s3.amazonaws.com";

// ---- What AWS publishes (sig-v4-header-based-auth.html, sigv4-query-string-auth.html)

fn aws_example(request: Request, signed_headers: &str, signature: &str) -> Request {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders={signed_headers},Signature={signature}"
    );
    request.with("authorization", &authorization)
}

fn aws_get_with_range() -> Request {
    aws_example(
        Request::of_aws(
            "GET",
            "/test.txt",
            &[
                ("host", AWS_HOST),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", EMPTY),
                ("x-amz-date", "20130524T000000Z"),
            ],
        ),
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    )
}

fn aws_get_of_bucket(query: &str, signature: &str) -> Request {
    aws_example(
        Request::of_aws(
            "GET",
            &format!("/?{query}"),
            &[
                ("host", AWS_HOST),
                ("x-amz-content-sha256", EMPTY),
                ("x-amz-date", "20130524T000000Z"),
            ],
        ),
        "host;x-amz-content-sha256;x-amz-date",
        signature,
    )
}

#[test]
fn awss_get_object_with_a_range_verifies() {
    let verified = aws_get_with_range().verify().unwrap();
    assert_eq!(verified.access_key(), "AKIAIOSFODNN7EXAMPLE");
    assert!(!verified.is_presigned());
    assert!(matches!(verified.payload(), Payload::Sha256(sha) if sha == EMPTY));
}

#[test]
fn awss_put_object_verifies() {
    let request = Request::of_aws(
        "PUT",
        "/test%24file.text",
        &[
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("host", AWS_HOST),
            (
                "x-amz-content-sha256",
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            ),
            ("x-amz-date", "20130524T000000Z"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
    );
    aws_example(
        request,
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    )
    .verify()
    .unwrap();
}

#[rstest]
#[case(
    "lifecycle",
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
)]
#[case(
    "max-keys=2&prefix=J",
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
)]
fn awss_gets_of_a_bucket_verify(#[case] query: &str, #[case] signature: &str) {
    aws_get_of_bucket(query, signature).verify().unwrap();
}

fn aws_presigned() -> Request {
    Request::of_aws(
        "GET",
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        &[("host", AWS_HOST)],
    )
}

#[test]
fn awss_presigned_get_verifies_until_it_ends() {
    let verified = aws_presigned().verify().unwrap();
    assert!(verified.is_presigned());
    assert!(matches!(verified.payload(), Payload::Unsigned));
    aws_presigned().at("20130525T000000Z").verify().unwrap();
    let expired = aws_presigned().at("20130525T000001Z").verify();
    assert_eq!(shown(expired), "AccessDenied: Request has expired");
}

// ---- What Plane and botocore 1.44.5 sign

#[test]
fn planes_presigned_get_with_its_empty_region_verifies() {
    plane_presigned().verify().unwrap();
}

#[test]
fn a_url_presigned_here_is_the_one_that_plane_presigns() {
    let credential = Credential::parse("access-key/20261123//s3/aws4_request").unwrap();
    let query = presign_query(
        "GET",
        "127.0.0.1:8080",
        PLANE_PATH,
        &[(
            "response-content-disposition",
            "inline; filename*=UTF-8''013690e613704906b495358daeb29d42",
        )],
        &credential,
        &SigningKey::derive("secret-key", &credential.scope),
        at("20261123T091813Z"),
        3600,
    );
    assert_eq!(query, PLANE_QUERY);
}

#[rstest]
#[case(
    "a//b",
    "03edd88c1442a657eccf30e1a13bcc8d8daf757f35d6685d1cec21d3d6321c12"
)]
#[case(
    "../x/./y",
    "432c1edf11b633932c98ed3f45660f840fa21f3dc023faa33e5e586dfcfdfbf1"
)]
#[case(
    "a%252Fb",
    "69bdece48eda8570e717a39e7de6ad471c96f66b4f7235d027f024c8f6f4ea53"
)]
#[case(
    "a%2Bb",
    "60252d08155ec188e5972c41335b3f640c80bb01f2c2d24f054ebb17cf58cffd"
)]
#[case(
    "za%C5%BC%C3%B3%C5%82%C4%87%20g%C4%99%C5%9Bl%C4%85.png",
    "e3331cd0b6b0e4a63d9172d2b9934a501bcf7441004fbb7b0a44e34cfcac5c7e"
)]
#[case(
    "with%20space",
    "6224e42d56f7ede1190dd0831353b5c3df9c8be3e42127389eee3375b7b162b6"
)]
#[case(
    "~t%2Ai%27l%28d%29e%21",
    "c094835451beaff0f535c9e658b73056d34901e91ec0aa235f4e8a3fc2c1e8c8"
)]
#[case(
    "a%3Fb%3Dc%26d%23e",
    "f38f3f65c1ca8494f3eb910816e666509119583abf3331888c59b1a06065535a"
)]
fn botocores_presigned_gets_of_odd_keys_verify(#[case] raw_key: &str, #[case] signature: &str) {
    let target = format!(
        "/uploads/{raw_key}?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=access-key%2F20261123%2F%2Fs3%2Faws4_request&X-Amz-Date=20261123T091813Z\
         &X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
    );
    let request = Request::new("GET", &target, &[("host", "127.0.0.1:9000")]);
    request.verify().unwrap();
}

#[rstest]
#[case(
    "a//b",
    "00aa0b502cdda0013641ad4250270c29cfb347ad1c9802a97358624841149e96"
)]
#[case(
    "../x/./y",
    "648017498769aab9257f72fbe25132ee5207572d658d8bca2c5ca90ce06d6391"
)]
#[case(
    "a%252Fb",
    "6fd176896c6ca52d007fb8088a3ffdcb7ed3493c4d7ba28624bbebedda3cfd40"
)]
#[case(
    "a%2Bb",
    "18a60256080f3c4deb67a6c428e56ead28dc124f83933d75360942900e8b8652"
)]
#[case(
    "za%C5%BC%C3%B3%C5%82%C4%87%20g%C4%99%C5%9Bl%C4%85.png",
    "cd8d2c5c2b65bc04ec1fc9c0c2921b5cba2bfbdac1f99f830dc79b3e7521e851"
)]
fn botocores_gets_of_odd_keys_verify(#[case] raw_key: &str, #[case] signature: &str) {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=access-key/20261123//s3/aws4_request, \
         SignedHeaders=host;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date, Signature={signature}"
    );
    let headers = [
        ("host", "127.0.0.1:9000"),
        ("x-amz-checksum-mode", "ENABLED"),
        ("user-agent", "Boto3/1.44.5"),
        ("x-amz-date", "20261123T091813Z"),
        ("x-amz-content-sha256", EMPTY),
        ("authorization", &authorization),
        ("amz-sdk-request", "attempt=1; max=1"),
    ];
    let request = Request::new("GET", &format!("/uploads/{raw_key}"), &headers);
    request.verify().unwrap();
}

#[test]
fn botocores_listing_with_an_odd_prefix_verifies() {
    let headers = [
        ("host", "127.0.0.1:9000"),
        ("x-amz-date", "20261123T091813Z"),
        ("x-amz-content-sha256", EMPTY),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=access-key/20261123//s3/aws4_request, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
             Signature=ac8d4764456d82da85bff73cf6ed1a6c5fcc87fd3bb56ed0f065a7bab4d4f058",
        ),
    ];
    let target = "/uploads?list-type=2&prefix=a%20b%2Bc%2F%C5%BC%26%3D&delimiter=%2F&max-keys=7&encoding-type=url";
    Request::new("GET", target, &headers).verify().unwrap();
}

#[test]
fn botocores_put_with_runs_of_spaces_in_its_metadata_verifies() {
    let sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let headers = [
        ("host", "127.0.0.1:9000"),
        ("content-type", "text/plain"),
        ("x-amz-meta-a", "x  y"),
        ("expect", "100-continue"),
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ("x-amz-date", "20261123T091813Z"),
        ("x-amz-content-sha256", sha),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=access-key/20261123/eu-west-1/s3/aws4_request, \
             SignedHeaders=content-type;host;x-amz-checksum-crc32;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-amz-sdk-checksum-algorithm, \
             Signature=3a4a15e6d82b55baa246e0f8adabd3a330b6f002b108a6be989295328fcb8410",
        ),
    ];
    let verified = Request::new("PUT", "/uploads/k", &headers)
        .verify()
        .unwrap();
    assert!(matches!(verified.payload(), Payload::Sha256(stated) if stated == sha));
}
