"""What an unmodified Plane signs with boto3: policies with an empty region that repeat themselves, and presigned GETs."""

import base64
import json
import uuid

import pytest
import requests

import pictures
from clients import s3_client
from policy import multipart, post
from refusal import Refusal
from server import free_port

pytestmark = pytest.mark.boto3


def planes_policy(client, bucket, key, content_type, size):
    """As `S3Storage.generate_presigned_post` of Plane CE 1.3.1 asks boto3 for it."""
    return client.generate_presigned_post(
        Bucket=bucket,
        Key=key,
        Fields={"Content-Type": content_type, "key": key},
        Conditions=[{"bucket": bucket}, ["content-length-range", 1, size], {"Content-Type": content_type}, {"key": key}],
        ExpiresIn=3600,
    )


@pytest.fixture(scope="module")
def plane(hangar):
    """Plane's own client: its shipped settings have an empty region."""
    return s3_client(hangar, region="")


@pytest.fixture
def key():
    return f"{uuid.uuid4().hex}-me.png"


@pytest.mark.parametrize("region", ["", "us-east-1"])
@pytest.mark.parametrize("folder", ["", f"{uuid.uuid4()}/"])
def test_a_policy_of_an_unmodified_plane_is_taken_and_read_back(hangar, connect, key, region, folder):
    client = connect(hangar, region=region)
    key = folder + key
    picture = pictures.png()
    made = planes_policy(client, hangar.bucket, key, "image/png", len(picture))
    stated = json.loads(base64.b64decode(made["fields"]["policy"]))["conditions"]
    assert stated.count({"key": key}) == 2 and stated.count({"bucket": hangar.bucket}) == 2
    assert f"/{region}/s3/" in made["fields"]["x-amz-credential"]
    answer = requests.post(made["url"], data=made["fields"], files={"file": ("me.png", picture)}, timeout=20)
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    found = client.get_object(Bucket=hangar.bucket, Key=key)
    assert (found["Body"].read(), found["ContentType"]) == (picture, "image/png")


def test_planes_policy_is_held_to_its_size_and_type(hangar, plane, key):
    made = planes_policy(plane, hangar.bucket, key, "image/png", 10)
    for changed, file, status, code in (
        ({}, b"x" * 11, 400, "EntityTooLarge"),
        ({}, b"", 400, "EntityTooSmall"),
        ({"Content-Type": "text/html"}, b"x", 403, "AccessDenied"),
        ({"key": "another"}, b"x", 403, "AccessDenied"),
        ({"acl": "public-read"}, b"x", 403, "AccessDenied"),
    ):
        answer = requests.post(made["url"], data=made["fields"] | changed, files={"file": ("me.png", file)}, timeout=20)
        refusal = Refusal(answer)
        assert (refusal.status, refusal.code) == (status, code), refusal
    assert plane.list_objects_v2(Bucket=hangar.bucket, Prefix=key)["KeyCount"] == 0


def test_planes_policy_for_an_empty_file_cannot_be_met_and_is_400(hangar, plane, key):
    made = planes_policy(plane, hangar.bucket, key, "image/png", 0)
    for file in (b"", b"x"):
        answer = requests.post(made["url"], data=made["fields"], files={"file": ("me.png", file)}, timeout=20)
        assert Refusal(answer).status == 400


def test_a_presigned_get_of_plane_opens_with_its_disposition(hangar, plane, key):
    plane.put_object(Bucket=hangar.bucket, Key=key, Body=pictures.png(), ContentType="image/png")
    disposition = "attachment; filename*=UTF-8''notes%20%C4%85%20%281%29.txt"
    url = plane.generate_presigned_url(
        "get_object",
        Params={"Bucket": hangar.bucket, "Key": key, "ResponseContentDisposition": disposition},
        ExpiresIn=3600,
        HttpMethod="GET",
    )
    answer = requests.get(url, timeout=20)
    assert (answer.status_code, answer.content) == (200, pictures.png())
    assert answer.headers["Content-Disposition"] == disposition
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_presigned_get_ignores_a_token_that_a_client_resent_after_a_redirect(hangar, plane, key):
    plane.put_object(Bucket=hangar.bucket, Key=key, Body=b"hello")
    url = plane.generate_presigned_url("get_object", Params={"Bucket": hangar.bucket, "Key": key})
    for headers in ({"Authorization": "Bearer plane_api_" + "0" * 32}, {"X-API-Key": "plane_api_" + "0" * 32}):
        assert requests.get(url, headers=headers, timeout=20).content == b"hello"
    twice = requests.get(url, headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"}, timeout=20)
    refusal = Refusal(twice)
    assert (refusal.status, refusal.code) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "content_type, override",
    [("text/html", None), ("image/svg+xml", None), ("image/png", "text/html"), ("application/xhtml+xml", None), ("text/javascript", None)],
)
def test_a_presigned_get_never_opens_an_active_type_in_the_browser(hangar, plane, key, content_type, override):
    plane.put_object(Bucket=hangar.bucket, Key=key, Body=b"<script>alert(1)</script>", ContentType=content_type)
    params = {"Bucket": hangar.bucket, "Key": key, "ResponseContentDisposition": "inline"}
    if override:
        params["ResponseContentType"] = override
    answer = requests.get(plane.generate_presigned_url("get_object", Params=params), timeout=20)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("part", ["X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Credential", "key", "response-content-type"])
def test_a_presigned_url_that_was_changed_is_refused(hangar, plane, key, part):
    plane.put_object(Bucket=hangar.bucket, Key=key, Body=b"hello")
    url = plane.generate_presigned_url("get_object", Params={"Bucket": hangar.bucket, "Key": key}, ExpiresIn=3000)
    changed = {
        "X-Amz-Signature": url[:-1] + ("0" if url[-1] != "0" else "1"),
        "X-Amz-Date": url.replace("00Z", "01Z") if "00Z" in url else url.replace("X-Amz-Expires=3000", "X-Amz-Expires=2999"),
        "X-Amz-Expires": url.replace("X-Amz-Expires=3000", "X-Amz-Expires=604800"),
        "X-Amz-Credential": url.replace("%2Fs3%2F", "us-east-2%2Fs3%2F"),
        "key": url.replace(key, "0" + key),
        "response-content-type": url + "&response-content-type=text/html",
    }[part]
    assert changed != url
    assert requests.get(url, timeout=20).status_code == 200
    refusal = Refusal(requests.get(changed, timeout=20))
    assert (refusal.status, refusal.code) == (403, "SignatureDoesNotMatch")


def test_a_presigned_url_that_expires_at_once_has_expired(hangar, plane, key):
    url = plane.generate_presigned_url("get_object", Params={"Bucket": hangar.bucket, "Key": key}, ExpiresIn=0)
    refusal = Refusal(requests.get(url, timeout=20))
    assert (refusal.status, refusal.code) == (403, "AccessDenied")


@pytest.mark.parametrize("expires", [-1, 604801])
def test_a_presigned_url_with_an_impossible_life_is_refused(hangar, plane, key, expires):
    url = plane.generate_presigned_url("get_object", Params={"Bucket": hangar.bucket, "Key": key}, ExpiresIn=expires)
    refusal = Refusal(requests.get(url, timeout=20))
    assert (refusal.status, refusal.code) == (400, "AuthorizationQueryParametersError")


# Vectors that Plane itself made, with keys that everybody knows: their day is over.

VECTOR_BY_PLANE = {
    "Content-Type": "image/png",
    "key": "52adf0a2f03942aa951902393533d7b9-me.png",
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": "access-key/20261123//s3/aws4_request",
    "x-amz-date": "20261123T091810Z",
    "policy": "eyJleHBpcmF0aW9uIjogIjIwMjYtMTEtMjNUMTA6MTg6MTBaIiwgImNvbmRpdGlvbnMiOiBbeyJidWNrZXQiOiAidXBsb2FkcyJ9LCBbImNvbnRlbnQtbGVuZ3RoLXJhbmdlIiwgMSwgNzNdLCB7IkNvbnRlbnQtVHlwZSI6ICJpbWFnZS9wbmcifSwgeyJrZXkiOiAiNTJhZGYwYTJmMDM5NDJhYTk1MTkwMjM5MzUzM2Q3YjktbWUucG5nIn0sIHsiYnVja2V0IjogInVwbG9hZHMifSwgeyJrZXkiOiAiNTJhZGYwYTJmMDM5NDJhYTk1MTkwMjM5MzUzM2Q3YjktbWUucG5nIn0sIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwgeyJ4LWFtei1jcmVkZW50aWFsIjogImFjY2Vzcy1rZXkvMjAyNjExMjMvL3MzL2F3czRfcmVxdWVzdCJ9LCB7IngtYW16LWRhdGUiOiAiMjAyNjExMjNUMDkxODEwWiJ9XX0=",
    "x-amz-signature": "f22a6edad8f44f502bf8b9e28a66e7fd73540cc0756be1881bca222bc27ad3e5",
}
VECTOR_BY_HANGAR = {
    "Content-Type": "image/png",
    "key": "user-assets/3999b15f-7a97-486e-b06b-d08ce45c00c9/me.png",
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": "access-key/20261123/us-east-1/s3/aws4_request",
    "x-amz-date": "20261123T091810Z",
    "policy": "eyJleHBpcmF0aW9uIjoiMjAyNi0xMS0yM1QxMDoxODoxMFoiLCJjb25kaXRpb25zIjpbeyJidWNrZXQiOiJ1cGxvYWRzIn0sWyJjb250ZW50LWxlbmd0aC1yYW5nZSIsMSw3M10seyJDb250ZW50LVR5cGUiOiJpbWFnZS9wbmcifSx7ImtleSI6InVzZXItYXNzZXRzLzM5OTliMTVmLTdhOTctNDg2ZS1iMDZiLWQwOGNlNDVjMDBjOS9tZS5wbmcifSx7IngtYW16LWFsZ29yaXRobSI6IkFXUzQtSE1BQy1TSEEyNTYifSx7IngtYW16LWNyZWRlbnRpYWwiOiJhY2Nlc3Mta2V5LzIwMjYxMTIzL3VzLWVhc3QtMS9zMy9hd3M0X3JlcXVlc3QifSx7IngtYW16LWRhdGUiOiIyMDI2MTEyM1QwOTE4MTBaIn1dfQ==",
    "x-amz-signature": "a02ac78e479d7bc6b99a1ae370ae9e05c9aa441319cd0b4b1a80e85d05b58f3e",
}
VECTOR_GET = (
    "/uploads/52adf0a2f03942aa951902393533d7b9-me.png?response-content-disposition=inline%3B%20filename%2A%3DUTF-8%27%27013690e613704906b495358daeb29d42"
    "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=access-key%2F20261123%2F%2Fs3%2Faws4_request&X-Amz-Date=20261123T091813Z&X-Amz-Expires=3600"
    "&X-Amz-SignedHeaders=host&X-Amz-Signature=2fe495e8975cea43c6948352b37224c9437d23c2ceb3e9887d0bb88d8ca533a7"
)


@pytest.mark.parametrize("fields", [VECTOR_BY_PLANE, VECTOR_BY_HANGAR], ids=["by Plane", "by hangar"])
def test_a_policy_of_another_day_is_signed_well_and_has_expired(start_hangar, fields):
    server = start_hangar(AWS_ACCESS_KEY_ID="access-key", AWS_SECRET_ACCESS_KEY="secret-key")
    refusal = Refusal(post(server, "/uploads", multipart([*fields.items(), ("file", pictures.png())])))
    assert (refusal.status, refusal.code) == (403, "AccessDenied")
    assert refusal.message == "Invalid according to Policy: Policy expired."
    changed = fields | {"x-amz-signature": fields["x-amz-signature"][::-1]}
    refusal = Refusal(post(server, "/uploads", multipart([*changed.items(), ("file", pictures.png())])))
    assert (refusal.status, refusal.code) == (403, "SignatureDoesNotMatch")


def test_a_policy_signed_with_a_key_that_hangar_does_not_hold_is_refused(hangar):
    refusal = Refusal(post(hangar, "/uploads", multipart([*VECTOR_BY_PLANE.items(), ("file", pictures.png())])))
    assert (refusal.status, refusal.code) == (403, "InvalidAccessKeyId")


def test_a_presigned_get_of_another_day_has_expired(start_hangar):
    server = start_hangar(AWS_ACCESS_KEY_ID="access-key", AWS_SECRET_ACCESS_KEY="secret-key")
    refusal = Refusal(server.request("GET", VECTOR_GET, headers={"Host": "127.0.0.1:8080"}))
    assert (refusal.status, refusal.code, refusal.message) == (403, "AccessDenied", "Request has expired")


def test_in_minios_place_planes_uploads_work_and_no_secret_is_printed(start_hangar, connect, tmp_path, key):
    """`hangar server DIR --console-address …` with MinIO's names for the key pair, as Plane's compose file starts it."""
    port = free_port()
    server = start_hangar(
        command=["server", tmp_path / "export", "--address", f"127.0.0.1:{port}", "--console-address", ":9090"],
        HANGAR_LISTEN=None,
        HANGAR_DATA_DIR=None,
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
        MINIO_ROOT_USER="plane-root",
        MINIO_ROOT_PASSWORD="plane-root-password",
        port=port,
    )
    for path in ("/minio/health/live", "/minio/health/ready", "/minio/health/cluster"):
        assert server.request("GET", path).status_code == 200
    client = connect(server, "plane-root", "plane-root-password", region="")
    client.head_bucket(Bucket="uploads")
    picture = pictures.png()
    made = planes_policy(client, "uploads", key, "image/png", len(picture))
    assert requests.post(made["url"], data=made["fields"], files={"file": ("me.png", picture)}, timeout=20).status_code == 204
    url = client.generate_presigned_url("get_object", Params={"Bucket": "uploads", "Key": key})
    assert requests.get(url, timeout=20).content == picture
    assert (tmp_path / "export/@hangar").is_dir()
    assert "plane-root-password" not in server.said()
    assert "plane_api_" not in server.said()
