//! `ListBuckets`: the query for a page of buckets, and the answer.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>
use crate::s3::listing::parameters::{filled, value};
use crate::s3::listing::token;
use crate::s3::values::bucket::BucketName;
use crate::s3::values::error::S3Error;
use crate::s3::values::time::{self, Timestamp};
use crate::s3::values::xml::{self, Namespace};

/// Buckets that one page holds at most.
const MAX_BUCKETS: usize = 10_000;

/// The parsed query of `ListBuckets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListBucketsQuery {
    prefix: String,
    region: Option<String>,
    /// 1 to 10,000
    max_buckets: usize,
    /// The last name of the page before.
    after: Option<String>,
    /// AWS: the answer states each bucket's region if the query has any parameter of a page.
    shows_regions: bool,
}

impl ListBucketsQuery {
    /// # Errors
    /// `InvalidArgument` for a bad `max-buckets` or token.
    pub fn parse(query: &[(String, String)]) -> Result<Self, S3Error> {
        let prefix = value(query, "prefix").unwrap_or_default().to_owned();
        let region = filled(query, "bucket-region").map(str::to_owned);
        let max_buckets = match value(query, "max-buckets") {
            None => MAX_BUCKETS,
            Some(sent) => sent
                .parse()
                .ok()
                .filter(|number| (1..=MAX_BUCKETS).contains(number))
                .ok_or_else(|| {
                    S3Error::invalid_argument(
                        "max-buckets must be a number from 1 to 10000",
                        "max-buckets",
                        sent,
                    )
                })?,
        };
        let after = filled(query, "continuation-token")
            .map(|token| token::open(token, &scope(&prefix, region.as_deref())))
            .transpose()?;
        let asks_for_a_page = ["prefix", "bucket-region", "max-buckets"];
        Ok(Self {
            shows_regions: asks_for_a_page
                .iter()
                .any(|name| value(query, name).is_some()),
            prefix,
            region,
            max_buckets,
            after,
        })
    }

    /// The requested page, of buckets in any order, and whether more follow.
    fn page<'a>(
        &self,
        buckets: &'a [(BucketName, Timestamp)],
        region: &str,
    ) -> (Vec<&'a (BucketName, Timestamp)>, bool) {
        if self.region.as_deref().is_some_and(|asked| asked != region) {
            return (Vec::new(), false);
        }
        let follows = |name: &str| self.after.as_deref().is_none_or(|after| name > after);
        let mut page: Vec<_> = buckets
            .iter()
            .filter(|(name, _)| name.as_str().starts_with(&self.prefix) && follows(name.as_str()))
            .collect();
        page.sort_unstable();
        let more_follow = page.len() > self.max_buckets;
        page.truncate(self.max_buckets);
        (page, more_follow)
    }
}

fn scope<'a>(prefix: &'a str, region: Option<&'a str>) -> [&'a str; 2] {
    [prefix, region.unwrap_or_default()]
}

/// `ListAllMyBucketsResult`: the page of `query`, from all `buckets`, which are in `region`.
#[must_use]
pub fn list_buckets(
    query: &ListBucketsQuery,
    buckets: &[(BucketName, Timestamp)],
    region: &str,
) -> String {
    let (buckets, more_follow) = query.page(buckets, region);
    xml::document("ListAllMyBucketsResult", Namespace::S3, |result| {
        result.owner("Owner");
        result.element("Buckets", |list| {
            for (name, created) in &buckets {
                list.element("Bucket", |bucket| {
                    bucket.text("Name", name.as_str());
                    bucket.text("CreationDate", &time::iso8601_millis(*created));
                    if query.shows_regions {
                        bucket.text("BucketRegion", region);
                    }
                });
            }
        });
        if !query.prefix.is_empty() {
            result.text("Prefix", &query.prefix);
        }
        if let Some((last, _)) = buckets.last().filter(|_| more_follow) {
            let scope = scope(&query.prefix, query.region.as_deref());
            result.text("ContinuationToken", &token::seal(last.as_str(), &scope));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::values::error::ErrorCode;

    const AT: Timestamp = Timestamp::from_millis(1_795_425_490_215);

    fn name(text: &str) -> BucketName {
        BucketName::parse(text).unwrap()
    }

    fn list_query(pairs: &[(&str, &str)]) -> Result<ListBucketsQuery, S3Error> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        ListBucketsQuery::parse(&pairs.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn buckets_are_listed_with_their_owner() {
        insta::assert_snapshot!(
            list_buckets(&list_query(&[]).unwrap(), &[(name("uploads"), AT)], "us-east-1"),
            @r#"<?xml version="1.0" encoding="UTF-8"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><Buckets><Bucket><Name>uploads</Name><CreationDate>2026-11-23T09:18:10.215Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>"#
        );
    }

    #[test]
    fn pages_of_buckets_joined_are_the_buckets_of_the_prefix_in_order() {
        let buckets = ["b-3", "a-1", "b-1", "b-2"].map(|text| (name(text), AT));
        let mut names = Vec::new();
        let mut token = String::new();
        loop {
            let page = [
                ("prefix", "b-"),
                ("max-buckets", "1"),
                ("continuation-token", &token),
            ];
            let listed = list_buckets(&list_query(&page).unwrap(), &buckets, "us-east-1");
            let between = |from: &str, to: &str| {
                let (_, rest) = listed.split_once(from)?;
                Some(rest.split_once(to)?.0.to_owned())
            };
            names.extend(between("<Name>", "</Name>"));
            assert_eq!(between("<Prefix>", "</Prefix>").unwrap(), "b-");
            match between("<ContinuationToken>", "</ContinuationToken>") {
                Some(next) => token = next,
                None => break,
            }
        }
        assert_eq!(names, ["b-1", "b-2", "b-3"]);
    }

    #[test]
    fn a_page_of_buckets_that_cannot_be_is_refused() {
        for (name, value) in [
            ("max-buckets", "0"),
            ("max-buckets", "10001"),
            ("max-buckets", "x"),
            ("continuation-token", "x"),
        ] {
            let error = list_query(&[(name, value)]).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidArgument, "{name}={value}");
        }
    }

    #[test]
    fn a_page_of_buckets_states_their_region() {
        let asked = |region| {
            let query = list_query(&[("bucket-region", region)]).unwrap();
            list_buckets(&query, &[(name("uploads"), AT)], "eu-west-1")
        };
        assert!(asked("eu-west-1").contains("<BucketRegion>eu-west-1</BucketRegion>"));
        assert!(!asked("us-east-1").contains("<Bucket>"));
    }
}
