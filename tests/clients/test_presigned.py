"""What clients presign by themselves, with nothing set but keys and an address: URLs and forms of Signature Version 2."""

import re
import uuid
from urllib.parse import parse_qsl, quote, urlsplit

import boto3
import botocore.config
import pytest
import requests

from refusal import Refusal
from tools import run_tool, surroundings, tool

pytestmark = pytest.mark.boto3


@pytest.fixture(params=[None, "us-east-1"], ids=["no region", "us-east-1"])
def client(request, endpoint, monkeypatch, tmp_path):
    """boto3 as `boto3.client("s3")` makes it: no signature version, no addressing style."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    return boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=request.param,
        verify=endpoint.verify,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def key(endpoint, client):
    key = f"{uuid.uuid4()}/ü a+b & c?.txt"
    client.put_object(Bucket=endpoint.bucket, Key=key, Body=b"hello")
    return key


def version_of(url):
    names = dict(parse_qsl(urlsplit(url).query))
    return 2 if "AWSAccessKeyId" in names else 4


def ask(endpoint, method, url, **how):
    return requests.request(method, url, timeout=20, verify=endpoint.verify, allow_redirects=False, **how)


def test_a_url_reads(endpoint, client, key):
    url = client.generate_presigned_url("get_object", Params={"Bucket": endpoint.bucket, "Key": key})
    answer = ask(endpoint, "GET", url)
    assert (answer.status_code, answer.content) == (200, b"hello"), answer.text
    head = client.generate_presigned_url("head_object", Params={"Bucket": endpoint.bucket, "Key": key})
    assert ask(endpoint, "HEAD", head).status_code == 200
    # The same link with names that mean nothing.
    for more in ("v=2", "1421925028", "userId=5", "Content-Type=image%2Fpng"):
        if version_of(url) == 2:
            assert ask(endpoint, "GET", f"{url}&{more}").content == b"hello"


def test_version_2_is_what_these_tests_are_about(endpoint, client, key):
    """The defaults of boto3: once they are others, these tests need another client."""
    url = client.generate_presigned_url("get_object", Params={"Bucket": endpoint.bucket, "Key": key})
    assert version_of(url) == 2


def test_a_url_names_the_file_that_is_saved(endpoint, client, key):
    def url(disposition):
        stated = {"Bucket": endpoint.bucket, "Key": key, "ResponseContentDisposition": disposition, "ResponseContentType": "text/csv"}
        return client.generate_presigned_url("get_object", Params=stated)

    beyond_ascii = {"ą.pdf": "attachment; filename=\"_.pdf\"; filename*=UTF-8''%C4%85.pdf"}
    for name in ("a b.pdf", "Smith & Sons + Co.pdf", "a=b?c.pdf", *beyond_ascii):
        disposition = f'attachment; filename="{name}"'
        answer = ask(endpoint, "GET", url(disposition))
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Disposition"] == beyond_ascii.get(name, disposition)
        assert answer.headers["Content-Type"].startswith("text/csv")
    # What this version signs of such a name could be another request: it is refused, and says what to do.
    for name in ("a&tagging", "a&versionId=null", "R&acl"):
        refusal = Refusal(ask(endpoint, "GET", url(f"attachment; filename={name}")))
        assert (refusal.status, refusal.code) == (400, "InvalidRequest")
        assert "Signature Version 4" in refusal.message


def test_a_url_for_one_file_opens_nothing_else(endpoint, client, key):
    bucket = endpoint.bucket
    params = {"Bucket": bucket, "Key": key, "ResponseContentDisposition": "attachment; filename=a"}
    url = client.generate_presigned_url("get_object", Params=params)
    assert ask(endpoint, "GET", url).status_code == 200
    other = key.replace("hello", "other") + "2"
    client.put_object(Bucket=bucket, Key=other, Body=b"other")
    path = urlsplit(url).path
    tampered = {
        "another key": url.replace(path, f"/{bucket}/{quote(other)}"),
        "the bucket": url.replace(path, f"/{bucket}"),
        "the service": url.replace(path, "/"),
        "another operation": url + "&tagging",
        "another file name": url.replace("filename%3Da", "filename%3Db"),
        "one more override": url + "&response-content-type=text/html",
        "a header of Amazon's": url + "&x-amz-meta-a=b",
        "another end": re.sub(r"Expires=(\d+)", lambda it: f"Expires={int(it[1]) + 1}", url),
        "a joined sub-resource": url.replace("filename%3Da", "filename%3Da%26tagging"),
        "a repeated one": url + "&response-content-disposition=attachment%3B+filename%3Da",
    }
    for what, tampered_url in tampered.items():
        assert tampered_url != url, what
        answer = ask(endpoint, "GET", tampered_url)
        assert answer.status_code in (400, 403), (what, answer.status_code, answer.text)
    for method in ("HEAD", "PUT", "DELETE", "POST"):
        assert ask(endpoint, method, url).status_code in (400, 403, 405), method
    assert ask(endpoint, "GET", url, headers={"x-amz-meta-a": "b"}).status_code == 403
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"hello"


def test_a_url_writes(endpoint, client):
    key = f"{uuid.uuid4()}/put.txt"
    params = {"Bucket": endpoint.bucket, "Key": key, "ContentType": "text/plain", "Metadata": {"mood": "two words"}, "ACL": "private"}
    url = client.generate_presigned_url("put_object", Params=params)
    sent = {"Content-Type": "text/plain"}
    assert ask(endpoint, "PUT", url, data=b"hello", headers=sent).status_code == 200
    head = client.head_object(Bucket=endpoint.bucket, Key=key)
    assert (head["ContentType"], head["Metadata"]) == ("text/plain", {"mood": "two words"})
    assert ask(endpoint, "PUT", url, data=b"other", headers={"Content-Type": "text/html"}).status_code == 403
    assert ask(endpoint, "PUT", url, data=b"other", headers=sent | {"x-amz-meta-mood": "other"}).status_code == 403
    assert ask(endpoint, "PUT", url.replace("two", "one"), data=b"other", headers=sent).status_code == 403
    assert client.get_object(Bucket=endpoint.bucket, Key=key)["Body"].read() == b"hello"
    delete = client.generate_presigned_url("delete_object", Params={"Bucket": endpoint.bucket, "Key": key})
    assert ask(endpoint, "DELETE", delete).status_code == 204


def test_parts_go_by_urls(endpoint, client):
    stated = {"Bucket": endpoint.bucket, "Key": f"{uuid.uuid4()}/parts"}
    upload = client.create_multipart_upload(**stated)["UploadId"]
    parts = []
    for number in (1, 2):
        params = stated | {"UploadId": upload, "PartNumber": number}
        url = client.generate_presigned_url("upload_part", Params=params)
        answer = ask(endpoint, "PUT", url, data=bytes([number]) * (5 << 20))
        assert answer.status_code == 200, answer.text
        assert ask(endpoint, "PUT", url.replace(f"partNumber={number}", "partNumber=9"), data=b"x").status_code == 403
        parts.append({"PartNumber": number, "ETag": answer.headers["ETag"]})
    client.complete_multipart_upload(**stated, UploadId=upload, MultipartUpload={"Parts": parts})
    assert client.head_object(**stated)["ContentLength"] == 10 << 20


def test_a_form_posts(endpoint, client):
    key = f"{uuid.uuid4()}/posted.txt"
    conditions = [["content-length-range", 1, 10], {"Content-Type": "text/plain"}]
    form = client.generate_presigned_post(endpoint.bucket, key, Fields={"Content-Type": "text/plain"}, Conditions=conditions)
    assert {"AWSAccessKeyId", "signature", "policy"} <= set(form["fields"])

    def post(body=b"hello", query="", **changes):
        fields = {name: value for name, value in (form["fields"] | changes).items() if value is not None}
        return ask(endpoint, "POST", form["url"] + query, data=fields, files={"file": ("me.txt", body)})

    answer = post()
    assert answer.status_code == 204, answer.text
    assert post(query="?userId=5&v2").status_code == 204
    assert client.get_object(Bucket=endpoint.bucket, Key=key)["Body"].read() == b"hello"
    refusals = {
        "a key of its own": (post(key="other"), 403, "AccessDenied"),
        "too long": (post(b"far too long"), 400, "EntityTooLarge"),
        "another signature": (post(signature="AAAA"), 403, "SignatureDoesNotMatch"),
        "no signature": (post(signature=None), 400, "InvalidArgument"),
        "no access key": (post(AWSAccessKeyId=None), 400, "InvalidArgument"),
        "a signature of version 4 too": (post(**{"x-amz-signature": "0" * 64}), 400, "InvalidArgument"),
        "another policy": (post(policy=form["fields"]["policy"][:-4] + "AAAA"), 403, "SignatureDoesNotMatch"),
        "an extra field": (post(**{"x-amz-meta-a": "b"}), 403, "AccessDenied"),
    }
    for what, (answer, status, code) in refusals.items():
        refusal = Refusal(answer)
        assert (refusal.status, refusal.code) == (status, code), (what, refusal)
    assert "Of Signature Version 2 the form lacks 'signature'." in Refusal(post(signature=None)).message


def test_a_listing_by_url(endpoint, client, key):
    """As AWS and MinIO have it: this version signs no parameter of a listing, and takes them."""
    client.put_object(Bucket=endpoint.bucket, Key=key, Body=b"listed")
    url = client.generate_presigned_url("list_objects_v2", Params={"Bucket": endpoint.bucket, "Prefix": key})
    answer = ask(endpoint, "GET", url)
    assert (answer.status_code, answer.text.count("<Contents>")) == (200, 1), answer.text


def test_the_aws_clis_presign(endpoint, tmp_path):
    environment = surroundings(endpoint, tmp_path)
    (tmp_path / "me.png").write_bytes(b"picture")
    source = f"s3://{endpoint.bucket}/pictures/me.png"
    command = [tool("aws"), "--endpoint-url", endpoint.url, "s3"]
    run_tool([*command, "cp", "me.png", source], environment, tmp_path)
    for region in ("us-east-1", None):
        if region is None:
            del environment["AWS_DEFAULT_REGION"]
        url = run_tool([*command, "presign", source, "--expires-in", "3600"], environment, tmp_path).stdout.decode().strip()
        answer = ask(endpoint, "GET", url)
        assert (answer.status_code, answer.content) == (200, b"picture"), answer.text


SETTINGS = [("off", 400, 400), ("false", 400, 400), ("presigned", 200, 400), ("on", 200, 200), ("true", 200, 200)]


@pytest.mark.parametrize("setting, by_url, by_header", SETTINGS)
def test_the_setting(start_hangar, setting, by_url, by_header):
    server = start_hangar(HANGAR_S3_SIGV2=setting)

    def old(version):
        return boto3.client(
            "s3",
            endpoint_url=server.url,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
            region_name="us-east-1",
            config=botocore.config.Config(signature_version=version, retries={"total_max_attempts": 1}),
        )

    old("s3v4").put_object(Bucket=server.bucket, Key="k", Body=b"hello")
    url = old("s3").generate_presigned_url("get_object", Params={"Bucket": server.bucket, "Key": "k"})
    answer = requests.get(url, timeout=20)
    assert answer.status_code == by_url
    if by_url != 200:
        assert Refusal(answer).code == "InvalidRequest"
    form = old("s3").generate_presigned_post(server.bucket, "form")
    posted = requests.post(form["url"], data=form["fields"], files={"file": b"x"}, timeout=20)
    assert posted.status_code == (204 if by_url == 200 else 400)
    if by_url != 200:
        assert "Signature Version 2 is not accepted here" in Refusal(posted).message
    try:
        assert old("s3").get_object(Bucket=server.bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == by_header
    except botocore.exceptions.ClientError as refused:
        assert refused.response["ResponseMetadata"]["HTTPStatusCode"] == by_header
        assert refused.response["Error"]["Code"] == "InvalidRequest"
    assert server.stop() == 0
