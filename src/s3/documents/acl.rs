//! Access control lists of the only owner.
//!
//! Canned lists are accepted by name and grant nothing: a public one would be blocked, the others concern owners. A list
//! that grants anything to another account is refused, since it could not be enforced; a bucket policy can grant it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use crate::s3::values::error::{ErrorCode, S3Error};
use crate::s3::values::xml::{self, Namespace, OWNER_ID, OWNER_NAME};
use serde::Deserialize;

const FULL_CONTROL: &str = "FULL_CONTROL";
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// An ACL by name: `x-amz-acl`, or a form's `acl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannedAcl {
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
    AwsExecRead,
    BucketOwnerRead,
    BucketOwnerFullControl,
    LogDeliveryWrite,
}

impl CannedAcl {
    /// # Errors
    /// `InvalidArgument` for a name that is none of the eight.
    pub fn parse(name: &str) -> Result<Self, S3Error> {
        Ok(match name {
            "private" => Self::Private,
            "public-read" => Self::PublicRead,
            "public-read-write" => Self::PublicReadWrite,
            "authenticated-read" => Self::AuthenticatedRead,
            "aws-exec-read" => Self::AwsExecRead,
            "bucket-owner-read" => Self::BucketOwnerRead,
            "bucket-owner-full-control" => Self::BucketOwnerFullControl,
            "log-delivery-write" => Self::LogDeliveryWrite,
            unknown => {
                return Err(S3Error::invalid_argument(
                    "The canned ACL is not a known one.",
                    "x-amz-acl",
                    unknown.chars().take(256).collect::<String>(),
                ));
            }
        })
    }

    /// Whether it would grant something to everyone, or to every account.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(
            self,
            Self::PublicRead | Self::PublicReadWrite | Self::AuthenticatedRead
        )
    }
}

/// `x-amz-grant-*`: `id="…", uri="…"`.
///
/// # Errors
/// `AccessControlListNotSupported` unless it grants to the owner alone.
pub fn judge_grant_header(value: &str) -> Result<(), S3Error> {
    let to_owner = value.split(',').all(|grantee| {
        let id = grantee.trim().strip_prefix("id=");
        id.is_some_and(|id| id.trim_matches('"') == OWNER_ID)
    });
    if to_owner {
        Ok(())
    } else {
        Err(not_supported())
    }
}

#[derive(Deserialize)]
struct AccessControlPolicy {
    #[serde(rename = "Owner", default)]
    owner: Option<Identity>,
    #[serde(rename = "AccessControlList")]
    list: GrantList,
}
#[derive(Deserialize)]
struct Identity {
    #[serde(rename = "ID", default)]
    id: String,
}
#[derive(Deserialize)]
struct GrantList {
    #[serde(rename = "Grant", default)]
    grants: Vec<GrantElement>,
}
#[derive(Deserialize)]
struct GrantElement {
    #[serde(rename = "Grantee")]
    grantee: Identity,
    #[serde(rename = "Permission")]
    permission: String,
}

/// Checks an `AccessControlPolicy` that a client puts.
///
/// # Errors
/// `MalformedACLError`, `AccessDenied` where it names another owner, `AccessControlListNotSupported` unless it is what
/// [`access_control_policy`] writes: the owner's full control, and nothing else.
pub fn judge_policy(text: &str) -> Result<(), S3Error> {
    let policy: AccessControlPolicy =
        xml::read(text).ok_or_else(|| S3Error::new(ErrorCode::MalformedACLError))?;
    if policy.owner.is_some_and(|owner| owner.id != OWNER_ID) {
        return Err(ErrorCode::AccessDenied.into());
    }
    for grant in &policy.list.grants {
        if !["READ", "WRITE", "READ_ACP", "WRITE_ACP", FULL_CONTROL]
            .contains(&grant.permission.as_str())
        {
            return Err(ErrorCode::MalformedACLError.into());
        }
    }
    let grants = &policy.list.grants;
    let has_full_control = grants.iter().any(|grant| grant.permission == FULL_CONTROL);
    if has_full_control && grants.iter().all(|grant| grant.grantee.id == OWNER_ID) {
        Ok(())
    } else {
        Err(not_supported())
    }
}

/// AWS: the code for a bucket whose ACLs are disabled.
#[must_use]
pub fn not_supported() -> S3Error {
    S3Error::with_message(
        ErrorCode::AccessControlListNotSupported,
        "The bucket does not allow ACLs: what others may do is said by a bucket policy.",
    )
}

/// The list that every bucket and every object has.
#[must_use]
pub fn access_control_policy() -> String {
    xml::document("AccessControlPolicy", Namespace::S3, |policy| {
        policy.owner("Owner");
        policy.element("AccessControlList", |list| {
            list.element("Grant", |grant| {
                let kind = [
                    ("xmlns:xsi", SCHEMA_INSTANCE),
                    ("xsi:type", "CanonicalUser"),
                ];
                grant.element_with("Grantee", &kind, |grantee| {
                    grantee.text("ID", OWNER_ID);
                    grantee.text("DisplayName", OWNER_NAME);
                });
                grant.text("Permission", FULL_CONTROL);
            });
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_list_is_the_owner_s_alone_and_can_be_put_back() {
        let written = access_control_policy();
        judge_policy(&written).unwrap();
        insta::assert_snapshot!(written, @r#"<?xml version="1.0" encoding="UTF-8"?><AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98</ID><DisplayName>hangar</DisplayName></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"#);
    }

    fn granted(id: &str, permission: &str) -> String {
        format!(
            "<AccessControlPolicy><Owner><ID>{OWNER_ID}</ID></Owner><AccessControlList>\
             <Grant><Grantee xmlns:xsi=\"{SCHEMA_INSTANCE}\" xsi:type=\"CanonicalUser\"><ID>{OWNER_ID}</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant>\
             <Grant><Grantee xmlns:xsi=\"{SCHEMA_INSTANCE}\" xsi:type=\"Group\">{id}</Grantee><Permission>{permission}</Permission></Grant>\
             </AccessControlList></AccessControlPolicy>"
        )
    }

    #[rstest]
    #[case::everybody(&granted("<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>", "READ"), ErrorCode::AccessControlListNotSupported)]
    #[case::another(&granted("<ID>another</ID>", "READ"), ErrorCode::AccessControlListNotSupported)]
    #[case::unknown_permission(&granted("<ID>another</ID>", "DANCE"), ErrorCode::MalformedACLError)]
    #[case::nobody(
        "<AccessControlPolicy><AccessControlList/></AccessControlPolicy>",
        ErrorCode::AccessControlListNotSupported
    )]
    #[case::another_owner(
        "<AccessControlPolicy><Owner><ID>x</ID></Owner><AccessControlList/></AccessControlPolicy>",
        ErrorCode::AccessDenied
    )]
    #[case::no_policy("<AccessControlPolicy/>", ErrorCode::MalformedACLError)]
    fn a_list_that_cannot_be_kept_is_refused(#[case] text: &str, #[case] code: ErrorCode) {
        assert_eq!(judge_policy(text).unwrap_err().code, code);
    }

    #[rstest]
    #[case(&format!("id=\"{OWNER_ID}\""), true)]
    #[case(&format!("id={OWNER_ID}"), true)]
    #[case(&format!("id=\"{OWNER_ID}\", uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""), false)]
    #[case("emailAddress=\"a@example.com\"", false)]
    #[case("", false)]
    fn a_grant_header_may_name_the_owner_alone(#[case] value: &str, #[case] taken: bool) {
        let refused = judge_grant_header(value).err().map(|error| error.code);
        let expected = (!taken).then_some(ErrorCode::AccessControlListNotSupported);
        assert_eq!(refused, expected);
    }

    #[test]
    fn an_unknown_canned_acl_is_refused() {
        assert_eq!(
            CannedAcl::parse("public-ready").unwrap_err().code,
            ErrorCode::InvalidArgument
        );
        assert!(CannedAcl::parse("public-read").unwrap().is_public());
        assert!(
            !CannedAcl::parse("bucket-owner-full-control")
                .unwrap()
                .is_public()
        );
    }
}
