"""All that boto3's users do beyond single objects: parts, copies, batches, tags, policies and rules, over HTTP and over TLS."""

import io
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3.s3.transfer
import botocore
import botocore.exceptions
import pytest
import requests

from bodies import LARGE, MEBIBYTE, ODD_KEYS, ODDER_KEYS, body, md5, multipart_etag
from clients import s3_client

pytestmark = pytest.mark.boto3

# The boto3 that Plane pins knows neither these checksums nor the conditions on writes.
IS_CURRENT = tuple(map(int, botocore.__version__.split(".")[:2])) >= (1, 36)
current = pytest.mark.skipif(not IS_CURRENT, reason=f"botocore {botocore.__version__} cannot ask for it")


@pytest.fixture(scope="module")
def s3(endpoint):
    return s3_client(endpoint)


def refusal_of(call, **named):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**named)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def read(s3, bucket, key, **how):
    return s3.get_object(Bucket=bucket, Key=key, **how)["Body"].read()


# Uploads in parts


def upload(s3, bucket, key, parts, **how):
    """Uploads these parts, the last first, and answers the upload's id and what completes it."""
    where = {"Bucket": bucket, "Key": key, "UploadId": s3.create_multipart_upload(Bucket=bucket, Key=key, **how)["UploadId"]}
    made = {}
    for number in sorted(parts, reverse=True):
        made[number] = s3.upload_part(**where, PartNumber=number, Body=parts[number])
    wanted = [{"PartNumber": number, "ETag": made[number]["ETag"]} for number in sorted(made)]
    return where, {"Parts": wanted}


@pytest.mark.parametrize("how", ["file", "stream"])
def test_a_large_file_is_uploaded_in_parallel_parts_and_comes_back(s3, bucket, tmp_path, how):
    content = body(LARGE)
    sent = {"Metadata": {"kind": "backup"}, "ContentType": "application/zip"}
    if how == "file":
        (tmp_path / "up").write_bytes(content)
        s3.upload_file(str(tmp_path / "up"), bucket, "large", ExtraArgs=sent)
    else:
        s3.upload_fileobj(io.BytesIO(content), bucket, "large", ExtraArgs=sent)
    head = s3.head_object(Bucket=bucket, Key="large")
    assert (head["ContentLength"], head["ETag"], head["Metadata"], head["ContentType"]) == (
        LARGE,
        multipart_etag(content),
        {"kind": "backup"},
        "application/zip",
    )
    s3.download_file(bucket, "large", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content


def test_parts_come_out_of_order_are_listed_and_replaced(s3, bucket):
    first, last = body(5 * MEBIBYTE, "first"), body(100, "last")
    where, wanted = upload(s3, bucket, "k", {1: body(5 * MEBIBYTE, "wrong"), 7: last})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert [one["UploadId"] for one in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [where["UploadId"]]
    wanted["Parts"][0]["ETag"] = s3.upload_part(**where, PartNumber=1, Body=first)["ETag"]
    listed = s3.list_parts(**where)["Parts"]
    assert [(one["PartNumber"], one["Size"], one["ETag"]) for one in listed] == [
        (1, len(first), f'"{md5(first)}"'),
        (7, len(last), f'"{md5(last)}"'),
    ]
    page = s3.list_parts(**where, MaxParts=1)
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 1)
    assert [one["PartNumber"] for one in s3.list_parts(**where, PartNumberMarker=1)["Parts"]] == [7]
    made = s3.complete_multipart_upload(**where, MultipartUpload=wanted)
    assert made["ETag"] == multipart_etag(first + last, 5 * MEBIBYTE)
    assert read(s3, bucket, "k") == first + last
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert read(s3, bucket, "k", PartNumber=2) == last
    assert s3.head_object(Bucket=bucket, Key="k", PartNumber=1)["PartsCount"] == 2
    # A client that lost the answer asks again.
    assert s3.complete_multipart_upload(**where, MultipartUpload=wanted)["ETag"] == made["ETag"]


def test_a_complete_with_wrong_parts_is_refused(s3, bucket):
    where, wanted = upload(s3, bucket, "k", {1: b"small", 2: b"too"})
    complete = s3.complete_multipart_upload
    assert refusal_of(complete, **where, MultipartUpload=wanted) == (400, "EntityTooSmall")
    backwards = {"Parts": wanted["Parts"][::-1]}
    assert refusal_of(complete, **where, MultipartUpload=backwards) == (400, "InvalidPartOrder")
    for part in ({"PartNumber": 1, "ETag": md5(b"other")}, {"PartNumber": 9, "ETag": md5(b"small")}):
        assert refusal_of(complete, **where, MultipartUpload={"Parts": [part]}) == (400, "InvalidPart")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    s3.abort_multipart_upload(**where)
    assert refusal_of(complete, **where, MultipartUpload=wanted) == (404, "NoSuchUpload")
    assert refusal_of(s3.upload_part, **where, PartNumber=1, Body=b"x") == (404, "NoSuchUpload")
    assert refusal_of(s3.abort_multipart_upload, **where) == (404, "NoSuchUpload")


@pytest.mark.parametrize("number", [0, 10_001])
def test_a_part_has_a_number_up_to_ten_thousand(s3, bucket, number):
    where, _ = upload(s3, bucket, "k", {})
    assert refusal_of(s3.upload_part, **where, PartNumber=number, Body=b"x") == (400, "InvalidArgument")
    s3.upload_part(**where, PartNumber=10_000, Body=b"x")


def test_parts_are_copied_from_ranges_of_objects(s3, bucket):
    source = body(6 * MEBIBYTE)
    s3.put_object(Bucket=bucket, Key="from here ü+%", Body=source)
    where, _ = upload(s3, bucket, "k", {})
    named = {"CopySource": {"Bucket": bucket, "Key": "from here ü+%"}}
    first = s3.upload_part_copy(**where, **named, PartNumber=1, CopySourceRange=f"bytes=0-{5 * MEBIBYTE - 1}")
    last = s3.upload_part_copy(**where, **named, PartNumber=2, CopySourceRange="bytes=10-19")
    wanted = [{"PartNumber": n, "ETag": one["CopyPartResult"]["ETag"]} for n, one in ((1, first), (2, last))]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": wanted})
    assert read(s3, bucket, "k") == source[: 5 * MEBIBYTE] + source[10:20]


def test_uploads_are_listed_by_prefix_and_in_pages(s3, bucket):
    ids = {}
    for key in ("a/1", "a/2", "b"):
        ids[key] = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert {one["Key"]: one["UploadId"] for one in listed} == ids
    grouped = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in grouped["CommonPrefixes"]] == ["a/"] and [one["Key"] for one in grouped["Uploads"]] == ["b"]
    page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=1)
    assert page["IsTruncated"]
    rest = s3.list_multipart_uploads(Bucket=bucket, KeyMarker=page["NextKeyMarker"], UploadIdMarker=page["NextUploadIdMarker"])
    assert [one["Key"] for one in rest["Uploads"]] == ["a/2", "b"]


def test_racing_completions_end_in_one_whole_object(s3, bucket):
    uploads = [upload(s3, bucket, "k", {1: body(5 * MEBIBYTE, str(n)), 2: str(n).encode()}) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda one: s3.complete_multipart_upload(**one[0], MultipartUpload=one[1])["ETag"], uploads))
    found = read(s3, bucket, "k")
    assert found in [body(5 * MEBIBYTE, str(n)) + str(n).encode() for n in range(4)]
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] in made


# Checksums


@current
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_stored_and_returned(s3, bucket, algorithm):
    if algorithm in ("CRC32C", "CRC64NVME"):
        pytest.importorskip("awscrt", reason="boto3 computes it with awscrt alone")
    where = {"Bucket": bucket, "Key": "k"}
    put = s3.put_object(**where, Body=b"hello", ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    assert put[name] == s3.head_object(**where, ChecksumMode="ENABLED")[name] == s3.get_object(**where, ChecksumMode="ENABLED")[name]
    assert s3.get_object_attributes(**where, ObjectAttributes=["Checksum"])["Checksum"][name] == put[name]
    assert name not in s3.head_object(**where)


@current
@pytest.mark.parametrize("algorithm, wrong", [("CRC32", "AAAAAA=="), ("SHA256", "A" * 43 + "="), ("CRC64NVME", "AAAAAAAAAAA="), ("CRC32C", "AAAAAA=="), ("SHA1", "A" * 27 + "=")])
def test_a_wrong_checksum_is_refused_and_nothing_stored(s3, bucket, algorithm, wrong):
    assert refusal_of(s3.put_object, Bucket=bucket, Key="k", Body=b"hello", **{f"Checksum{algorithm}": wrong}) == (400, "BadDigest")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@current
@pytest.mark.parametrize("algorithm, kind", [("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE")])
def test_an_upload_in_parts_has_a_checksum_of_its_kind(s3, bucket, algorithm, kind):
    where = {"Bucket": bucket, "Key": "k"}
    made = s3.create_multipart_upload(**where, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    part = s3.upload_part(**where, UploadId=made["UploadId"], PartNumber=1, Body=b"hello", ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    wanted = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], name: part[name]}]}
    done = s3.complete_multipart_upload(**where, UploadId=made["UploadId"], MultipartUpload=wanted)
    assert done["ChecksumType"] == kind
    assert done[name].endswith("-1") == (kind == "COMPOSITE")
    assert s3.head_object(**where, ChecksumMode="ENABLED")[name] == done[name]


def test_attributes(s3, bucket):
    where, wanted = upload(s3, bucket, "k", {1: body(5 * MEBIBYTE), 2: b"last"})
    etag = s3.complete_multipart_upload(**where, MultipartUpload=wanted)["ETag"]
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag", "ObjectSize", "StorageClass", "ObjectParts"])
    assert (told["ETag"], told["ObjectSize"], told["StorageClass"]) == (etag.strip('"'), 5 * MEBIBYTE + 4, "STANDARD")
    assert told["ObjectParts"]["TotalPartsCount"] == 2
    assert refusal_of(s3.get_object_attributes, Bucket=bucket, Key="not there", ObjectAttributes=["ETag"]) == (404, "NoSuchKey")


# Copies


@pytest.mark.parametrize("key", ODD_KEYS + ODDER_KEYS, ids=lambda key: ascii(key)[:30])
def test_odd_keys_are_copied_listed_and_deleted(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert read(s3, bucket, "copy") == key.encode()
    s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": "copy"})
    for call in (s3.list_objects, s3.list_objects_v2):
        assert {one["Key"] for one in call(Bucket=bucket)["Contents"]} == {key, "copy"}
    assert {one["Key"] for one in s3.list_object_versions(Bucket=bucket)["Versions"]} == {key, "copy"}
    told = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert [one["Key"] for one in told["Deleted"]] == [key]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy"]


def test_a_copy_keeps_or_replaces_what_was_said_of_the_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello", ContentType="text/plain", Metadata={"a": "1"}, CacheControl="no-cache", Tagging="t=1")
    source = {"Bucket": bucket, "Key": "a"}
    made = s3.copy_object(Bucket=bucket, Key="b", CopySource=source)
    assert made["CopyObjectResult"]["ETag"] == f'"{md5(b"hello")}"' and made["CopyObjectResult"]["LastModified"].tzinfo
    head = s3.head_object(Bucket=bucket, Key="b")
    assert (head["ContentType"], head["Metadata"], head["CacheControl"]) == ("text/plain", {"a": "1"}, "no-cache")
    assert s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"}, ContentType="text/html", TaggingDirective="REPLACE", Tagging="u=2")
    head = s3.head_object(Bucket=bucket, Key="b")
    assert (head["ContentType"], head["Metadata"]) == ("text/html", {"b": "2"}) and "CacheControl" not in head
    assert s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "u", "Value": "2"}]


def test_a_copy_onto_itself_must_change_something(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    source = {"Bucket": bucket, "Key": "a"}
    assert refusal_of(s3.copy_object, Bucket=bucket, Key="a", CopySource=source) == (400, "InvalidRequest")
    s3.copy_object(Bucket=bucket, Key="a", CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "yes"})
    assert (s3.head_object(Bucket=bucket, Key="a")["Metadata"], read(s3, bucket, "a")) == ({"new": "yes"}, b"hello")


def test_copies_that_are_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    copy = {"Bucket": bucket, "Key": "b"}
    assert refusal_of(s3.copy_object, **copy, CopySource={"Bucket": bucket, "Key": "none"}) == (404, "NoSuchKey")
    assert refusal_of(s3.copy_object, **copy, CopySource={"Bucket": "no-such-bucket", "Key": "a"}) == (404, "NoSuchBucket")
    source = {"CopySource": {"Bucket": bucket, "Key": "a"}}
    assert refusal_of(s3.copy_object, **copy, **source, CopySourceIfMatch='"other"') == (412, "PreconditionFailed")
    etag = f'"{md5(b"hello")}"'
    assert refusal_of(s3.copy_object, **copy, **source, CopySourceIfNoneMatch=etag) == (412, "PreconditionFailed")
    assert refusal_of(s3.copy_object, **copy, **source, CopySourceIfUnmodifiedSince="2015-01-01") == (412, "PreconditionFailed")
    s3.copy_object(**copy, **source, CopySourceIfMatch=etag, CopySourceIfModifiedSince="2015-01-01")


def test_a_large_object_is_copied_in_parts(s3, bucket):
    content = body(LARGE)
    s3.put_object(Bucket=bucket, Key="a", Body=content)
    s3.copy({"Bucket": bucket, "Key": "a"}, bucket, "b", Config=boto3.s3.transfer.TransferConfig(multipart_threshold=8 * MEBIBYTE))
    assert read(s3, bucket, "b") == content
    assert s3.head_object(Bucket=bucket, Key="b")["ETag"] == multipart_etag(content)


# Batches and listings


def test_a_thousand_are_deleted_at_once_and_not_one_more(s3, bucket):
    keys = [f"{number:04}" for number in range(1001)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), keys))
    everything = {"Objects": [{"Key": key} for key in keys]}
    assert refusal_of(s3.delete_objects, Bucket=bucket, Delete=everything) == (400, "MalformedXML")
    first = s3.list_objects_v2(Bucket=bucket)
    assert (first["KeyCount"], first["IsTruncated"]) == (1000, True)
    assert [one["Key"] for page in s3.get_paginator("list_objects").paginate(Bucket=bucket) for one in page["Contents"]] == keys
    assert [one["Key"] for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket) for one in page["Versions"]] == keys
    told = s3.delete_objects(Bucket=bucket, Delete={"Objects": everything["Objects"][:1000], "Quiet": True})
    assert "Deleted" not in told and "Errors" not in told
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["1000"]
    assert refusal_of(s3.delete_bucket, Bucket=bucket) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key="1000")
    s3.delete_bucket(Bucket=bucket)
    assert refusal_of(s3.list_objects_v2, Bucket=bucket) == (404, "NoSuchBucket")


@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("delimiter", ["", "/", "ä", "b/"])
def test_pages_of_both_listings_joined_are_the_whole(s3, listed, call, size, delimiter):
    asked = {"Bucket": listed, "Delimiter": delimiter} if delimiter else {"Bucket": listed}

    def entries(pages):
        return [
            name
            for page in pages
            for name in sorted(
                [one["Key"] for one in page.get("Contents", [])] + [one["Prefix"] for one in page.get("CommonPrefixes", [])],
                key=str.encode,
            )
        ]

    whole = entries([getattr(s3, call)(**asked)])
    assert len(whole) == len(set(whole)) and whole == sorted(whole, key=str.encode)
    assert entries(s3.get_paginator(call).paginate(**asked, PaginationConfig={"PageSize": size})) == whole


@pytest.fixture(scope="module")
def listed(s3):
    name = f"listed-{uuid.uuid4()}"
    s3.create_bucket(Bucket=name)
    for key in ("a", "a/b", "a/b/c", "b/", "b/1", "cä1", "cä2", "d e+f%2F", "é", "\u0001odd", "😀"):
        s3.put_object(Bucket=name, Key=key, Body=b"")
    return name


def test_objects_have_the_version_null(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    page = s3.list_object_versions(Bucket=bucket)
    assert [(one["Key"], one["VersionId"], one["IsLatest"]) for one in page["Versions"]] == [("k", "null", True)]
    assert read(s3, bucket, "k", VersionId="null") == b"v"
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


# Presigned URLs and forms


def test_an_object_is_put_headed_and_deleted_by_url(s3, bucket, endpoint):
    def url(operation, **params):
        return s3.generate_presigned_url(operation, Params={"Bucket": bucket, "Key": "ü k+", **params}, ExpiresIn=60)

    def ask(method, where, **how):
        return requests.request(method, where, verify=endpoint.verify, timeout=20, **how)

    put = url("put_object", ContentType="text/plain", Metadata={"mood": "fine"})
    signed = {"Content-Type": "text/plain", "x-amz-meta-mood": "fine"}
    assert ask("PUT", put, data=b"hello", headers=signed | {"Content-Type": "text/html"}).status_code == 403
    assert ask("PUT", put, data=b"hello", headers=signed).status_code == 200
    assert ask("HEAD", url("head_object")).headers["x-amz-meta-mood"] == "fine"
    assert ask("GET", url("get_object"), headers={"Range": "bytes=1-2"}).content == b"el"
    assert ask("DELETE", url("delete_object")).status_code == 204
    assert ask("GET", url("get_object")).status_code == 404


def test_a_url_ends_when_it_says(s3, bucket, endpoint):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=1)
    deadline = time.monotonic() + 20
    while (answer := requests.get(url, verify=endpoint.verify, timeout=20)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert answer.status_code == 403 and "<Code>AccessDenied</Code>" in answer.text


def test_a_form_of_boto3(s3, bucket, endpoint):
    made = s3.generate_presigned_post(
        bucket, "folder/${filename}", Fields={"success_action_status": "201", "x-amz-meta-a": "b"},
        Conditions=[{"success_action_status": "201"}, {"x-amz-meta-a": "b"}, ["content-length-range", 1, 100]],
    )
    answer = requests.post(made["url"], data=made["fields"], files={"file": ("me & you.txt", b"hello")}, verify=endpoint.verify, timeout=20)
    assert answer.status_code == 201 and "<Key>folder/me &amp; you.txt</Key>" in answer.text, answer.text
    assert s3.head_object(Bucket=bucket, Key="folder/me & you.txt")["Metadata"] == {"a": "b"}


# What is said of objects and buckets


def test_tags(s3, bucket):
    where = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**where, Body=b"v", Tagging="a=1&b=%C4%85%20b")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "ą b"}]
    assert s3.get_object_tagging(**where)["TagSet"] == tags
    assert s3.get_object(**where)["TagCount"] == 2
    s3.put_object_tagging(**where, Tagging={"TagSet": tags[:1]})
    assert s3.get_object_tagging(**where)["TagSet"] == tags[:1]
    many = [{"Key": str(n), "Value": ""} for n in range(11)]
    assert refusal_of(s3.put_object_tagging, **where, Tagging={"TagSet": many})[0] == 400
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert refusal_of(s3.put_object_tagging, **where, Tagging={"TagSet": twice}) == (400, "InvalidTag")
    s3.delete_object_tagging(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    assert refusal_of(s3.get_object_tagging, Bucket=bucket, Key="none") == (404, "NoSuchKey")
    assert refusal_of(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refusal_of(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")


def test_a_policy_opens_reading_to_everybody(s3, bucket, endpoint):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}]}
    assert refusal_of(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == policy
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    assert endpoint.request("GET", f"/{bucket}/k").content == b"v"
    for wrong in ("not json", "{}", json.dumps(policy | {"Statement": [{"Effect": "Allow"}]}), json.dumps(policy).replace(bucket, "other")):
        assert refusal_of(s3.put_bucket_policy, Bucket=bucket, Policy=wrong) == (400, "MalformedPolicy"), wrong
    s3.delete_bucket_policy(Bucket=bucket)
    assert endpoint.request("GET", f"/{bucket}/k").status_code == 403


def test_acls_are_private_and_canned_ones_grant_nothing(s3, bucket, endpoint):
    s3.put_object(Bucket=bucket, Key="k", Body=b"v", ACL="public-read")
    for told in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        (grant,) = told["Grants"]
        assert (grant["Permission"], grant["Grantee"]["ID"]) == ("FULL_CONTROL", told["Owner"]["ID"])
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert endpoint.request("GET", f"/{bucket}/k").status_code == 403
    assert refusal_of(s3.get_object_acl, Bucket=bucket, Key="none") == (404, "NoSuchKey")


def test_cors_of_a_bucket_replaces_the_default(s3, bucket, endpoint):
    def preflight(origin, method="PUT"):
        return endpoint.request("OPTIONS", f"/{bucket}/k", headers={"Origin": origin, "Access-Control-Request-Method": method})

    assert preflight("https://anywhere.example.com").headers["Access-Control-Allow-Origin"] == "*"
    assert refusal_of(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    rules = [{"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    allowed = preflight("https://plane.example.com")
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, "https://plane.example.com")
    assert preflight("https://plane.example.org").status_code == 403
    assert preflight("https://plane.example.com", "DELETE").status_code == 403
    assert endpoint.request("OPTIONS", f"/{bucket}/k").status_code == 400
    s3.delete_bucket_cors(Bucket=bucket)
    assert preflight("https://plane.example.org").headers["Access-Control-Allow-Origin"] == "*"


def test_lifecycle_rules_are_kept(s3, bucket):
    assert refusal_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}},
        {"ID": "parts", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    assert 'rule-id="old"' in s3.put_object(Bucket=bucket, Key="logs/k", Body=b"v")["Expiration"]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert refusal_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")


@pytest.mark.parametrize(
    "operation, code",
    [
        ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
    ],
)
def test_a_missing_configuration_is_answered_as_aws_answers_it(s3, bucket, operation, code):
    assert refusal_of(getattr(s3, operation), Bucket=bucket) == (404, code)


def test_a_bucket_is_where_us_east_1_is(s3, bucket):
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


# Conditions


@current
def test_a_completion_and_a_deletion_hold_their_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["ETag"]
    where, wanted = upload(s3, bucket, "k", {1: b"second"})
    assert refusal_of(s3.complete_multipart_upload, **where, MultipartUpload=wanted, IfNoneMatch="*") == (412, "PreconditionFailed")
    s3.complete_multipart_upload(**where, MultipartUpload=wanted, IfMatch=etag)
    assert refusal_of(s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag) == (412, "PreconditionFailed")
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=s3.head_object(Bucket=bucket, Key="k")["ETag"])


# Durability


def test_a_restart_keeps_uploads_tags_and_rules(start_hangar):
    server = start_hangar()
    s3 = s3_client(server)
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="tagged", Body=b"v", Tagging="a=1")
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    where, wanted = upload(s3, "kept", "k", {1: body(5 * MEBIBYTE), 2: b"last"})
    assert server.stop() == 0
    server.start()
    s3 = s3_client(server)
    assert s3.get_object_tagging(Bucket="kept", Key="tagged")["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert s3.get_bucket_tagging(Bucket="kept")["TagSet"] == [{"Key": "a", "Value": "1"}]
    assert len(s3.list_parts(**where)["Parts"]) == 2
    s3.complete_multipart_upload(**where, MultipartUpload=wanted)
    assert read(s3, "kept", "k") == body(5 * MEBIBYTE) + b"last"
