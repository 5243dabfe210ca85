"""Documents of buckets, tags and ACLs: which are accepted, their effect, and how they are returned."""

import datetime
import json
import re
import uuid

import pytest
import requests
from botocore.exceptions import ClientError

from refusal import Refusal

PATIENCE_SECONDS = 20
ORIGIN = "https://plane.example.com"


@pytest.fixture
def bucket(s3):
    name = f"documents-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


def refusal_of(call, **parameters):
    """(status, code) of an error; it must be one."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def cors_of(answer):
    """Method, origin and the rest that an answer allows a page."""
    headers = answer.headers
    assert "Access-Control-Allow-Credentials" not in headers
    return headers.get("Access-Control-Allow-Origin"), headers.get("Access-Control-Allow-Methods")


def preflight(hangar, path, method, origin=ORIGIN, headers=None):
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return requests.options(f"{hangar.url}/{path}", headers=asked, timeout=PATIENCE_SECONDS)


def put_rules(s3, bucket, *rules):
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": list(rules)})


def open_to_readers(s3, bucket, **more):
    """Sets a policy that lets anonymous clients read and list."""
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        **more,
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


# CORS


def test_without_rules_any_origin_may(hangar, s3, bucket):
    assert refusal_of(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    allowed = preflight(hangar, f"{bucket}/key", "PUT", headers="authorization")
    assert allowed.status_code == 200
    assert cors_of(allowed) == ("*", "GET, HEAD, PUT, POST, DELETE")
    assert allowed.headers["Access-Control-Allow-Headers"] == "authorization"
    # Nothing is said of what exists.
    unknown = preflight(hangar, "no-such-bucket/key", "PUT", headers="authorization")
    assert (unknown.status_code, cors_of(unknown)) == (200, cors_of(allowed))


def test_a_buckets_rules_replace_the_default(hangar, s3, bucket):
    rule = {
        "ID": "uploads",
        "AllowedMethods": ["PUT", "GET"],
        "AllowedOrigins": ["https://*.example.com"],
        "AllowedHeaders": ["x-amz-*", "Content-Type"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    put_rules(s3, bucket, rule)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
    allowed = preflight(hangar, f"{bucket}/key", "PUT", headers="content-type, X-Amz-Date")
    assert allowed.status_code == 200
    assert cors_of(allowed) == (ORIGIN, "PUT, GET")
    assert allowed.headers["Access-Control-Max-Age"] == "60"
    assert allowed.headers["Access-Control-Expose-Headers"] == "ETag"
    assert "Origin" in allowed.headers["Vary"]
    for refused in [
        preflight(hangar, f"{bucket}/key", "DELETE"),
        preflight(hangar, f"{bucket}/key", "PUT", origin="https://elsewhere.com"),
        preflight(hangar, f"{bucket}/key", "PUT", headers="authorization"),
    ]:
        assert (Refusal(refused).status, Refusal(refused).code) == (403, "AccessForbidden")
        assert cors_of(refused) == (None, None)
    s3.delete_bucket_cors(Bucket=bucket)
    assert preflight(hangar, f"{bucket}/key", "DELETE").status_code == 200


def test_rules_hold_for_answers_good_and_bad_and_for_forms(hangar, s3, bucket):
    put_rules(s3, bucket, {"AllowedMethods": ["GET", "POST"], "AllowedOrigins": ["https://a.example", "http://b*d"]})
    open_to_readers(s3, bucket)
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")

    def asked(method, path, origin, **more):
        headers = {"Origin": origin} if origin else {}
        return requests.request(method, f"{hangar.url}/{bucket}{path}", headers=headers, timeout=PATIENCE_SECONDS, **more)

    found = asked("GET", "/key", "http://bcd")
    assert (found.status_code, cors_of(found)) == (200, ("http://bcd", "GET, POST"))
    missing = asked("GET", "/missing", "https://a.example")
    assert (missing.status_code, cors_of(missing)) == (404, ("https://a.example", "GET, POST"))
    assert cors_of(asked("GET", "/key", "https://elsewhere.com")) == (None, None)
    assert cors_of(asked("GET", "/key", None)) == (None, None)
    assert "Origin" in asked("GET", "/key", None).headers["Vary"]
    refused = asked("PUT", "/key", "https://a.example", data=b"")
    assert (refused.status_code, cors_of(refused)) == (403, (None, None))
    form = asked("POST", "", "https://a.example", files={"key": (None, "k"), "file": b"x"})
    assert (form.status_code, cors_of(form)) == (403, ("https://a.example", "GET, POST"))


@pytest.mark.parametrize(
    "rule, refused",
    [
        ({"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}, (400, "InvalidRequest")),
        ({"AllowedMethods": ["GET"], "AllowedOrigins": ["*.*"]}, (400, "InvalidRequest")),
        ({"AllowedMethods": ["GET"], "AllowedOrigins": []}, (400, "MalformedXML")),
    ],
)
def test_a_rule_that_cannot_be_is_refused(s3, bucket, rule, refused):
    configuration = {"CORSRules": [rule]}
    assert refusal_of(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration=configuration) == refused


# Tags


def test_tags_of_objects_are_set_counted_and_removed(s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", Tagging="z=1&a=Za%C5%BC%C3%B3%C5%82%C4%87")
    before = s3.head_object(Bucket=bucket, Key="key")
    tags = s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"]
    assert tags == [{"Key": "a", "Value": "Zażółć"}, {"Key": "z", "Value": "1"}]
    s3.put_object_tagging(Bucket=bucket, Key="key", Tagging={"TagSet": tags[:1]})
    after = s3.head_object(Bucket=bucket, Key="key")
    assert (after["LastModified"], after["ETag"], after["TagCount"]) == (before["LastModified"], before["ETag"], 1)
    assert s3.delete_object_tagging(Bucket=bucket, Key="key")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_object_tagging(Bucket=bucket, Key="key")["TagSet"] == []
    assert "TagCount" not in s3.head_object(Bucket=bucket, Key="key")
    for call in (s3.get_object_tagging, s3.delete_object_tagging):
        assert refusal_of(call, Bucket=bucket, Key="missing") == (404, "NoSuchKey")
        assert refusal_of(call, Bucket="no-such-bucket", Key="key") == (404, "NoSuchBucket")


def test_tags_that_cannot_be_are_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    for tags in (
        [{"Key": str(number), "Value": ""} for number in range(11)],
        [{"Key": "k", "Value": "<"}],
        [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}],
        [{"Key": "aws:k", "Value": "1"}],
    ):
        refused = refusal_of(s3.put_object_tagging, Bucket=bucket, Key="key", Tagging={"TagSet": tags})
        assert refused == (400, "InvalidTag")
    assert refusal_of(s3.put_object, Bucket=bucket, Key="key", Tagging="a=1&a=2") == (400, "InvalidArgument")


def test_tags_of_a_bucket_are_fifty_at_most(s3, bucket):
    assert refusal_of(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    tags = [{"Key": f"{number:02}", "Value": "v"} for number in range(50)]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    too_many = [*tags, {"Key": "more", "Value": ""}]
    assert refusal_of(s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": too_many}) == (400, "InvalidTag")
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refusal_of(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")


# Lifecycle


def test_a_lifecycle_says_when_an_object_ends(s3, bucket):
    rules = [
        {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 2}},
        {
            "ID": "unfinished",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    put = s3.put_object(Bucket=bucket, Key="logs/a", Body=b"x")
    stated = re.fullmatch(r'expiry-date="(.+ 00:00:00 GMT)", rule-id="logs"', put["Expiration"])
    ends = datetime.datetime.strptime(stated[1], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.timezone.utc)
    assert datetime.timedelta(days=2) <= ends - datetime.datetime.now(datetime.timezone.utc) < datetime.timedelta(days=3)
    assert s3.head_object(Bucket=bucket, Key="logs/a")["Expiration"] == put["Expiration"]
    assert s3.get_object(Bucket=bucket, Key="logs/a")["Expiration"] == put["Expiration"]
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert refusal_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="logs/a")


def test_a_lifecycle_that_is_not_carried_out_is_refused(s3, bucket):
    moves = {
        "ID": "cold",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}],
    }
    refused = refusal_of(
        s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": [moves]}
    )
    assert refused == (501, "NotImplemented")


# ACLs


def test_canned_acls_are_taken_and_grant_nothing(hangar, s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", ACL="public-read")
    before = s3.head_object(Bucket=bucket, Key="key")["LastModified"]
    s3.put_object_acl(Bucket=bucket, Key="key", ACL="public-read-write")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert s3.head_object(Bucket=bucket, Key="key")["LastModified"] == before
    assert requests.get(f"{hangar.url}/{bucket}/key", timeout=PATIENCE_SECONDS).status_code == 403
    for answer in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="key")):
        assert [grant["Permission"] for grant in answer["Grants"]] == ["FULL_CONTROL"]
        assert answer["Grants"][0]["Grantee"]["ID"] == answer["Owner"]["ID"]
    same = {"Owner": answer["Owner"], "Grants": answer["Grants"]}
    s3.put_object_acl(Bucket=bucket, Key="key", AccessControlPolicy=same)
    everybody = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    wider = {"Owner": answer["Owner"], "Grants": [*answer["Grants"], {"Grantee": everybody, "Permission": "READ"}]}
    refused = refusal_of(s3.put_object_acl, Bucket=bucket, Key="key", AccessControlPolicy=wider)
    assert refused == (400, "AccessControlListNotSupported")
    refused = refusal_of(s3.put_object, Bucket=bucket, Key="key", Body=b"", GrantRead='id="another"')
    assert refused == (400, "AccessControlListNotSupported")
    assert refusal_of(s3.get_object_acl, Bucket=bucket, Key="missing") == (404, "NoSuchKey")
    assert refusal_of(s3.put_object_acl, Bucket=bucket, Key="missing", ACL="private") == (404, "NoSuchKey")


def test_a_bucket_with_acls_disabled_takes_none(s3, bucket):
    assert refusal_of(s3.get_bucket_ownership_controls, Bucket=bucket) == (404, "OwnershipControlsNotFoundError")
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == controls
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", ACL="bucket-owner-full-control")
    unsupported = (400, "AccessControlListNotSupported")
    assert refusal_of(s3.put_object, Bucket=bucket, Key="key", Body=b"", ACL="private") == unsupported
    assert refusal_of(s3.put_bucket_acl, Bucket=bucket, ACL="private") == unsupported
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="private")


def block(s3, bucket, *switches):
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    configuration = {name: name in switches for name in names}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=configuration)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == configuration


def test_public_access_can_be_blocked(hangar, s3, bucket):
    missing = (404, "NoSuchPublicAccessBlockConfiguration")
    assert refusal_of(s3.get_public_access_block, Bucket=bucket) == missing
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    address = f"{hangar.url}/{bucket}/key"
    open_to_readers(s3, bucket)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    assert requests.get(address, timeout=PATIENCE_SECONDS).content == b"x"
    block(s3, bucket, "RestrictPublicBuckets")
    assert requests.get(address, timeout=PATIENCE_SECONDS).status_code == 403
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"
    block(s3, bucket, "BlockPublicPolicy")
    assert requests.get(address, timeout=PATIENCE_SECONDS).content == b"x"
    assert refusal_of(open_to_readers, s3=s3, bucket=bucket) == (403, "AccessDenied")
    open_to_readers(s3, bucket, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/24"}})
    assert not s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    block(s3, bucket, "BlockPublicAcls")
    assert refusal_of(s3.put_object, Bucket=bucket, Key="key", Body=b"", ACL="public-read") == (403, "AccessDenied")
    assert refusal_of(s3.put_bucket_acl, Bucket=bucket, ACL="authenticated-read") == (403, "AccessDenied")
    s3.put_object(Bucket=bucket, Key="key", Body=b"y", ACL="private")
    s3.delete_public_access_block(Bucket=bucket)
    assert refusal_of(s3.get_public_access_block, Bucket=bucket) == missing
    s3.put_bucket_acl(Bucket=bucket, ACL="authenticated-read")


# What no bucket has


def test_a_missing_configuration_is_answered_as_aws_answers_it(s3, bucket):
    for call, code in (
        (s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_policy, "NoSuchBucketPolicy"),
    ):
        assert refusal_of(call, Bucket=bucket) == (404, code)
        assert refusal_of(call, Bucket="no-such-bucket") == (404, "NoSuchBucket")
    for call in (s3.delete_bucket_encryption, s3.delete_bucket_replication, s3.delete_bucket_website):
        assert call(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (
        s3.get_bucket_notification_configuration,
        s3.get_bucket_logging,
        s3.get_bucket_accelerate_configuration,
        s3.get_bucket_versioning,
    ):
        assert set(call(Bucket=bucket)) == {"ResponseMetadata"}
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"


def test_versioning_stays_off(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    enabled = {"Status": "Enabled"}
    refused = refusal_of(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=enabled)
    assert refused == (501, "NotImplemented")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def test_documents_survive_a_restart(start_hangar, connect):
    hangar = start_hangar()
    s3 = connect(hangar)
    put_rules(s3, hangar.bucket, {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]})
    s3.put_object(Bucket=hangar.bucket, Key="key", Body=b"x")
    s3.put_object_tagging(Bucket=hangar.bucket, Key="key", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    hangar.kill()
    hangar.start()
    assert s3.get_bucket_cors(Bucket=hangar.bucket)["CORSRules"][0]["AllowedMethods"] == ["GET"]
    assert s3.get_object_tagging(Bucket=hangar.bucket, Key="key")["TagSet"] == [{"Key": "k", "Value": "v"}]
