"""The AWS CLI: `s3`, which cuts large files, and `s3api`, which says all that S3 has."""

import json

import pytest

from bodies import LARGE, body
from tools import run_tool, surroundings, tool

# Version 1 of the CLI, which PyPI has.
REFUSED = 255
ODD_NAMES = ["ü ☕ a.txt", "a+b c%20d.txt", "inner/quote'd (1).txt", "inner/😀/plain.txt"]


@pytest.fixture
def aws(endpoint, tmp_path):
    path = tool("aws")
    (tmp_path / "home").mkdir()

    def run(*words, status=0):
        ended = run_tool([path, "--endpoint-url", endpoint.url, *words], surroundings(endpoint, tmp_path / "home"), tmp_path, status)
        return ended

    return run


@pytest.fixture
def api(aws, bucket):
    def run(operation, *words, status=0, at=bucket):
        ended = aws("s3api", operation, *(["--bucket", at] if at else []), *words, status=status)
        return json.loads(ended.stdout) if status == 0 and ended.stdout.strip() else ended.told

    return run


@pytest.fixture
def tree(tmp_path):
    """A folder of odd names."""
    for name in ODD_NAMES:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "tree"


def test_files_are_copied_listed_moved_and_removed(aws, bucket, tmp_path):
    (tmp_path / "small.txt").write_bytes(b"hello")
    (tmp_path / "large.bin").write_bytes(body(LARGE))
    aws("s3", "cp", "small.txt", f"s3://{bucket}/", "--metadata", "mood=fine", "--acl", "public-read")
    aws("s3", "cp", "large.bin", f"s3://{bucket}/folder/large.bin")
    listed = aws("s3", "ls", f"s3://{bucket}/").stdout.decode()
    assert "PRE folder/" in listed and "5 small.txt" in listed
    assert f"{LARGE} folder/large.bin" in aws("s3", "ls", "--recursive", f"s3://{bucket}").stdout.decode()
    aws("s3", "cp", f"s3://{bucket}/folder/large.bin", "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == body(LARGE)
    aws("s3", "cp", f"s3://{bucket}/folder/large.bin", f"s3://{bucket}/copied.bin")
    aws("s3", "mv", f"s3://{bucket}/copied.bin", f"s3://{bucket}/moved.bin")
    assert "copied.bin" not in aws("s3", "ls", f"s3://{bucket}/").stdout.decode()
    assert aws("s3", "cp", f"s3://{bucket}/small.txt", "-").stdout == b"hello"
    aws("s3", "rm", "--recursive", f"s3://{bucket}/")
    assert aws("s3", "ls", f"s3://{bucket}/", status=None).stdout == b""
    aws("s3", "rb", f"s3://{bucket}")
    assert b"NoSuchBucket" in aws("s3", "ls", f"s3://{bucket}", status=None).stderr


def test_a_folder_is_kept_in_sync(aws, bucket, tree, tmp_path):
    aws("s3", "sync", "tree", f"s3://{bucket}/tree")
    assert aws("s3", "sync", "tree", f"s3://{bucket}/tree").stdout == b"", "nothing has changed"
    aws("s3", "sync", f"s3://{bucket}/tree", "back")
    assert {str(path.relative_to(tmp_path / "back")) for path in (tmp_path / "back").rglob("*.txt")} == set(ODD_NAMES)
    assert all((tmp_path / "back" / name).read_bytes() == name.encode() for name in ODD_NAMES)
    (tree / ODD_NAMES[0]).unlink()
    assert b"delete:" in aws("s3", "sync", "--delete", "tree", f"s3://{bucket}/tree").stdout
    aws("s3", "sync", f"s3://{bucket}/tree", f"s3://{bucket}/other")
    assert len(aws("s3", "ls", "--recursive", f"s3://{bucket}/other/").stdout.decode().splitlines()) == len(ODD_NAMES) - 1


def test_a_presigned_url_opens(aws, bucket, endpoint, tmp_path):
    # Where nothing else is set, version 1 of the CLI presigns with Signature Version 2, which hangar takes only when told to.
    aws("configure", "set", "default.s3.signature_version", "s3v4")
    (tmp_path / "file").write_bytes(b"hello")
    aws("s3", "cp", "file", f"s3://{bucket}/a b")
    url = aws("s3", "presign", f"s3://{bucket}/a b", "--expires-in", "60").stdout.decode().strip()
    assert url.startswith(endpoint.url)
    assert endpoint.request("GET", url.removeprefix(endpoint.url)).content == b"hello"


def test_an_upload_in_parts_by_hand(api, tmp_path):
    (tmp_path / "first").write_bytes(body(5 << 20))
    (tmp_path / "last").write_bytes(b"last")
    upload = ["--key", "k", "--upload-id", api("create-multipart-upload", "--key", "k")["UploadId"]]
    parts = [
        {"PartNumber": number, "ETag": api("upload-part", *upload, "--part-number", number, "--body", name)["ETag"]}
        for number, name in ((1, "first"), (2, "last"))
    ]
    assert [one["Size"] for one in api("list-parts", *upload)["Parts"]] == [5 << 20, 4]
    assert len(api("list-multipart-uploads")["Uploads"]) == 1
    made = api("complete-multipart-upload", *upload, "--multipart-upload", json.dumps({"Parts": parts}))
    assert made["ETag"].endswith('-2"')
    assert api("head-object", "--key", "k")["ContentLength"] == (5 << 20) + 4
    other = ["--key", "k", "--upload-id", api("create-multipart-upload", "--key", "k")["UploadId"]]
    api("abort-multipart-upload", *other)
    assert "NoSuchUpload" in api("list-parts", *other, status=REFUSED)


def test_objects_their_tags_copies_and_attributes(api, bucket, tmp_path):
    (tmp_path / "file").write_bytes(b"hello")
    put = api("put-object", "--key", "ü k", "--body", "file", "--tagging", "a=1", "--checksum-algorithm", "SHA256", "--content-type", "text/plain")
    assert put["ChecksumSHA256"] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    assert api("get-object-tagging", "--key", "ü k")["TagSet"] == [{"Key": "a", "Value": "1"}]
    api("put-object-tagging", "--key", "ü k", "--tagging", "TagSet=[{Key=b,Value=2}]")
    assert api("get-object-tagging", "--key", "ü k")["TagSet"] == [{"Key": "b", "Value": "2"}]
    api("delete-object-tagging", "--key", "ü k")
    assert api("copy-object", "--key", "copy", "--copy-source", f"{bucket}/ü k")["CopyObjectResult"]["ETag"] == put["ETag"]
    told = api("get-object-attributes", "--key", "copy", "--object-attributes", "ETag", "ObjectSize", "Checksum")
    assert (told["ObjectSize"], told["Checksum"]["ChecksumSHA256"]) == (5, put["ChecksumSHA256"])
    assert api("get-object", "--key", "copy", "--range", "bytes=1-3", "out")["ContentRange"] == "bytes 1-3/5"
    assert (tmp_path / "out").read_bytes() == b"ell"
    assert [one["Key"] for one in api("list-objects-v2")["Contents"]] == ["copy", "ü k"]
    assert [one["VersionId"] for one in api("list-object-versions")["Versions"]] == ["null", "null"]
    api("delete-objects", "--delete", json.dumps({"Objects": [{"Key": "copy"}, {"Key": "ü k"}]}))
    assert "NoSuchKey" in api("get-object", "--key", "copy", "out", status=REFUSED)
    assert "404" in api("head-object", "--key", "copy", status=REFUSED)


def test_the_documents_that_a_bucket_takes(api, bucket):
    api("put-bucket-tagging", "--tagging", "TagSet=[{Key=team,Value=storage}]")
    assert api("get-bucket-tagging")["TagSet"] == [{"Key": "team", "Value": "storage"}]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/public/*"}]}
    api("put-bucket-policy", "--policy", json.dumps(policy))
    assert json.loads(api("get-bucket-policy")["Policy"]) == policy
    rules = {"CORSRules": [{"AllowedOrigins": ["https://plane.example.com"], "AllowedMethods": ["GET"], "AllowedHeaders": ["*"], "MaxAgeSeconds": 5}]}
    api("put-bucket-cors", "--cors-configuration", json.dumps(rules))
    assert api("get-bucket-cors") == rules
    cycle = {"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}]}
    api("put-bucket-lifecycle-configuration", "--lifecycle-configuration", json.dumps(cycle))
    assert api("get-bucket-lifecycle-configuration")["Rules"] == cycle["Rules"]
    assert api("get-bucket-acl")["Grants"][0]["Permission"] == "FULL_CONTROL"
    api("put-bucket-acl", "--acl", "private")
    assert api("get-bucket-location")["LocationConstraint"] is None
    assert "Status" not in (api("get-bucket-versioning") or {})
    for what, code in (("tagging", "NoSuchTagSet"), ("policy", "NoSuchBucketPolicy"), ("cors", "NoSuchCORSConfiguration")):
        api(f"delete-bucket-{what}")
        assert code in api(f"get-bucket-{what}", status=REFUSED)
    assert bucket in [one["Name"] for one in api("list-buckets", at=None)["Buckets"]]
