use crate::s3::op::{Operation, addressed_bucket};
use crate::s3::values::uri;
use crate::tests::fuzz;

#[test]
fn an_operation_is_on_what_the_path_says_however_that_is_escaped() {
    fuzz::check(module_path!(), |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        let (request, headers) = text.split_once('\n').unwrap_or((text, ""));
        let (method, target) = request.split_once(' ').unwrap_or((request, ""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(query) = uri::parse_query(query) else {
            return;
        };
        let header = |wanted: &str| {
            let mut lines = headers.lines().filter_map(|line| line.split_once(": "));
            let (_, value) = lines.find(|(name, _)| *name == wanted)?;
            Some(value.to_owned())
        };
        for host in [None, Some("uploads")] {
            let Ok(operation) = Operation::from_request(method, path, &query, &header, host) else {
                continue;
            };
            assert!(!operation.name().is_empty());
            assert_eq!(operation.bucket(), addressed_bucket(path, host).as_ref());
            let decoded = uri::decode(path).unwrap();
            if let Some(key) = operation.key() {
                assert!(decoded.ends_with(key.as_str()));
            }
            let escaped = uri::encode_path(&decoded);
            let again = Operation::from_request(method, &escaped, &query, &header, host);
            assert_eq!(again.unwrap(), operation);
            // Nothing is written by a method that only reads.
            if matches!(method, "GET" | "HEAD") {
                assert!(!operation.takes_body());
            }
        }
    });
}
