"""What an unmodified Plane does to its bucket, call after call, from its first start to an export."""

import datetime
import io
import json
import uuid

import boto3
import botocore.config
import botocore.exceptions
import pytest
import requests

import pictures
from bodies import LARGE, body, md5, multipart_etag
from clients import s3_client

pytestmark = pytest.mark.boto3

SEVEN_DAYS = 7 * 24 * 3600


@pytest.fixture(scope="module")
def plane(endpoint):
    """`S3Storage` of Plane CE 1.3.1: its shipped settings have an empty region."""
    return s3_client(endpoint, region="")


@pytest.fixture
def exporter(endpoint):
    """The export job's own client: it names no region, so boto3 signs us-east-1."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        verify=endpoint.verify,
        config=botocore.config.Config(signature_version="s3v4"),
    )


@pytest.fixture(autouse=True)
def no_region(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")


def test_the_start_finds_or_makes_the_bucket(plane, endpoint):
    plane.head_bucket(Bucket=endpoint.bucket)
    name = f"plane-{uuid.uuid4()}"
    with pytest.raises(botocore.exceptions.ClientError) as missing:
        plane.head_bucket(Bucket=name)
    # Plane compares this number with 404 before it makes the bucket.
    assert int(missing.value.response["Error"]["Code"]) == 404
    plane.create_bucket(Bucket=name)
    plane.head_bucket(Bucket=name)
    assert plane.list_objects_v2(Bucket=name, MaxKeys=1)["KeyCount"] == 0


def test_the_start_lets_everybody_read_what_older_versions_left(plane, endpoint, bucket):
    with pytest.raises(botocore.exceptions.ClientError) as none:
        plane.get_bucket_policy(Bucket=bucket)
    assert none.value.response["Error"]["Code"] == "NoSuchBucketPolicy"
    plane.put_object(Bucket=bucket, Key="old/logo.png", Body=pictures.png(), ContentType="image/png")
    plane.put_object(Bucket=bucket, Key="new/secret.png", Body=pictures.png(), ContentType="image/png")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": [f"arn:aws:s3:::{bucket}/old/logo.png"]}
        ],
    }
    plane.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert json.loads(plane.get_bucket_policy(Bucket=bucket)["Policy"]) == policy
    assert endpoint.request("GET", f"/{bucket}/old/logo.png").content == pictures.png()
    assert endpoint.request("GET", f"/{bucket}/new/secret.png").status_code == 403
    plane.delete_bucket_policy(Bucket=bucket)
    assert endpoint.request("GET", f"/{bucket}/old/logo.png").status_code == 403


def test_an_asset_from_its_form_to_its_deletion(plane, endpoint):
    key = f"{uuid.uuid4().hex}-notes ą (1).png"
    picture = pictures.filled(300_000, 1)
    made = plane.generate_presigned_post(
        Bucket=endpoint.bucket,
        Key=key,
        Fields={"Content-Type": "image/png", "key": key},
        Conditions=[
            {"bucket": endpoint.bucket},
            ["content-length-range", 1, len(picture)],
            {"Content-Type": "image/png"},
            {"key": key},
        ],
        ExpiresIn=3600,
    )
    answer = requests.post(made["url"], data=made["fields"], files={"file": ("me.png", picture)}, timeout=20, verify=endpoint.verify)
    assert answer.status_code == 204, answer.text

    # `get_object_metadata`, when the upload is confirmed.
    head = plane.head_object(Bucket=endpoint.bucket, Key=key)
    assert (head["ContentType"], head["ContentLength"], head["ETag"], head["Metadata"]) == ("image/png", len(picture), f'"{md5(picture)}"', {})
    age = datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]
    assert abs(age.total_seconds()) < 60

    # `generate_presigned_url`, where a page asks for the picture.
    for disposition in ("inline", "attachment; filename*=UTF-8''notes%20%C4%85%20%281%29.png"):
        url = plane.generate_presigned_url(
            "get_object",
            Params={"Bucket": endpoint.bucket, "Key": key, "ResponseContentDisposition": disposition},
            ExpiresIn=3600,
            HttpMethod="GET",
        )
        answer = requests.get(url, timeout=20, verify=endpoint.verify)
        assert (answer.content, answer.headers["Content-Disposition"]) == (picture, disposition)

    # `copy_object`, where a page with assets is duplicated.
    copy = f"{uuid.uuid4()}/{uuid.uuid4().hex}-copy.png"
    plane.copy_object(Bucket=endpoint.bucket, CopySource={"Bucket": endpoint.bucket, "Key": key}, Key=copy)
    found = plane.get_object(Bucket=endpoint.bucket, Key=copy)
    assert (found["Body"].read(), found["ContentType"]) == (picture, "image/png")

    # `delete_files`, where assets are deleted for good; one of them is not there.
    gone = [key, copy, "never-there.png"]
    told = plane.delete_objects(Bucket=endpoint.bucket, Delete={"Objects": [{"Key": one} for one in gone]})
    assert [one["Key"] for one in told["Deleted"]] == gone and "Errors" not in told
    for one in gone[:2]:
        with pytest.raises(botocore.exceptions.ClientError) as missing:
            plane.head_object(Bucket=endpoint.bucket, Key=one)
        assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize("size", [1000, LARGE], ids=["small", "in parts"])
def test_an_export_is_uploaded_and_can_be_fetched_for_a_week(exporter, endpoint, size):
    archive = body(size, "export")
    key = f"{uuid.uuid4()}/export-{uuid.uuid4().hex[:6]}.zip"
    exporter.upload_fileobj(
        io.BytesIO(archive), endpoint.bucket, key, ExtraArgs={"ACL": "public-read", "ContentType": "application/zip"}
    )
    head = exporter.head_object(Bucket=endpoint.bucket, Key=key)
    assert head["ContentType"] == "application/zip"
    assert head["ETag"] == (multipart_etag(archive) if size == LARGE else f'"{md5(archive)}"')
    url = exporter.generate_presigned_url("get_object", Params={"Bucket": endpoint.bucket, "Key": key}, ExpiresIn=SEVEN_DAYS)
    answer = requests.get(url, timeout=20, verify=endpoint.verify)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    assert answer.content == archive
    # A public ACL grants nothing.
    assert endpoint.request("GET", f"/{endpoint.bucket}/{key}").status_code == 403


def test_an_old_export_is_put_and_deleted(exporter, endpoint):
    key = f"{uuid.uuid4()}/export.csv"
    exporter.put_object(Bucket=endpoint.bucket, Key=key, Body=b"id,name\n", ACL="public-read", ContentType="text/csv")
    assert exporter.head_object(Bucket=endpoint.bucket, Key=key)["ContentType"] == "text/csv"
    exporter.delete_object(Bucket=endpoint.bucket, Key=key)
    assert exporter.list_objects_v2(Bucket=endpoint.bucket, Prefix=key)["KeyCount"] == 0
