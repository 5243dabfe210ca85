"""MinIO's Python SDK, and the anonymous policies that `mc anonymous set` sends."""

import datetime
import io
import json
import uuid

import pytest
import requests

from bodies import LARGE, ODD_KEYS, body, md5

minio = pytest.importorskip("minio")
urllib3 = pytest.importorskip("urllib3")

from minio.commonconfig import REPLACE, ComposeSource, CopySource, Filter, Tags  # noqa: E402
from minio.deleteobjects import DeleteObject  # noqa: E402
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule  # noqa: E402


@pytest.fixture(params=[None, "us-east-1"], ids=["asks the region", "us-east-1"])
def client(request, endpoint):
    http = urllib3.PoolManager(ca_certs=endpoint.verify, timeout=20, retries=False) if endpoint.verify else None
    return minio.Minio(
        endpoint.url.split("//")[1],
        access_key=endpoint.access_key,
        secret_key=endpoint.secret_key,
        secure=endpoint.scheme == "https",
        region=request.param,
        http_client=http,
    )


def put(client, bucket, key, content, **how):
    return client.put_object(bucket, key, io.BytesIO(content), len(content), **how)


def get(client, bucket, key, **how):
    answer = client.get_object(bucket, key, **how)
    try:
        return answer.data
    finally:
        answer.close()
        answer.release_conn()


def code_of(call, *arguments, **named):
    with pytest.raises(minio.S3Error) as refused:
        call(*arguments, **named)
    return refused.value.code


def test_buckets(client):
    name = f"minio-{uuid.uuid4()}"
    assert not client.bucket_exists(name)
    client.make_bucket(name)
    assert client.bucket_exists(name)
    assert name in [bucket.name for bucket in client.list_buckets()]
    put(client, name, "k", b"v")
    assert code_of(client.remove_bucket, name) == "BucketNotEmpty"
    client.remove_object(name, "k")
    client.remove_bucket(name)
    assert not client.bucket_exists(name)
    assert code_of(client.remove_bucket, name) == "NoSuchBucket"


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_an_object(client, bucket, size):
    content = body(size)
    made = put(client, bucket, "folder/object.txt", content, content_type="text/plain", metadata={"mood": "fine"})
    assert made.etag == md5(content)
    stat = client.stat_object(bucket, "folder/object.txt")
    assert (stat.size, stat.etag, stat.content_type, stat.metadata["x-amz-meta-mood"]) == (size, md5(content), "text/plain", "fine")
    assert get(client, bucket, "folder/object.txt") == content
    if size:
        assert get(client, bucket, "folder/object.txt", offset=1, length=3) == content[1:4]
    client.remove_object(bucket, "folder/object.txt")
    assert code_of(client.stat_object, bucket, "folder/object.txt") == "NoSuchKey"
    assert code_of(client.get_object, bucket, "folder/object.txt") == "NoSuchKey"


def test_a_stream_of_unknown_length_is_uploaded_in_parts(client, bucket):
    content = body(LARGE)
    client.put_object(bucket, "stream", io.BytesIO(content), -1, part_size=8 << 20)
    assert get(client, bucket, "stream") == content
    assert client.stat_object(bucket, "stream").etag.endswith("-3")


def test_files(client, bucket, tmp_path):
    (tmp_path / "up").write_bytes(body(LARGE))
    client.fput_object(bucket, "file", tmp_path / "up", part_size=5 << 20)
    client.fget_object(bucket, "file", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == body(LARGE)


@pytest.mark.parametrize("key", ODD_KEYS + ["a//b", "trailing/"], ids=lambda key: ascii(key)[:30])
def test_odd_keys(client, bucket, endpoint, key):
    put(client, bucket, key, key.encode())
    assert get(client, bucket, key) == key.encode()
    assert [one.object_name for one in client.list_objects(bucket, recursive=True)] == [key]
    copied = client.copy_object(bucket, "copy", CopySource(bucket, key))
    assert copied.etag == md5(key.encode())
    assert requests.get(client.presigned_get_object(bucket, key), verify=endpoint.verify, timeout=20).content == key.encode()
    client.remove_object(bucket, key)


def test_listing(client, bucket):
    keys = ["a", "b/1", "b/2", "b/c/3", "d"]
    for key in keys:
        put(client, bucket, key, b"x")
    for v1 in (False, True):
        assert [one.object_name for one in client.list_objects(bucket, recursive=True, use_api_v1=v1)] == keys
        shown = [(one.object_name, one.is_dir) for one in client.list_objects(bucket, use_api_v1=v1)]
        assert sorted(shown) == [("a", False), ("b/", True), ("d", False)]
        assert [one.object_name for one in client.list_objects(bucket, prefix="b/", recursive=True, start_after="b/1")] == ["b/2", "b/c/3"]
    assert [one.object_name for one in client.list_objects(bucket, recursive=True, include_version=True)] == keys


def test_many_are_removed_at_once(client, bucket):
    keys = [f"many/{number:04}" for number in range(120)] + ODD_KEYS
    for key in keys:
        put(client, bucket, key, b"")
    assert list(client.remove_objects(bucket, [DeleteObject(key) for key in keys + ["never-there"]])) == []
    assert list(client.list_objects(bucket, recursive=True)) == []


def test_copies_and_compositions(client, bucket):
    put(client, bucket, "source", body(6 << 20), content_type="text/plain", metadata={"kept": "yes"})
    client.copy_object(bucket, "copy", CopySource(bucket, "source"))
    stat = client.stat_object(bucket, "copy")
    assert (stat.content_type, stat.metadata["x-amz-meta-kept"]) == ("text/plain", "yes")
    client.copy_object(bucket, "copy", CopySource(bucket, "source"), metadata={"new": "yes"}, metadata_directive=REPLACE)
    assert "x-amz-meta-kept" not in client.stat_object(bucket, "copy").metadata
    client.compose_object(bucket, "whole", [ComposeSource(bucket, "source"), ComposeSource(bucket, "source", offset=0, length=10)])
    assert get(client, bucket, "whole") == body(6 << 20) + body(6 << 20)[:10]
    assert code_of(client.copy_object, bucket, "copy", CopySource(bucket, "source", match_etag="other")) == "PreconditionFailed"


def test_presigned(client, bucket, endpoint):
    url = client.presigned_put_object(bucket, "by url", expires=datetime.timedelta(minutes=5))
    assert requests.put(url, data=b"hello", verify=endpoint.verify, timeout=20).status_code == 200
    url = client.presigned_get_object(bucket, "by url", response_headers={"response-content-type": "application/json"})
    answer = requests.get(url, verify=endpoint.verify, timeout=20)
    assert (answer.content, answer.headers["Content-Type"]) == (b"hello", "application/json")
    policy = minio.datatypes.PostPolicy(bucket, datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
    policy.add_starts_with_condition("key", "form/")
    policy.add_content_length_range_condition(1, 100)
    fields = client.presigned_post_policy(policy) | {"key": "form/object"}
    answer = requests.post(f"{endpoint.url}/{bucket}", data=fields, files={"file": b"from a form"}, verify=endpoint.verify, timeout=20)
    assert answer.status_code == 204, answer.text
    assert get(client, bucket, "form/object") == b"from a form"


def test_tags(client, bucket):
    tags = Tags.new_object_tags()
    tags["project"] = "plane + co"
    put(client, bucket, "k", b"v", tags=tags)
    assert client.get_object_tags(bucket, "k") == tags
    tags["more"] = "a b"
    client.set_object_tags(bucket, "k", tags)
    assert client.get_object_tags(bucket, "k") == tags
    client.delete_object_tags(bucket, "k")
    assert client.get_object_tags(bucket, "k") is None
    of_bucket = Tags.new_bucket_tags()
    of_bucket["team"] = "storage"
    client.set_bucket_tags(bucket, of_bucket)
    assert client.get_bucket_tags(bucket) == of_bucket
    client.delete_bucket_tags(bucket)
    assert client.get_bucket_tags(bucket) is None


def test_lifecycle(client, bucket):
    assert client.get_bucket_lifecycle(bucket) is None
    rule = Rule("Enabled", rule_filter=Filter(prefix="logs/"), rule_id="old-logs", expiration=Expiration(days=30))
    client.set_bucket_lifecycle(bucket, LifecycleConfig([rule]))
    found = client.get_bucket_lifecycle(bucket).rules[0]
    assert (found.rule_id, found.expiration.days, found.rule_filter.prefix) == ("old-logs", 30, "logs/")
    client.delete_bucket_lifecycle(bucket)
    assert client.get_bucket_lifecycle(bucket) is None


def anonymous(bucket, what, prefix=""):
    """The policies of `mc anonymous set download|upload|public BUCKET/PREFIX`, as mc writes them."""
    everybody = {"AWS": ["*"]}
    on_bucket = {
        "download": ["s3:GetBucketLocation", "s3:ListBucket"],
        "upload": ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
        "public": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
    }[what]
    on_objects = {
        "download": ["s3:GetObject"],
        "upload": ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
        "public": ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
    }[what]
    return json.dumps({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": everybody, "Action": on_bucket, "Resource": [f"arn:aws:s3:::{bucket}"]},
            {"Effect": "Allow", "Principal": everybody, "Action": on_objects, "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*"]},
        ],
    })


@pytest.mark.parametrize("what, may", [("download", "RL"), ("upload", "WD"), ("public", "RLWD")])
def test_policies_of_mc_anonymous_set_allow_what_they_say_and_no_more(client, bucket, endpoint, what, may):
    assert code_of(client.get_bucket_policy, bucket) == "NoSuchBucketPolicy"
    put(client, bucket, "object", b"hello")
    client.set_bucket_policy(bucket, anonymous(bucket, what))
    assert json.loads(client.get_bucket_policy(bucket)) == json.loads(anonymous(bucket, what))

    def allowed(method, path, **how):
        status = endpoint.request(method, f"/{bucket}{path}", **how).status_code
        assert status in (200, 204, 403), status
        return status != 403

    found = "".join(
        letter
        for letter, method, path, how in (
            ("R", "GET", "/object", {}),
            ("L", "GET", "?list-type=2", {}),
            ("W", "PUT", "/new", {"data": b"x"}),
            ("D", "DELETE", "/object", {}),
        )
        if allowed(method, path, **how)
    )
    assert found == may
    assert not allowed("GET", "?policy") and not allowed("DELETE", "?policy") and not allowed("PUT", "?tagging", data=b"")
    client.delete_bucket_policy(bucket)
    assert not allowed("GET", "/new") and not allowed("PUT", "/new", data=b"y")


def test_an_anonymous_prefix_ends_where_it_ends(client, bucket, endpoint):
    put(client, bucket, "public/object", b"hello")
    put(client, bucket, "publicity", b"secret")
    client.set_bucket_policy(bucket, anonymous(bucket, "download", "public/"))
    assert endpoint.request("GET", f"/{bucket}/public/object").content == b"hello"
    assert endpoint.request("GET", f"/{bucket}/publicity").status_code == 403


@pytest.mark.parametrize("path", ["live", "ready", "cluster"])
def test_the_health_that_mc_and_compose_files_probe(endpoint, path):
    assert endpoint.request("GET", f"/minio/health/{path}").status_code == 200


def test_calls_of_mc_admin_are_refused_clearly(endpoint):
    answer = endpoint.request("GET", "/minio/admin/v3/info")
    assert answer.status_code == 501 and "<Code>NotImplemented</Code>" in answer.text
