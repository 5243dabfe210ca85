//! `${filename}` in a form's fields: the name of the file, escaped for where it stands.
//!
//! Guarantees: the fields that prove the policy are never changed; a name that holds the variable itself is not filled in
//! again; what the fields take stays within the limits that they had when they were sent. The code that
//! makes a header refuses what a header cannot hold.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html>

use crate::s3::policy::fields::FormFields;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::key;
use crate::s3::values::uri;
use crate::s3::values::xml;
use std::borrow::Cow;

const VARIABLE: &str = "${filename}";
/// Bytes of one field's value. AWS: 20 KB.
pub(in crate::s3) const MAX_FIELD_BYTES: usize = 20 * 1024;
/// Bytes of all that stands before the file's content.
pub(in crate::s3) const MAX_BYTES_BEFORE_FILE: usize = 64 * 1024;

/// Removes the client's own path, whichever slash it uses.
pub(super) fn without_path(file_name: &str) -> &str {
    file_name.rsplit(['/', '\\']).next().unwrap_or(file_name)
}

/// Puts the file's name into every field that has the variable.
/// # Errors
/// `KeyTooLongError`, `MaxPostPreDataLengthExceeded`
pub(super) fn fill_in(fields: &mut FormFields, file_name: &str) -> Result<(), S3Error> {
    let sizes = fields.fields.iter();
    let mut all_bytes: usize = sizes.map(|(name, value)| name.len() + value.len()).sum();
    for (name, value) in &mut fields.fields {
        if is_proof(name) || !value.contains(VARIABLE) {
            continue;
        }
        let filled = filled(name, value, file_name).filter(|filled| {
            all_bytes = all_bytes - value.len() + filled.len();
            all_bytes <= MAX_BYTES_BEFORE_FILE
        });
        *value = filled.ok_or_else(|| match name.as_str() {
            "key" => key::InvalidKey::TooLong.refuse(file_name),
            _ => S3Error::new(ErrorCode::MaxPostPreDataLengthExceeded),
        })?;
    }
    Ok(())
}

/// The fields of the signature and the policy. They were checked as they were sent.
fn is_proof(name: &str) -> bool {
    matches!(
        name,
        "policy"
            | "x-amz-algorithm"
            | "x-amz-credential"
            | "x-amz-date"
            | "x-amz-security-token"
            | "x-amz-signature"
            | "awsaccesskeyid"
            | "signature"
    )
}

/// `None` where it is longer than a field may be.
fn filled(field: &str, template: &str, file_name: &str) -> Option<String> {
    let mut filled = String::new();
    let mut end = 0;
    let mut parameter = OpenParameter::default();
    for (at, _) in template.match_indices(VARIABLE) {
        let (before, after) = (&template[end..at], &template[at + VARIABLE.len()..]);
        filled.push_str(before);
        parameter.read(before);
        filled.push_str(&escaped(field, &parameter, after, file_name));
        parameter.read(VARIABLE);
        if filled.len() > MAX_FIELD_BYTES {
            return None;
        }
        end = at + VARIABLE.len();
    }
    filled.push_str(&template[end..]);
    (filled.len() <= MAX_FIELD_BYTES).then_some(filled)
}

/// The name as it can stand in a field, behind what was read of it and before this text.
fn escaped<'a>(
    field: &str,
    parameter: &OpenParameter,
    after: &str,
    file_name: &'a str,
) -> Cow<'a, str> {
    match field {
        "success_action_redirect"
        | "redirect"
        | "x-amz-tagging"
        | "x-amz-website-redirect-location" => uri::encode_query(file_name).into(),
        "tagging" => xml::escaped(file_name),
        "content-disposition" => in_disposition(parameter, after, file_name),
        _ => Cow::Borrowed(file_name),
    }
}

/// The name as a parameter of `Content-Disposition` can hold it, wherever in one it stands (RFC 6266, 4.1).
fn in_disposition<'a>(parameter: &OpenParameter, after: &str, file_name: &'a str) -> Cow<'a, str> {
    if parameter.is_quoted {
        return within_quotes(file_name).into();
    }
    if parameter.is_extended {
        return uri::encode_query(file_name).into();
    }
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$&+-.^_`|~".contains(c);
    if !file_name.is_empty() && file_name.chars().all(is_token) {
        return Cow::Borrowed(file_name);
    }
    let is_whole_value =
        parameter.last == Some('=') && matches!(after.chars().next(), None | Some(';'));
    if is_whole_value {
        return format!("\"{}\"", within_quotes(file_name)).into();
    }
    file_name.replace(|c| !is_token(c), "_").into()
}

/// A backslash was cut off with the path.
fn within_quotes(file_name: &str) -> String {
    file_name.replace('"', "\\\"")
}

/// The parameter of `Content-Disposition` in which a text ends. A text is read once, however many variables it has.
#[derive(Debug, Default)]
struct OpenParameter {
    is_quoted: bool,
    is_escaped: bool,
    /// `name*=`
    is_extended: bool,
    last: Option<char>,
}

impl OpenParameter {
    fn read(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                _ if self.is_escaped => self.is_escaped = false,
                '\\' if self.is_quoted => self.is_escaped = true,
                '"' => self.is_quoted = !self.is_quoted,
                ';' if !self.is_quoted => self.is_extended = false,
                '=' if self.last == Some('*') => self.is_extended = true,
                _ => {}
            }
            self.last = Some(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::documents::tagging::{Tagged, Tags};
    use proptest::prelude::*;
    use rstest::rstest;

    fn fields(posted: &[(&str, &str)]) -> FormFields {
        let posted = posted.iter();
        FormFields {
            fields: posted
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[rstest]
    #[case("key", "a/${filename}", "a/me \"1\" & ż.png")]
    #[case("x-amz-meta-name", "${filename}", "me \"1\" & ż.png")]
    #[case(
        "cache-control",
        "x${filename}${filename}",
        "xme \"1\" & ż.pngme \"1\" & ż.png"
    )]
    #[case(
        "success_action_redirect",
        "http://h/?n=${filename}&m",
        "http://h/?n=me%20%221%22%20%26%20%C5%BC.png&m"
    )]
    #[case(
        "redirect",
        "http://h/${filename}",
        "http://h/me%20%221%22%20%26%20%C5%BC.png"
    )]
    #[case(
        "x-amz-website-redirect-location",
        "/${filename}",
        "/me%20%221%22%20%26%20%C5%BC.png"
    )]
    #[case(
        "x-amz-tagging",
        "k=${filename}&l=1",
        "k=me%20%221%22%20%26%20%C5%BC.png&l=1"
    )]
    #[case("tagging", "<V>${filename}</V>", "<V>me &quot;1&quot; &amp; ż.png</V>")]
    #[case(
        "content-disposition",
        "attachment; filename=\"${filename}\"",
        "attachment; filename=\"me \\\"1\\\" & ż.png\""
    )]
    #[case(
        "content-disposition",
        "attachment; filename=${filename}; a=b",
        "attachment; filename=\"me \\\"1\\\" & ż.png\"; a=b"
    )]
    #[case(
        "content-disposition",
        "attachment; filename=a-${filename}",
        "attachment; filename=a-me__1__&__.png"
    )]
    #[case(
        "content-disposition",
        "a; b*=x; filename=${filename}${filename}",
        "a; b*=x; filename=me__1__&__.pngme__1__&__.png"
    )]
    #[case(
        "content-disposition",
        "attachment; filename*=UTF-8''${filename}",
        "attachment; filename*=UTF-8''me%20%221%22%20%26%20%C5%BC.png"
    )]
    #[case(
        "content-disposition",
        "attachment; a=\"x;\\\"${filename}\"",
        "attachment; a=\"x;\\\"me \\\"1\\\" & ż.png\""
    )]
    #[case("policy", "${filename}", "${filename}")]
    #[case(
        "x-amz-credential",
        "${filename}/20261123//s3/aws4_request",
        "${filename}/20261123//s3/aws4_request"
    )]
    #[case("x-amz-date", "${filename}", "${filename}")]
    #[case("x-amz-algorithm", "${filename}", "${filename}")]
    #[case("x-amz-signature", "${filename}", "${filename}")]
    #[case("awsaccesskeyid", "${filename}", "${filename}")]
    #[case("signature", "${filename}", "${filename}")]
    #[case("x-amz-checksum-crc32", "${filename}", "me \"1\" & ż.png")]
    #[case("x-ignore-a", "${filename}", "me \"1\" & ż.png")]
    #[case("key", "a/$filename/${FILENAME}", "a/$filename/${FILENAME}")]
    fn the_name_is_escaped_for_where_it_stands(
        #[case] field: &str,
        #[case] template: &str,
        #[case] expected: &str,
    ) {
        let mut fields = fields(&[(field, template)]);
        fill_in(&mut fields, "me \"1\" & ż.png").unwrap();
        assert_eq!(fields.get(field), Some(expected));
    }

    #[test]
    fn a_plain_name_needs_no_quotes_and_is_not_filled_in_again() {
        let mut posted = fields(&[("content-disposition", "attachment; filename=${filename}")]);
        fill_in(&mut posted, "me.png").unwrap();
        assert_eq!(posted.fields[0].1, "attachment; filename=me.png");
        let mut posted = fields(&[("x-amz-meta-a", "${filename}-${filename}")]);
        fill_in(&mut posted, "${filename}").unwrap();
        assert_eq!(posted.fields[0].1, "${filename}-${filename}");
    }

    #[test]
    fn many_variables_and_a_long_name_stay_within_the_limits_of_fields() {
        let name = "n".repeat(8000);
        let refusal = |posted: &[(&str, &str)]| {
            let mut posted = fields(posted);
            fill_in(&mut posted, &name).map_err(|refusal| refusal.code)
        };
        let field = |times| VARIABLE.repeat(times);
        assert_eq!(refusal(&[("x-ignore-a", &field(2))]), Ok(()));
        let too_large = Err(ErrorCode::MaxPostPreDataLengthExceeded);
        assert_eq!(refusal(&[("x-ignore-a", &field(3))]), too_large);
        assert_eq!(refusal(&[("x-ignore-a", &field(1800))]), too_large);
        let (one, names): (_, Vec<String>) = (
            field(2),
            (0..100).map(|at| format!("x-ignore-{at}")).collect(),
        );
        let many: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), one.as_str()))
            .collect();
        assert_eq!(refusal(&many[..4]), Ok(()));
        assert_eq!(refusal(&many[..5]), too_large);
        assert_eq!(refusal(&many), too_large);
        assert_eq!(
            refusal(&[("key", &field(3))]),
            Err(ErrorCode::KeyTooLongError)
        );
    }

    proptest! {
        #[test]
        fn whatever_the_name_a_document_and_a_query_of_tags_hold_it_alone(name in "\\PC{0,20}") {
            let of_query = filled("x-amz-tagging", "k=${filename}", &name).unwrap();
            let of_xml = "<Tagging><TagSet><Tag><Key>k</Key><Value>${filename}</Value></Tag></TagSet></Tagging>";
            let of_xml = filled("tagging", of_xml, &name).unwrap();
            let (query, xml) = (Tags::from_header(&of_query), Tags::from_xml(&of_xml, Tagged::Object));
            // What no tag may hold is refused of both.
            prop_assert_eq!(query.is_ok(), xml.is_ok());
            if let (Ok(query), Ok(xml)) = (query, xml) {
                prop_assert!(query.holds("k", &name));
                if name.trim() == name {
                    prop_assert!(xml.holds("k", &name));
                }
            }
        }

        #[test]
        fn whatever_the_name_it_stays_within_its_parameter(name in "\\PC{0,20}") {
            let name = without_path(&name);
            for template in ["a; n=\"${filename}\"; z=1", "a; n=${filename}; z=1", "a; n=x${filename}; z=1", "a; n*=UTF-8''${filename}; z=1"] {
                let filled = filled("content-disposition", template, name).unwrap();
                let (kind, parameters) = crate::s3::values::header_parameters::parameters(filled.as_bytes()).unwrap();
                prop_assert_eq!((kind, parameters.len()), (&b"a"[..], 2));
                prop_assert_eq!(&parameters[1], &(&b"z"[..], b"1".to_vec()));
            }
        }
    }
}
