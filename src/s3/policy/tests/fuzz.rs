use super::*;
use crate::s3::policy::form_signature::V4_FIELDS;
use crate::tests::fuzz;
use serde_json::Value;

/// Fields, a line each (`name=value`), an empty line, and the policy document.
fn read(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let (lines, document) = text.split_once("\n\n")?;
    let mut posted: Vec<(String, String)> = Vec::new();
    for line in lines.lines() {
        let (name, value) = line.split_once('=')?;
        let name = name.to_lowercase();
        // The form's parser lets no name through twice, and these are added when the document is signed.
        let is_signing = name == "policy" || V4_FIELDS.contains(&name.as_str());
        if !is_signing && posted.iter().all(|(other, _)| *other != name) {
            posted.push((name, value.to_owned()));
        }
    }
    Some((posted, document))
}

/// What a document says of a form, read a second time and by other code: the lengths that it allows, where all its
/// conditions hold and each field has one.
fn allowed(document: &str, fields: &FormFields) -> Option<(u64, u64)> {
    let document: Value = serde_json::from_str(document).ok()?;
    if time::parse_iso8601(document["expiration"].as_str()?)? <= asked_at() {
        return None;
    }
    let value = |field: &str| match field {
        "bucket" => Some("uploads".to_owned()),
        "key" => fields
            .get("key")
            .map(|key| key.replace("${filename}", "me.png")),
        field => fields.get(field).map(str::to_owned),
    };
    let (mut least, mut most) = (0, 5 * 1024 * 1024 * 1024);
    let mut named = vec![
        "policy".to_owned(),
        "x-amz-signature".to_owned(),
        "awsaccesskeyid".to_owned(),
        "signature".to_owned(),
        "file".to_owned(),
    ];
    for condition in document["conditions"].as_array()? {
        let (operator, field, wanted) = match condition {
            Value::Object(members) => {
                let (field, wanted) = members.iter().next()?;
                ("eq".to_owned(), field.to_lowercase(), wanted)
            }
            Value::Array(members) => {
                let [operator, field, wanted] = &members[..] else {
                    return None;
                };
                let operator = operator.as_str()?.to_ascii_lowercase();
                if operator == "content-length-range" {
                    let bytes = |value: &Value| match value {
                        Value::String(text) => text.parse().ok(),
                        value => value.as_u64(),
                    };
                    least = least.max(bytes(field)?);
                    most = most.min(bytes(wanted)?);
                    continue;
                }
                let field = field.as_str()?.strip_prefix('$')?.to_lowercase();
                (operator, field, wanted)
            }
            _ => return None,
        };
        let (wanted, value) = (wanted.as_str()?, value(&field));
        let holds = match (operator.as_str(), value) {
            ("eq", value) => value.as_deref() == Some(wanted),
            ("starts-with", _) if wanted.is_empty() => true,
            ("starts-with", None) => false,
            ("starts-with", Some(value)) if field == "content-type" => {
                value.split(',').all(|one| one.trim().starts_with(wanted))
            }
            ("starts-with", Some(value)) => value.starts_with(wanted),
            _ => return None,
        };
        if !holds {
            return None;
        }
        named.push(field);
    }
    let is_named = |name: &str| {
        named.iter().any(|field| field == name)
            || name.starts_with("x-ignore-")
            || name.starts_with("x-amz-checksum-")
    };
    let posted = fields.fields.iter().map(|(name, _)| name.as_str());
    let bucket_is_the_addressed_one = fields.get("bucket").is_none_or(|it| it == "uploads");
    (posted.chain(["bucket"]).all(is_named) && bucket_is_the_addressed_one).then_some((least, most))
}

#[test]
fn a_policy_grants_what_its_conditions_say_and_nothing_else() {
    fuzz::check(module_path!(), |input| {
        let Some((posted, document)) = std::str::from_utf8(input).ok().and_then(read) else {
            return;
        };
        let fields = signed(document, &posted);
        let answer = evaluate(fields.clone(), Some("me.png"), asked_at());
        match (answer, allowed(document, &fields)) {
            (Ok(grant), allowed) => {
                let (least, most) = allowed.expect("a condition does not hold");
                assert_eq!(grant.length(), least..=most);
                let key = fields.get("key").unwrap().replace("${filename}", "me.png");
                assert_eq!(grant.key().as_str(), key);
                assert_eq!(grant.bucket(), &bucket());
            }
            (Err(refusal), Some(_)) => assert_ne!(refusal.code, ErrorCode::AccessDenied),
            (Err(_), None) => {}
        }
    });
}
