use super::*;
use crate::s3::values::checksum::ChecksumAlgorithm;
use rstest::rstest;

const DOCUMENTATION: &str = include_str!("../../../../docs/s3-headers.md");

fn refusal(operation: &str, name: &str, value: &str) -> Option<ErrorCode> {
    let checked = judge(operation, [(name, value)]);
    checked.err().map(|refusal| refusal.code)
}

#[test]
fn the_table_is_in_the_order_of_its_names() {
    assert!(TABLE.is_sorted_by(|one, next| one.name < next.name));
    for row in TABLE {
        assert_eq!(row.name, row.name.to_ascii_lowercase());
    }
}

#[test]
fn the_table_has_the_checksums_that_are_computed() {
    let names = ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::name);
    assert_eq!(ALGORITHMS, names);
    let headers = ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::header);
    let row = |name: &str| TABLE.iter().find(|row| row.name == name).unwrap();
    assert_eq!(row("x-amz-trailer").accepted, headers);
    for header in headers {
        assert_eq!(refusal("PutObject", header, "AAAA"), None);
        assert!(states_a_checksum(header));
    }
}

#[rstest]
#[case(
    "PutObject",
    "x-amz-write-offset-bytes",
    "10",
    Some(ErrorCode::NotImplemented)
)]
#[case(
    "PutObject",
    "content-range",
    "bytes 2-3/10",
    Some(ErrorCode::InvalidRequest)
)]
#[case(
    "PostObject",
    "content-range",
    "bytes 2-3/10",
    Some(ErrorCode::InvalidRequest)
)]
#[case("GetObject", "content-range", "bytes 2-3/10", None)]
#[case(
    "PutObject",
    "x-amz-checksum-sha512",
    "AAAA",
    Some(ErrorCode::InvalidRequest)
)]
#[case(
    "PutObject",
    "x-amz-checksum-",
    "AAAA",
    Some(ErrorCode::InvalidRequest)
)]
#[case("GetObject", "x-amz-checksum-mode", "ENABLED", None)]
#[case("CreateMultipartUpload", "x-amz-checksum-type", "COMPOSITE", None)]
#[case(
    "PutObject",
    "x-amz-checksum-type",
    "COMPOSITE",
    Some(ErrorCode::InvalidRequest)
)]
#[case("PutObject", "x-amz-checksum-type", "full_object", None)]
#[case("PutObject", "x-amz-sdk-checksum-algorithm", "crc32", None)]
#[case(
    "PutObject",
    "x-amz-sdk-checksum-algorithm",
    "MD5",
    Some(ErrorCode::InvalidRequest)
)]
#[case(
    "PutObject",
    "x-amz-server-side-encryption",
    "AES256",
    Some(ErrorCode::NotImplemented)
)]
#[case(
    "GetObject",
    "x-amz-server-side-encryption-customer-key",
    "k",
    Some(ErrorCode::NotImplemented)
)]
#[case(
    "CopyObject",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "k",
    Some(ErrorCode::NotImplemented)
)]
#[case(
    "PutObject",
    "x-amz-object-lock-mode",
    "GOVERNANCE",
    Some(ErrorCode::InvalidRequest)
)]
#[case("PutObject", "x-amz-object-lock-legal-hold", "OFF", None)]
#[case(
    "PutObject",
    "x-amz-bypass-governance-retention",
    "true",
    Some(ErrorCode::InvalidArgument)
)]
#[case("PutObject", "x-amz-bypass-governance-retention", "False", None)]
#[case("DeleteObjects", "x-amz-bypass-governance-retention", "true", None)]
#[case("PutObject", "x-amz-expected-bucket-owner", OWNER_ID, None)]
#[case(
    "PutObject",
    "x-amz-expected-bucket-owner",
    "111122223333",
    Some(ErrorCode::AccessDenied)
)]
#[case(
    "CopyObject",
    "x-amz-source-expected-bucket-owner",
    "",
    Some(ErrorCode::AccessDenied)
)]
#[case("CopyObject", "x-amz-copy-source-if-match", "*", None)]
#[case(
    "PutObject",
    "x-amz-copy-source-if-match",
    "*",
    Some(ErrorCode::NotImplemented)
)]
#[case(
    "CopyObject",
    "x-amz-copy-source-range",
    "bytes=0-1",
    Some(ErrorCode::NotImplemented)
)]
#[case("CreateMultipartUpload", "x-amz-metadata-directive", "COPY", None)]
#[case(
    "PutObject",
    "x-amz-metadata-directive",
    "REPLACE",
    Some(ErrorCode::NotImplemented)
)]
#[case("DeleteObject", "if-match", "*", None)]
#[case("DeleteObject", "if-none-match", "*", Some(ErrorCode::NotImplemented))]
#[case("ListObjectsV2", "if-none-match", "*", None)]
#[case(
    "CreateMultipartUpload",
    "if-none-match",
    "*",
    Some(ErrorCode::NotImplemented)
)]
#[case(
    "PutObject",
    "x-amz-meta-snowball-auto-extract",
    "true",
    Some(ErrorCode::NotImplemented)
)]
#[case("PutObject", "x-amz-meta-name", "true", None)]
#[case("DeleteBucket", "x-minio-force-delete", "true", None)]
#[case(
    "DeleteObject",
    "x-minio-force-delete",
    "true",
    Some(ErrorCode::NotImplemented)
)]
#[case("PutObject", "x-amz-request-payer", "requester", None)]
#[case("PutObject", "x-amz-security-token", "t", None)]
fn a_header_is_refused_where_its_function_is_missing(
    #[case] operation: &str,
    #[case] name: &str,
    #[case] value: &str,
    #[case] expected: Option<ErrorCode>,
) {
    assert_eq!(refusal(operation, name, value), expected);
}

#[test]
fn a_refusal_names_the_header_and_says_why() {
    let refused = judge("PutObject", [("x-amz-object-lock-mode", "COMPLIANCE")]).unwrap_err();
    assert_eq!(
        refused.extras,
        [
            ("Header", "x-amz-object-lock-mode".to_owned()),
            ("AdditionalMessage", LOCK.to_owned())
        ]
    );
}

/// What the documentation says of a row that is not simply acted on.
fn does(row: &Row) -> String {
    let acts = match row.acted_on {
        On::Only(operations) => format!("Acted on by {}. ", operations.join(", ")),
        _ => String::new(),
    };
    let other = if acts.is_empty() { "" } else { " other" };
    let by = match row.refused {
        On::None => return "Ignored.".to_owned(),
        On::Every if acts.is_empty() => String::new(),
        On::Every => " by every other operation".to_owned(),
        On::Writes => format!(" by every{other} write"),
        On::Only(operations) => format!(" by {}", operations.join(", ")),
        On::Except(operations) => {
            format!(" by every other operation but {}", operations.join(", "))
        }
    };
    let unless = match row.accepted {
        [] => String::new(),
        values => format!(", unless it says `{}`", values.join("` or `")),
    };
    let code = row.refusal.code();
    format!(
        "{acts}Refused{by}{unless}: {} `{}`.",
        code.status(),
        code.as_str()
    )
}

#[test]
fn the_documentation_matches_the_table() {
    let (acted_on, others): (Vec<&Row>, Vec<&Row>) = TABLE
        .iter()
        .partition(|row| matches!(row.acted_on, On::Every));
    let lines = others.iter().map(|row| {
        let (name, why) = (row.name, row.why);
        format!("| `{name}` | {} | {why} |\n", does(row))
    });
    let table: String = lines.collect();
    assert!(
        DOCUMENTATION.contains(&table),
        "docs/s3-headers.md lacks the table:\n{table}"
    );
    let acted_on: Vec<String> = acted_on
        .iter()
        .map(|row| format!("`{}`", row.name))
        .collect();
    let list = acted_on.join(",\n");
    assert!(
        DOCUMENTATION.contains(&list),
        "docs/s3-headers.md lacks the list:\n{list}"
    );
}
