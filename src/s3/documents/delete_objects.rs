//! `DeleteObjects`: the list of objects to delete, and the answer with the result for each key.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
use crate::s3::listing::page::NULL_VERSION;
use crate::s3::values::conditional::DeleteCondition;
use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::key::ObjectKey;
use crate::s3::values::xml::{self, Elements, Namespace};
use serde::Deserialize;

/// Keys of one request.
const MOST_KEYS: usize = 1000;

#[derive(Debug, Deserialize)]
pub struct DeleteList {
    #[serde(rename = "Object", default)]
    pub objects: Vec<ListedDeletion>,
    #[serde(rename = "Quiet", default)]
    quiet: Option<String>,
}

/// One line of the list, as the client wrote it.
#[derive(Debug, Deserialize)]
pub struct ListedDeletion {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "VersionId", default)]
    version_id: Option<String>,
    #[serde(rename = "ETag", default)]
    etag: Option<String>,
    #[serde(rename = "LastModifiedTime", default)]
    last_modified: Option<String>,
    #[serde(rename = "Size", default)]
    size_bytes: Option<String>,
}

impl DeleteList {
    /// # Errors
    /// `MissingRequestBodyError`, or `MalformedXML` for what is no such list, has no key or more than a thousand.
    pub fn parse(text: &str) -> Result<Self, S3Error> {
        if text.is_empty() {
            return Err(S3Error::new(ErrorCode::MissingRequestBodyError));
        }
        xml::read::<Self>(text)
            .filter(|list| (1..=MOST_KEYS).contains(&list.objects.len()))
            .ok_or_else(|| S3Error::new(ErrorCode::MalformedXML))
    }

    /// The answer's document: the result for each of [`DeleteList::objects`], in their order.
    #[must_use]
    pub fn answer(&self, outcomes: &[Result<(), S3Error>]) -> String {
        let is_quiet = self
            .quiet
            .as_deref()
            .is_some_and(|quiet| quiet.trim().eq_ignore_ascii_case("true"));
        xml::document("DeleteResult", Namespace::S3, |result| {
            for (object, outcome) in self.objects.iter().zip(outcomes) {
                match outcome {
                    Ok(()) if is_quiet => {}
                    Ok(()) => result.element("Deleted", |deleted| object.write(deleted)),
                    Err(refusal) => result.element("Error", |error| {
                        object.write(error);
                        error.text("Code", refusal.code.as_str());
                        error.text("Message", &refusal.message);
                    }),
                }
            }
        })
    }
}

impl ListedDeletion {
    /// # Errors
    /// As [`ObjectKey::parse`], and `NoSuchVersion`: the one version that an object has is `null`.
    pub fn key(&self) -> Result<ObjectKey, S3Error> {
        match self.version() {
            None | Some(NULL_VERSION) => {}
            Some(_) => return Err(S3Error::new(ErrorCode::NoSuchVersion)),
        }
        ObjectKey::parse(&self.key).map_err(|invalid| invalid.refuse(&self.key))
    }

    /// # Errors
    /// `MalformedXML` for a time or a size that cannot be read, `NotImplemented` for several tags.
    pub fn condition(&self) -> Result<DeleteCondition, S3Error> {
        DeleteCondition::parse(
            self.etag.as_deref(),
            self.last_modified.as_deref(),
            self.size_bytes.as_deref(),
            ErrorCode::MalformedXML,
        )
    }

    fn version(&self) -> Option<&str> {
        self.version_id.as_deref().filter(|id| !id.is_empty())
    }

    fn write(&self, element: &mut Elements) {
        element.text("Key", &self.key);
        if let Some(version) = self.version() {
            element.text("VersionId", version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::values::etag::ETag;
    use crate::s3::values::time::Timestamp;
    use rstest::rstest;

    const AT: Timestamp = Timestamp::from_millis(1_795_425_490_215); // Mon, 23 Nov 2026 09:18:10.215 GMT

    fn list(objects: &str) -> DeleteList {
        DeleteList::parse(&format!(
            r#"<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{objects}</Delete>"#
        ))
        .unwrap()
    }

    #[rstest]
    #[case(" ", " ")]
    #[case("_ ", "_ ")]
    #[case("\n\ta", "\n\ta")]
    #[case("a\r\nb\rc", "a\nb\nc")] // XML 1.0, 2.11
    #[case("a&#13;&#xA;", "a\r\n")]
    #[case("&#32;&amp;&lt;&gt;&quot;&apos;&#x1F600;", " &<>\"'\u{1F600}")]
    #[case("a<![CDATA[ & ]]>b", "a & b")]
    #[case("a<!-- no -->b", "ab")]
    #[case("<![CDATA[]]>a", "a")]
    #[case("&#1;", "\u{1}")]
    fn a_key_is_read_exactly(#[case] written: &str, #[case] key: &str) {
        let list = list(&format!(
            "\n <Object>\n  <Key>{written}</Key>\n </Object>\n <Quiet>true</Quiet>\n"
        ));
        assert_eq!(list.objects[0].key().unwrap().as_str(), key);
    }

    #[test]
    fn each_key_is_answered_in_order_and_in_quiet_mode_only_failures_are() {
        let objects = "<Object><Key>a&amp;b</Key></Object>
            <Object><Key>c</Key><VersionId>null</VersionId></Object>
            <Object><VersionId>1</VersionId><Key>d</Key></Object>";
        let outcomes = |list: &DeleteList| -> Vec<_> {
            let checked = list.objects.iter();
            checked.map(|object| object.key().map(drop)).collect()
        };
        let loud = list(objects);
        insta::assert_snapshot!(loud.answer(&outcomes(&loud)), @r#"<?xml version="1.0" encoding="UTF-8"?><DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Deleted><Key>a&amp;b</Key></Deleted><Deleted><Key>c</Key><VersionId>null</VersionId></Deleted><Error><Key>d</Key><VersionId>1</VersionId><Code>NoSuchVersion</Code><Message>The specified version does not exist.</Message></Error></DeleteResult>"#);
        let quiet = list(&format!("<Quiet>TRUE</Quiet>{objects}"));
        insta::assert_snapshot!(quiet.answer(&outcomes(&quiet)), @r#"<?xml version="1.0" encoding="UTF-8"?><DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Error><Key>d</Key><VersionId>1</VersionId><Code>NoSuchVersion</Code><Message>The specified version does not exist.</Message></Error></DeleteResult>"#);
    }

    #[rstest]
    #[case("<Delete></Delete>")]
    #[case("<Delete><Object></Object></Delete>")]
    #[case("<Delete><Object><Key>a</Key></Object>")]
    #[case("<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>")]
    #[case("<Delete><Object><Key><b>a</b></Key></Object></Delete>")]
    #[case("{}")]
    #[case(" ")]
    fn a_malformed_list_of_keys_is_refused(#[case] text: &str) {
        let error = DeleteList::parse(text).unwrap_err();
        assert_eq!(error.code, ErrorCode::MalformedXML);
    }

    #[test]
    fn a_thousand_keys_are_the_most() {
        let of = |count| {
            let object = "<Object><Key>a</Key></Object>".repeat(count);
            DeleteList::parse(&format!("<Delete>{object}</Delete>"))
        };
        assert!(of(1000).is_ok());
        assert_eq!(of(1001).unwrap_err().code, ErrorCode::MalformedXML);
    }

    #[rstest]
    #[case("", true)]
    #[case("<ETag>*</ETag>", true)]
    #[case("<ETag>&quot;abc&quot;</ETag>", true)]
    #[case("<ETag>abc</ETag>", true)]
    #[case("<ETag>badetag</ETag>", false)]
    #[case("<Size>3</Size>", true)]
    #[case("<Size>4</Size>", false)]
    #[case(
        "<LastModifiedTime>Mon, 23 Nov 2026 09:18:10 GMT</LastModifiedTime>",
        true
    )]
    #[case("<LastModifiedTime>2026-11-23T09:18:10Z</LastModifiedTime>", true)]
    #[case("<LastModifiedTime>2026-11-23T09:18:11Z</LastModifiedTime>", false)]
    #[case("<ETag>abc</ETag><Size>4</Size>", false)]
    fn conditions_must_all_hold(#[case] conditions: &str, #[case] holds: bool) {
        let list = list(&format!("<Object><Key>a</Key>{conditions}</Object>"));
        let condition = list.objects[0].condition().unwrap();
        let etag = ETag::from_stored("abc".to_owned());
        assert_eq!(condition.holds(&etag, AT, 3), holds);
    }

    #[test]
    fn a_malformed_condition_is_refused() {
        for (condition, code) in [
            ("<Size>x</Size>", ErrorCode::MalformedXML),
            ("<Size>-1</Size>", ErrorCode::MalformedXML),
            (
                "<LastModifiedTime>now</LastModifiedTime>",
                ErrorCode::MalformedXML,
            ),
            ("<ETag>a,b</ETag>", ErrorCode::NotImplemented),
        ] {
            let list = list(&format!("<Object><Key>a</Key>{condition}</Object>"));
            let refused = list.objects[0].condition().map(drop).unwrap_err();
            assert_eq!(refused.code, code, "{condition}");
        }
    }
}
