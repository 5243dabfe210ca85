"""Every header and parameter of S3's API, as the model of botocore has it: docs/s3-headers.md says what hangar does with it, and it does so.

What is new in the model and stands on no list of the page fails here: src/s3/request_headers.rs has to decide it.
"""

import re
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import pytest
import requests

from refusal import Refusal
from server import PATIENCE_SECONDS, REPOSITORY

PAGE = (REPOSITORY / "docs/s3-headers.md").read_text()
MODEL = botocore.session.get_session().get_service_model("s3")
# Of S3 Object Lambda, on a host of its own.
ELSEWHERE = {"WriteGetObjectResponse"}
# Operations that change the object of the key when they are carried out.
CHANGING = {"PutObject", "CopyObject", "DeleteObject", "DeleteObjects"}
OTHER_OWNER = "111122223333"
KEY = "kept"
BODY = b"the object that is there"


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def quoted(text):
    return set(re.findall(r"`([^`]+)`", text))


# {name or its beginning with a *: what is done}
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|", section("Headers and parameters that hangar does not act on"), re.M))
ACTED_ON = quoted(section("Headers that hangar acts on"))
PARAMETERS = quoted(section("Parameters of the query"))


def find(name, names):
    """The name among these that stands for a header: itself, or its beginning."""
    if name in names:
        return name
    beginnings = [one for one in names if one.endswith("*") and name.startswith(one[:-1])]
    return max(beginnings, key=len, default=None)


def members(operation, *locations):
    shape = MODEL.operation_model(operation).input_shape
    found = shape.members.values() if shape else ()
    return [member for member in found if member.serialization.get("location") in locations]


def headers_of(operation):
    return [member.serialization["name"].lower() for member in members(operation, "header", "headers")]


def refusal_of(header, operation):
    """The status and the code with which the page has this operation refuse the header, or None."""
    row = find(header, ROWS.keys() | ACTED_ON)
    if row not in ROWS or (does := ROWS[row]) == "Ignored.":
        return None
    acts = re.search(r"Acted on by ([\w, ]+)\.", does)
    if acts and operation in acts[1].split(", "):
        return None
    by, status, code = re.search(r"Refused(.*?): (\d+) `(\w+)`\.$", does).groups()
    by = by.split(", unless")[0].strip()
    is_write = MODEL.operation_model(operation).http["method"] not in ("GET", "HEAD")
    refuses = {
        "": True,
        "by every other operation": True,
        "by every write": is_write,
        "by every other write": is_write,
    }.get(by)
    if refuses is None:
        names = re.split(r"[ ,]+", by)
        refuses = (operation in names) != (" but " in by)
    return (int(status), code) if refuses else None


OPERATIONS = sorted(set(MODEL.operation_names) - ELSEWHERE)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_header_of_the_model_is_decided(operation):
    undecided = [name for name in headers_of(operation) if not find(name, ROWS.keys() | ACTED_ON)]
    assert not undecided, "decide them in src/s3/request_headers.rs"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_parameter_of_the_model_is_decided(operation):
    query = urllib.parse.urlsplit(MODEL.operation_model(operation).http["requestUri"]).query
    names = [name for name, _ in urllib.parse.parse_qsl(query, keep_blank_values=True)]
    names += [member.serialization["name"] for member in members(operation, "querystring")]
    undecided = [name for name in names if name not in PARAMETERS]
    assert not undecided, "name them in docs/s3-headers.md, and the sub-resources in src/s3/op.rs"


def send(hangar, operation, headers=(), in_query=False):
    """A bare request for an operation of the model, signed. `in_query`: presigned, with the headers in the query."""
    http = MODEL.operation_model(operation).http
    path, _, query = http["requestUri"].partition("?")
    path = path.replace("{Bucket}", hangar.bucket).replace("{Key+}", KEY)
    parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
    required = MODEL.operation_model(operation).input_shape.required_members if members(operation, "querystring") else ()
    for name in required:
        member = MODEL.operation_model(operation).input_shape.members[name]
        if member.serialization.get("location") == "querystring":
            parameters[member.serialization["name"]] = "1"
    headers = dict(headers)
    if operation in ("CopyObject", "UploadPartCopy"):
        headers.setdefault("x-amz-copy-source", f"{hangar.bucket}/source")
    if in_query:
        parameters |= headers
        headers = {}
    url = f"{hangar.url}{path}?{urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)}"
    body = b"" if http["method"] in ("GET", "HEAD", "DELETE") else b"<Other/>"
    # botocore would move the body of a presigned POST into its query.
    signed_body = b"" if in_query else body
    request = botocore.awsrequest.AWSRequest(method=http["method"], url=url, data=signed_body, headers=headers)
    credentials = botocore.credentials.Credentials(hangar.access_key, hangar.secret_key)
    signer = botocore.auth.S3SigV4QueryAuth if in_query else botocore.auth.S3SigV4Auth
    signer(credentials, "s3", "us-east-1").add_auth(request)
    prepared = request.prepare()
    sent = {name: value for name, value in prepared.headers.items() if name.lower() != "content-length"}
    return requests.request(http["method"], prepared.url, data=body, headers=sent, timeout=PATIENCE_SECONDS)


@pytest.fixture
def kept(hangar, s3):
    """An object that a refused request must leave as it is."""
    for key in (KEY, "source"):
        s3.put_object(Bucket=hangar.bucket, Key=key, Body=BODY)
    yield
    assert s3.get_object(Bucket=hangar.bucket, Key=KEY)["Body"].read() == BODY


def value_for(header):
    if header.endswith("bucket-owner"):
        return OTHER_OWNER
    if header.startswith("if-"):
        return "*"
    return "something"


def refused_headers(operation, is_there):
    """Those that the model has for the operation and, where hangar has it, those of operations that change objects."""
    others = sorted(CHANGING | {"RenameObject"}) if is_there else ()
    foreign = [name for other in others for name in headers_of(other)]
    return [name for name in dict.fromkeys(headers_of(operation) + foreign) if refusal_of(name, operation)]


@pytest.mark.parametrize("in_query", [False, True], ids=["header", "query"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_refused_header_is_refused_and_nothing_changes(hangar, kept, operation, in_query):
    is_there = operation in CHANGING or send(hangar, operation).status_code != 501
    for header in refused_headers(operation, is_there):
        if in_query and not header.startswith("x-amz-"):
            continue
        answer = send(hangar, operation, {header: value_for(header)}, in_query)
        expected = refusal_of(header, operation)
        # The source of a copy selects the operation of a PUT, and what that selects is none of S3's.
        if not is_there or header == "x-amz-copy-source":
            assert answer.status_code >= 400, (header, answer.text)
        elif MODEL.operation_model(operation).http["method"] == "HEAD":
            assert answer.status_code == expected[0], header
        else:
            refusal = Refusal(answer)
            assert (refusal.status, refusal.code) == expected, (header, refusal)


@pytest.mark.parametrize("operation", sorted(set(OPERATIONS) - CHANGING - {"DeleteBucket"}))
def test_no_operation_is_taken_for_one_that_changes_the_object(hangar, kept, operation):
    send(hangar, operation)


def test_the_owner_that_a_client_expects_is_the_one_of_all_buckets(hangar, s3, kept):
    owner = s3.list_buckets()["Owner"]["ID"]
    assert owner == s3.get_bucket_acl(Bucket=hangar.bucket, ExpectedBucketOwner=owner)["Owner"]["ID"]
    there = {"Bucket": hangar.bucket, "Key": "copy"}
    source = {"Bucket": hangar.bucket, "Key": KEY}
    s3.copy_object(**there, CopySource=source, ExpectedBucketOwner=owner, ExpectedSourceBucketOwner=owner)
    s3.delete_object(**there, ExpectedBucketOwner=owner)
    for other in ({"ExpectedBucketOwner": OTHER_OWNER}, {"ExpectedSourceBucketOwner": OTHER_OWNER}):
        with pytest.raises(s3.exceptions.ClientError) as refused:
            s3.copy_object(**there, CopySource=source, **other)
        assert refused.value.response["Error"]["Code"] == "AccessDenied"
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(**there)


def test_a_header_value_without_effect_is_accepted(hangar, s3):
    s3.put_object(Bucket=hangar.bucket, Key="plain", Body=b"x", ObjectLockLegalHoldStatus="OFF", RequestPayer="requester")
    s3.delete_object(Bucket=hangar.bucket, Key="plain", BypassGovernanceRetention=True)
