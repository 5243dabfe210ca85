"""The S3 face as boto3 sees it."""

import hashlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import botocore.handlers
import pytest
import requests

from policy import Form
from refusal import Refusal

pytestmark = pytest.mark.boto3


@pytest.fixture
def folder():
    return f"{uuid.uuid4()}/"


def refusal_of(call, *arguments, **named):
    """Status and code of the refusal that a call must meet."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(*arguments, **named)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


# Buckets


def test_the_bucket_of_the_settings_is_there(hangar, s3):
    s3.head_bucket(Bucket=hangar.bucket)
    assert hangar.bucket in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def test_a_bucket_can_be_made_and_is_listed(hangar, s3):
    name = f"made-{uuid.uuid4()}"
    assert refusal_of(s3.head_bucket, Bucket=name) == (404, "404")
    s3.create_bucket(Bucket=name)
    s3.head_bucket(Bucket=name)
    listed = {bucket["Name"]: bucket for bucket in s3.list_buckets()["Buckets"]}
    assert listed[name]["CreationDate"].tzinfo is not None
    s3.put_object(Bucket=name, Key="k", Body=b"v")
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"v"
    assert refusal_of(s3.get_object, Bucket=hangar.bucket, Key="k") == (404, "NoSuchKey")


def test_making_a_bucket_again_loses_nothing(s3):
    name = f"again-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"v")
    # AWS: in us-east-1 an owner that makes its bucket again is answered 200.
    s3.create_bucket(Bucket=name)
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"v"


@pytest.mark.parametrize(
    "name, refusal",
    [
        # The names of hangar's own addresses are no buckets at all.
        ("api", (404, "404")),
        ("minio", (501, "NotImplemented")),
        *((name, (400, "InvalidBucketName")) for name in ("Upper", "under_score", "a..b", "192.168.5.4", "ab-", "n")),
    ],
)
def test_a_name_that_no_bucket_may_have_is_refused(hangar, connect, name, refusal):
    client = connect(hangar)
    client.meta.events.unregister("before-parameter-build.s3", botocore.handlers.validate_bucket_name)
    assert refusal_of(client.create_bucket, Bucket=name) == refusal
    assert name not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


def test_an_unknown_bucket_is_answered_no_such_bucket(s3):
    assert refusal_of(s3.list_objects_v2, Bucket="no-such-bucket") == (404, "NoSuchBucket")
    assert refusal_of(s3.get_object, Bucket="no-such-bucket", Key="k") == (404, "NoSuchBucket")
    assert refusal_of(s3.put_object, Bucket="no-such-bucket", Key="k", Body=b"v") == (404, "NoSuchBucket")
    assert refusal_of(s3.delete_object, Bucket="no-such-bucket", Key="k") == (404, "NoSuchBucket")


# Objects


@pytest.mark.parametrize("size", [0, 1, 4096, 262_143, 262_144, 262_145, 1_048_576, 8_000_001])
def test_an_object_is_put_read_headed_and_deleted(hangar, s3, folder, size):
    key, body = folder + "object.bin", hashlib.shake_128(str(size).encode()).digest(size)
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    assert s3.put_object(Bucket=hangar.bucket, Key=key, Body=body)["ETag"] == etag
    head = s3.head_object(Bucket=hangar.bucket, Key=key)
    assert (head["ContentLength"], head["ETag"], head["ContentType"]) == (size, etag, "binary/octet-stream")
    assert head["AcceptRanges"] == "bytes"
    found = s3.get_object(Bucket=hangar.bucket, Key=key)
    assert found["Body"].read() == body
    assert found["LastModified"] == head["LastModified"]
    assert s3.delete_object(Bucket=hangar.bucket, Key=key)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal_of(s3.get_object, Bucket=hangar.bucket, Key=key) == (404, "NoSuchKey")
    assert refusal_of(s3.head_object, Bucket=hangar.bucket, Key=key) == (404, "404")
    assert s3.delete_object(Bucket=hangar.bucket, Key=key)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_a_put_replaces_all_of_the_former_object(hangar, s3, folder):
    key = folder + "object"
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"first", ContentType="text/plain", Metadata={"a": "1"})
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"2nd", Metadata={"b": "2"})
    found = s3.get_object(Bucket=hangar.bucket, Key=key)
    assert (found["Body"].read(), found["Metadata"]) == (b"2nd", {"b": "2"})
    assert found["ContentType"] != "text/plain"


def test_headers_and_metadata_come_back(hangar, s3, folder):
    key = folder + "object"
    sent = {
        "CacheControl": "max-age=60",
        "ContentDisposition": "attachment; filename*=UTF-8''a%20b.txt",
        "ContentEncoding": "gzip",
        "ContentLanguage": "pl, en",
        "ContentType": "text/plain; charset=utf-8",
        "Metadata": {"colour": "red", "with-dash": "a b"},
    }
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"body", **sent)
    head = s3.head_object(Bucket=hangar.bucket, Key=key)
    assert {name: head[name] for name in sent} == sent


def test_metadata_over_two_kilobytes_is_refused(hangar, s3, folder):
    call = dict(Bucket=hangar.bucket, Key=folder + "object", Body=b"body", Metadata={"a": "a" * 1500, "b": "b" * 1500})
    assert refusal_of(s3.put_object, **call) == (400, "MetadataTooLarge")


def test_overrides_of_a_signed_answer_hold_for_it_alone(hangar, s3, folder):
    key = folder + "object"
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"body", ContentType="text/plain")
    found = s3.get_object(
        Bucket=hangar.bucket,
        Key=key,
        ResponseContentType="application/json",
        ResponseCacheControl="no-cache",
        ResponseContentDisposition="inline",
        ResponseContentLanguage="pl",
    )
    assert (found["ContentType"], found["CacheControl"], found["ContentDisposition"], found["ContentLanguage"]) == (
        "application/json",
        "no-cache",
        "inline",
        "pl",
    )
    assert s3.head_object(Bucket=hangar.bucket, Key=key)["ContentType"] == "text/plain"


ODD_KEYS = [
    "a//b",
    "../x",
    "..",
    ".",
    "./a/../b",
    "/leading",
    "//",
    "trailing/",
    "ü ☕+&%.png",
    "a+b c%20d%2Fe",
    "?query=1&b#fragment",
    "quote\"and'back`tick\\slash",
    "<xml>&amp;]]>",
    "new\nline and\ttab",
    "tilde~star*(paren)!$,;:=@[]{}|^",
    "e\u0301 and é are two",
    "😀" * 100,
    "k" * 1000,
]


@pytest.mark.parametrize("odd", ODD_KEYS, ids=lambda key: ascii(key)[:40])
def test_an_odd_key_is_kept_exactly(hangar, s3, odd):
    name = f"odd-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key=odd, Body=odd.encode())
    assert s3.get_object(Bucket=name, Key=odd)["Body"].read() == odd.encode()
    assert s3.head_object(Bucket=name, Key=odd)["ContentLength"] == len(odd.encode())
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]] == [odd]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": odd})
    # requests folds dots in paths; a prepared URL that is set afterwards is sent as it stands.
    prepared = requests.Request("GET", hangar.url).prepare()
    prepared.url = url
    with requests.Session() as session:
        assert session.send(prepared, timeout=20).content == odd.encode()
    s3.delete_object(Bucket=name, Key=odd)
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 0


def test_keys_a_and_a_slash_b_live_side_by_side(hangar, s3, folder):
    for key in ("a", "a/b", "a/b/c", "a/"):
        s3.put_object(Bucket=hangar.bucket, Key=folder + key, Body=key.encode())
    s3.delete_object(Bucket=hangar.bucket, Key=folder + "a/b")
    for key in ("a", "a/b/c", "a/"):
        assert s3.get_object(Bucket=hangar.bucket, Key=folder + key)["Body"].read() == key.encode()


def test_a_key_over_1024_bytes_is_refused(hangar, s3):
    assert refusal_of(s3.put_object, Bucket=hangar.bucket, Key="k" * 1025, Body=b"v") == (400, "KeyTooLongError")


# Ranges and conditions


@pytest.mark.parametrize("asked, first, last", [("bytes=0-0", 0, 0), ("bytes=5-", 5, 9), ("bytes=-3", 7, 9), ("bytes=2-100", 2, 9)])
def test_a_range_is_206(hangar, s3, folder, asked, first, last):
    key = folder + "object"
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"0123456789")
    found = s3.get_object(Bucket=hangar.bucket, Key=key, Range=asked)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert found["Body"].read() == b"0123456789"[first : last + 1]
    assert found["ContentRange"] == f"bytes {first}-{last}/10"


def test_a_range_past_the_end_is_416(hangar, s3, folder):
    key = folder + "object"
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"0123456789")
    assert refusal_of(s3.get_object, Bucket=hangar.bucket, Key=key, Range="bytes=10-") == (416, "InvalidRange")


def test_a_range_in_a_large_object_crosses_its_blocks(hangar, s3, folder):
    key, body = folder + "object", hashlib.shake_128(b"large").digest(5_000_000)
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=body)
    for first, last in ((0, 1_048_575), (1_048_575, 1_048_576), (1_000_000, 4_999_999), (4_999_999, 4_999_999)):
        found = s3.get_object(Bucket=hangar.bucket, Key=key, Range=f"bytes={first}-{last}")
        assert found["Body"].read() == body[first : last + 1]


def test_conditional_reads(hangar, s3, folder):
    key = folder + "object"
    where = {"Bucket": hangar.bucket, "Key": key}
    etag = s3.put_object(**where, Body=b"body")["ETag"]
    modified = s3.head_object(**where)["LastModified"]
    assert s3.get_object(**where, IfMatch=etag)["Body"].read() == b"body"
    assert refusal_of(s3.get_object, **where, IfMatch='"other"') == (412, "PreconditionFailed")
    assert s3.get_object(**where, IfNoneMatch='"other"')["Body"].read() == b"body"
    assert refusal_of(s3.get_object, **where, IfNoneMatch=etag)[0] == 304
    assert refusal_of(s3.head_object, **where, IfNoneMatch=etag)[0] == 304
    assert refusal_of(s3.get_object, **where, IfModifiedSince=modified)[0] == 304
    assert s3.get_object(**where, IfModifiedSince="2015-01-01")["Body"].read() == b"body"
    assert s3.get_object(**where, IfUnmodifiedSince=modified)["Body"].read() == b"body"
    assert refusal_of(s3.get_object, **where, IfUnmodifiedSince="2015-01-01") == (412, "PreconditionFailed")


def with_header(client, operation, name, value):
    """Conditions on writes are younger than the boto3 that Plane pins."""

    def add(request, **_):
        request.headers[name] = value

    client.meta.events.register(f"before-sign.s3.{operation}", add)
    return client


def test_conditional_writes(hangar, connect, folder):
    where = {"Bucket": hangar.bucket, "Key": folder + "object"}
    plain = connect(hangar)
    once = with_header(connect(hangar), "PutObject", "If-None-Match", "*")
    other = with_header(connect(hangar), "PutObject", "If-Match", '"other"')
    etag = once.put_object(**where, Body=b"first")["ETag"]
    same = with_header(connect(hangar), "PutObject", "If-Match", etag)
    assert refusal_of(once.put_object, **where, Body=b"second") == (412, "PreconditionFailed")
    assert refusal_of(other.put_object, **where, Body=b"second") == (412, "PreconditionFailed")
    assert plain.get_object(**where)["Body"].read() == b"first"
    same.put_object(**where, Body=b"second")
    assert refusal_of(same.put_object, **where, Body=b"third") == (412, "PreconditionFailed")
    assert plain.get_object(**where)["Body"].read() == b"second"


def test_of_racing_writers_that_want_no_object_exactly_one_wins(hangar, connect, folder):
    where = {"Bucket": hangar.bucket, "Key": folder + "object"}
    once = with_header(connect(hangar), "PutObject", "If-None-Match", "*")

    def put(number):
        try:
            once.put_object(**where, Body=str(number).encode())
            return number
        except botocore.exceptions.ClientError as refused:
            assert refused.response["Error"]["Code"] == "PreconditionFailed"

    with ThreadPoolExecutor(16) as pool:
        winners = [number for number in pool.map(put, range(16)) if number is not None]
    assert len(winners) == 1
    assert once.get_object(**where)["Body"].read() == str(winners[0]).encode()


# Listing


@pytest.fixture(scope="module")
def listed(s3):
    """A bucket with keys whose order is that of their bytes."""
    name = f"listed-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    keys = ["a", "a/b", "a/c/d", "b/", "b/1", "b/2", "c d+e&f", "z", "é", "☕", "😀"]
    for key in reversed(keys):
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    return name, keys


def keys_of(page):
    return [entry["Key"] for entry in page.get("Contents", [])]


def prefixes_of(page):
    return [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]


def test_all_keys_are_listed_in_the_order_of_their_bytes(s3, listed):
    name, keys = listed
    page = s3.list_objects_v2(Bucket=name)
    assert keys_of(page) == keys
    assert (page["KeyCount"], page["IsTruncated"], page["Name"], page["MaxKeys"]) == (len(keys), False, name, 1000)
    entry = page["Contents"][1]
    assert (entry["Size"], entry["ETag"]) == (3, f'"{hashlib.md5(b"a/b").hexdigest()}"')
    assert entry["LastModified"].tzinfo is not None
    assert entry["StorageClass"] == "STANDARD"


@pytest.mark.parametrize(
    "asked, keys, prefixes",
    [
        ({"Prefix": "a"}, ["a", "a/b", "a/c/d"], []),
        ({"Prefix": "a/"}, ["a/b", "a/c/d"], []),
        ({"Prefix": "nothing"}, [], []),
        ({"Delimiter": "/"}, ["a", "c d+e&f", "z", "é", "☕", "😀"], ["a/", "b/"]),
        ({"Prefix": "a/", "Delimiter": "/"}, ["a/b"], ["a/c/"]),
        ({"Prefix": "b/", "Delimiter": "/"}, ["b/", "b/1", "b/2"], []),
        ({"Prefix": "b", "Delimiter": "/"}, [], ["b/"]),
        ({"Delimiter": "☕"}, ["a", "a/b", "a/c/d", "b/", "b/1", "b/2", "c d+e&f", "z", "é", "😀"], ["☕"]),
        ({"StartAfter": "b/1"}, ["b/2", "c d+e&f", "z", "é", "☕", "😀"], []),
        ({"StartAfter": "b0", "Delimiter": "/"}, ["c d+e&f", "z", "é", "☕", "😀"], []),
        ({"Prefix": "b/", "StartAfter": "a"}, ["b/", "b/1", "b/2"], []),
        ({"Prefix": "c d+"}, ["c d+e&f"], []),
    ],
    ids=str,
)
@pytest.mark.parametrize("encoding", [{}, {"EncodingType": "url"}], ids=["plain", "url"])
def test_prefix_delimiter_and_start_after(s3, listed, asked, keys, prefixes, encoding):
    page = s3.list_objects_v2(Bucket=listed[0], **asked, **encoding)
    if encoding:
        assert [unquote(key) for key in keys_of(page)] == keys
        assert [unquote(prefix) for prefix in prefixes_of(page)] == prefixes
    else:
        assert (keys_of(page), prefixes_of(page)) == (keys, prefixes)
    assert page["KeyCount"] == len(keys) + len(prefixes)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11, 1000])
@pytest.mark.parametrize("asked", [{}, {"Delimiter": "/"}, {"Prefix": "b"}, {"StartAfter": "a/b"}], ids=str)
def test_pages_joined_are_the_whole_list(s3, listed, size, asked):
    whole = s3.list_objects_v2(Bucket=listed[0], **asked)
    keys, prefixes, more = [], [], {}
    for _ in range(50):
        page = s3.list_objects_v2(Bucket=listed[0], MaxKeys=size, **asked, **more)
        assert page["KeyCount"] <= size and page["MaxKeys"] == size
        keys += keys_of(page)
        prefixes += prefixes_of(page)
        if not page["IsTruncated"]:
            assert "NextContinuationToken" not in page
            break
        assert page["KeyCount"] == size
        more = {"ContinuationToken": page["NextContinuationToken"]}
    assert (keys, prefixes) == (keys_of(whole), prefixes_of(whole))


def test_no_keys_may_be_asked_for(s3, listed):
    page = s3.list_objects_v2(Bucket=listed[0], MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"], keys_of(page)) == (0, False, [])


def test_a_page_has_a_thousand_keys_at_most(s3, listed):
    assert s3.list_objects_v2(Bucket=listed[0], MaxKeys=5000)["MaxKeys"] == 1000


def test_a_token_that_hangar_did_not_give_is_refused(s3, listed):
    assert refusal_of(s3.list_objects_v2, Bucket=listed[0], ContinuationToken="bogus") == (400, "InvalidArgument")


def test_the_owner_is_named_when_asked_for(s3, listed):
    assert "Owner" not in s3.list_objects_v2(Bucket=listed[0])["Contents"][0]
    assert s3.list_objects_v2(Bucket=listed[0], FetchOwner=True)["Contents"][0]["Owner"]["ID"]


def test_the_paginator_of_boto3_sees_every_key(hangar, s3, folder):
    keys = [f"{folder}{number:04}" for number in range(25)]
    for key in keys:
        s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=hangar.bucket, Prefix=folder, PaginationConfig={"PageSize": 10})
    assert [key for page in pages for key in keys_of(page)] == keys


# Signatures


def test_a_wrong_secret_is_refused(hangar, connect, folder):
    guessed = connect(hangar, secret_key="guessed")
    assert refusal_of(guessed.list_buckets) == (403, "SignatureDoesNotMatch")
    assert refusal_of(guessed.get_object, Bucket=hangar.bucket, Key="k") == (403, "SignatureDoesNotMatch")
    assert refusal_of(guessed.put_object, Bucket=hangar.bucket, Key=folder + "k", Body=b"v") == (403, "SignatureDoesNotMatch")
    assert refusal_of(guessed.head_bucket, Bucket=hangar.bucket) == (403, "403")
    assert refusal_of(guessed.create_bucket, Bucket="guessed-bucket") == (403, "SignatureDoesNotMatch")


def test_an_unknown_key_is_refused_before_anything_is_said_of_what_exists(hangar, connect):
    stranger = connect(hangar, access_key="stranger")
    assert refusal_of(stranger.list_buckets) == (403, "InvalidAccessKeyId")
    assert refusal_of(stranger.get_object, Bucket="no-such-bucket", Key="k") == (403, "InvalidAccessKeyId")
    assert refusal_of(stranger.delete_object, Bucket=hangar.bucket, Key="k") == (403, "InvalidAccessKeyId")


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_any_region_is_taken_where_none_is_set(hangar, connect, region):
    connect(hangar, region=region).head_bucket(Bucket=hangar.bucket)


@pytest.mark.parametrize("method, path", [("GET", ""), ("GET", "/k"), ("HEAD", "/k"), ("PUT", "/k"), ("DELETE", "/k"), ("GET", "?list-type=2")])
def test_a_request_without_a_signature_is_refused(hangar, method, path):
    answer = hangar.request(method, f"/{hangar.bucket}{path}", data=b"v" if method == "PUT" else None)
    assert answer.status_code == 403
    if method != "HEAD":
        assert Refusal(answer).code == "AccessDenied"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_signed_content_must_match_the_body_even_if_it_is_empty(hangar, s3, folder, method):
    class SignsAnotherBody(botocore.auth.S3SigV4Auth):
        def payload(self, request):
            return hashlib.sha256(b"another body").hexdigest()

    s3.put_object(Bucket=hangar.bucket, Key=folder + "object", Body=b"hello")
    request = botocore.awsrequest.AWSRequest(method=method, url=f"{hangar.url}/{hangar.bucket}/{folder}object")
    keys = botocore.credentials.Credentials(hangar.access_key, hangar.secret_key)
    SignsAnotherBody(keys, "s3", "us-east-1").add_auth(request)
    answer = requests.request(method, request.url, headers=dict(request.headers))
    assert answer.status_code == 400
    assert Refusal(answer).code == "XAmzContentSHA256Mismatch"
    assert s3.get_object(Bucket=hangar.bucket, Key=folder + "object")["Body"].read() == b"hello"


@pytest.mark.parametrize("sdk_default", [True, False])
def test_a_checksum_is_verified_and_comes_back(hangar, s3, folder, sdk_default):
    key = folder + "object"
    named = {} if sdk_default else {"ChecksumAlgorithm": "SHA256"}
    put = s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"hello", **named)
    found = s3.get_object(Bucket=hangar.bucket, Key=key, ChecksumMode="ENABLED")
    assert found["Body"].read() == b"hello"
    if named:
        assert put["ChecksumSHA256"] == found["ChecksumSHA256"] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


def test_a_wrong_content_md5_is_refused(hangar, s3, folder):
    where = {"Bucket": hangar.bucket, "Key": folder + "object"}
    assert refusal_of(s3.put_object, **where, Body=b"hello", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==") == (400, "BadDigest")
    assert refusal_of(s3.put_object, **where, Body=b"hello", ContentMD5="not-a-digest") == (400, "InvalidDigest")
    assert s3.list_objects_v2(Bucket=hangar.bucket, Prefix=folder)["KeyCount"] == 0


def test_a_body_that_differs_from_its_signed_hash_is_refused(hangar, connect, folder):
    client = connect(hangar)

    client.meta.events.register("before-send.s3.PutObject", lambda request, **_: setattr(request, "body", b"jello"))
    status, code = refusal_of(client.put_object, Bucket=hangar.bucket, Key=folder + "object", Body=b"hello")
    assert (status, code) in {(400, "XAmzContentSHA256Mismatch"), (400, "BadDigest")}
    assert connect(hangar).list_objects_v2(Bucket=hangar.bucket, Prefix=folder)["KeyCount"] == 0


def test_encryption_that_hangar_does_not_do_is_refused_and_never_stored_in_plain(hangar, s3, folder):
    for asked in ({"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms"}, {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}):
        assert refusal_of(s3.put_object, Bucket=hangar.bucket, Key=folder + "k", Body=b"v", **asked) == (501, "NotImplemented")
    assert s3.list_objects_v2(Bucket=hangar.bucket, Prefix=folder)["KeyCount"] == 0


def test_a_sub_resource_that_is_not_there_yet_is_501_and_never_a_wrong_object(hangar, s3, folder):
    s3.put_object(Bucket=hangar.bucket, Key=folder + "k", Body=b"v")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": hangar.bucket, "Key": folder + "k"})
    assert requests.get(url, timeout=20).content == b"v"
    for call, named in (
        (s3.get_object_torrent, {"Bucket": hangar.bucket, "Key": folder + "k"}),
        (s3.get_bucket_website, {"Bucket": hangar.bucket}),
    ):
        status, _ = refusal_of(call, **named)
        assert status in (404, 501)


# Both faces over one store


def test_boto3_reads_what_a_form_stored(hangar, s3, folder):
    form = Form(hangar, folder + "żółw ☕+&%.txt", {"x-amz-meta-mood": "fine", "Content-Disposition": "inline"})
    assert form.post("treść".encode()).status_code == 204
    found = s3.get_object(Bucket=hangar.bucket, Key=form.key)
    assert found["Body"].read() == "treść".encode()
    assert (found["ContentType"], found["Metadata"], found["ContentDisposition"]) == ("text/plain", {"mood": "fine"}, "inline")


def test_a_restart_keeps_every_object_and_bucket(start_hangar, connect):
    server = start_hangar()
    client = connect(server)
    client.create_bucket(Bucket="second-bucket")
    bodies = {f"key {size}": hashlib.shake_128(b"r").digest(size) for size in (0, 5, 262_144, 262_145, 2_000_000)}
    for key, body in bodies.items():
        client.put_object(Bucket="second-bucket", Key=key, Body=body, Metadata={"size": str(len(body))})
    assert server.stop() == 0
    server.start()
    client = connect(server)
    for key, body in bodies.items():
        found = client.get_object(Bucket="second-bucket", Key=key)
        assert (found["Body"].read(), found["Metadata"]) == (body, {"size": str(len(body))})
