"""How a query is read: the names that select an operation, the names that are ignored, and the meaning of a `+`."""

import hashlib
import html
import json
import re
import uuid
from urllib.parse import quote

import botocore.session
import pytest
import requests

from policy import Form, amz_date, now, post, multipart, signature
from refusal import Refusal
from tools import tool, run_tool, surroundings

EMPTY = hashlib.sha256(b"").hexdigest()
# Not one of them is a name that S3 knows.
IGNORED = ["v=2", "v2", "1421925028", "t=", "a&b", "userId=5", "Content-Type=image%2Fpng", "newFeature", "x+y=z+z", "="]


def canonical(query):
    """As AWS's pages have it, of a query whose names and values are encoded already."""
    pairs = [piece.partition("=")[::2] for piece in query.split("&") if piece]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def signed(server, method, path, query="", headers=None, body=b"", sent=None):
    """A request that is signed in its header. `sent`: the query that goes out, where it is not the one that was signed."""
    date = amz_date(now())
    headers = {"host": f"127.0.0.1:{server.port}", "x-amz-date": date, "x-amz-content-sha256": hashlib.sha256(body).hexdigest()} | (headers or {})
    names = ";".join(sorted(headers))
    lines = [method, path, canonical(query), *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names, headers["x-amz-content-sha256"]]
    request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    proof = signature(server.secret_key, date[:8], "us-east-1", f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}")
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={server.access_key}/{scope}, SignedHeaders={names}, Signature={proof}"
    return ask(server, method, path, query if sent is None else sent, headers, body)


def presigned(server, method, path, query="", headers=None, body=b"", sent=None, signed_names="host", host=None):
    """A request that is signed in its query, with headers that are not signed."""
    date = amz_date(now())
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    of_the_signature = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={quote(f'{server.access_key}/{scope}', safe='')}"
        f"&X-Amz-Date={date}&X-Amz-Expires=60&X-Amz-SignedHeaders={signed_names}"
    )
    host = host or f"127.0.0.1:{server.port}"
    lines = [method, path, canonical(f"{query}&{of_the_signature}"), f"host:{host}", "", signed_names, "UNSIGNED-PAYLOAD"]
    request = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    proof = signature(server.secret_key, date[:8], "us-east-1", f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}")
    sent = query if sent is None else sent
    return ask(server, method, path, f"{sent}&{of_the_signature}&X-Amz-Signature={proof}", headers, body)


def ask(server, method, path, query="", headers=None, body=b""):
    """The query goes out as it is: requests would write it anew."""
    prepared = requests.Request(method, server.url + path, headers=headers, data=body or None).prepare()
    prepared.url = f"{server.url}{path}?{query}" if query else server.url + path
    with requests.Session() as session:
        return session.send(prepared, timeout=20, allow_redirects=False)


@pytest.fixture
def path(hangar, s3):
    key = f"{uuid.uuid4()}/a.txt"
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=b"hello")
    return f"/{hangar.bucket}/{key}"


@pytest.fixture
def public(hangar, s3):
    """Everybody may read and list the bucket."""
    arn = f"arn:aws:s3:::{hangar.bucket}"
    statements = [{"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource} for action, resource in (("s3:GetObject", f"{arn}/*"), ("s3:ListBucket", arn))]
    s3.put_bucket_policy(Bucket=hangar.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    yield
    s3.delete_bucket_policy(Bucket=hangar.bucket)


# What is ignored


@pytest.mark.parametrize("name", IGNORED)
def test_a_name_that_s3_does_not_know_is_ignored_on_every_method(hangar, s3, path, name):
    plain = signed(hangar, "GET", path)
    # A client signs a `+` as the space that it is.
    canonical_name = name.replace("+", "%20")
    for way in (signed, presigned):
        def send(method, target, query="", **how):
            joined = "&".join(filter(None, (query, canonical_name)))
            return way(hangar, method, target, joined, sent="&".join(filter(None, (query, name))), **how)

        read = send("GET", path)
        assert (read.status_code, read.content) == (200, b"hello"), read.text
        for header in ("ETag", "Content-Type", "Content-Length", "Last-Modified"):
            assert read.headers[header] == plain.headers[header]
        assert send("HEAD", path).status_code == 200
        assert send("GET", f"/{hangar.bucket}", "list-type=2").status_code == 200
        assert send("HEAD", f"/{hangar.bucket}").status_code == 200
        assert send("PUT", path + "2", body=b"two").status_code == 200
        assert send("GET", path + "2").content == b"two"
        upload = send("POST", path + "3", "uploads=")
        assert "<UploadId>" in upload.text
        assert send("DELETE", path + "2").status_code == 204
        assert Refusal(send("GET", path + "2")).code == "NoSuchKey"


@pytest.mark.parametrize("name", IGNORED)
def test_a_name_that_s3_does_not_know_is_ignored_without_a_signature(hangar, path, public, name):
    for _ in range(3):
        answer = ask(hangar, "GET", path, name)
        assert (answer.status_code, answer.content) == (200, b"hello")
    assert ask(hangar, "HEAD", path, name).status_code == 200
    assert ask(hangar, "PUT", path, name, body=b"other").status_code == 403
    assert ask(hangar, "DELETE", path, name).status_code == 403
    assert ask(hangar, "GET", path).content == b"hello"


def test_an_answer_from_memory_is_of_its_own_query_and_closed_with_the_policy(hangar, s3, path, public):
    for _ in range(3):
        for query in ("", "v=1", "v2"):
            assert ask(hangar, "GET", path, query).content == b"hello"
    s3.put_object(Bucket=hangar.bucket, Key=path.split("/", 2)[2], Body=b"other")
    for query in ("", "v=1", "v2"):
        assert ask(hangar, "GET", path, query).content == b"other"
    s3.delete_bucket_policy(Bucket=hangar.bucket)
    for query in ("", "v=1", "v2"):
        assert ask(hangar, "GET", path, query).status_code == 403


@pytest.mark.parametrize("query", ["userId=5", "v2", "Content-Type=image%2Fpng", "x-amz-acl=public-read"])
def test_a_forms_address_may_have_a_query(hangar, s3, query):
    form = Form(hangar, f"{uuid.uuid4()}/form.txt")
    assert form.post(path=f"/{hangar.bucket}?{query}").status_code == 204
    assert s3.head_object(Bucket=hangar.bucket, Key=form.key)["ContentType"] == "text/plain"


# What selects


def models():
    """Each method and sub-resource of the operations that botocore knows, with the path that they are of."""
    service = botocore.session.get_session().get_service_model("s3")
    for name in service.operation_names:
        http = service.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        selectors = [piece.partition("=")[0] for piece in query.split("&") if piece]
        for selector in selectors:
            if selector != "select-type":
                yield selector, "{Key" in path, http["method"]


# The sub-resources of MinIO, and those of others that would cost data if they were ignored.
OTHERS = ["events", "replication-metrics", "replication-reset", "replication-reset-status", "replication-check", "lambdaArn", "append"]
SELECTORS = sorted({selector for selector, _, _ in models()} | {"partNumber", "uploadId", "versionId", *OTHERS})


@pytest.mark.parametrize("selector", SELECTORS)
def test_a_sub_resource_is_never_taken_for_an_object_or_its_bucket(hangar, s3, path, selector):
    """Whatever is made of it, by any method, at either level: no object and no bucket comes, goes or changes."""
    other = f"selectors-{uuid.uuid4()}"
    s3.create_bucket(Bucket=other)
    query = f"{selector}=" if selector != "list-type" else "list-type=2"
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        for target in (path, f"/{other}"):
            answer = signed(hangar, method, target, query, body=b"<a/>" if method in ("PUT", "POST") else b"")
            assert answer.status_code in (200, 204, 400, 404, 405, 412, 501), (method, target, answer.text)
            assert b"hello" not in answer.content, (method, target)
            if method == "HEAD":
                assert answer.headers.get("Content-Length") != "5", target
    assert s3.get_object(Bucket=hangar.bucket, Key=path.split("/", 2)[2])["Body"].read() == b"hello"
    s3.head_bucket(Bucket=other)


# Spaces and plus signs


def keys_of(answer):
    assert answer.status_code == 200, answer.text
    return [html.unescape(key) for key in re.findall("<Key>(.*?)</Key>", answer.text)]


@pytest.mark.parametrize("signed_as, sent_as, found", [
    ("a%20b", "a%20b", "a b.txt"),
    ("a%20b", "a+b", "a b.txt"),
    ("a%2Bb", "a%2Bb", "a+b.txt"),
    ("a%2Bb", "a+b", "a+b.txt"),
    ("a%2Bb", "a%2bb", "a+b.txt"),
])
@pytest.mark.parametrize("way", [signed, presigned])
def test_a_plus_is_what_was_signed(hangar, s3, way, signed_as, sent_as, found):
    folder = uuid.uuid4()
    for name in ("a b.txt", "a+b.txt"):
        s3.put_object(Bucket=hangar.bucket, Key=f"{folder}/{name}", Body=b"x")
    query = f"list-type=2&prefix={folder}%2F"
    answer = way(hangar, "GET", f"/{hangar.bucket}", query + signed_as, sent=query + sent_as)
    assert keys_of(answer) == [f"{folder}/{found}"]


@pytest.mark.parametrize("way", [signed, presigned])
@pytest.mark.parametrize("signed_as, sent_as", [("a%20b", "a%2Bb"), ("a%2Bb", "a%20b"), ("a%20b%2B", "a+b+")])
def test_a_space_and_a_plus_sign_are_never_mixed_up(hangar, way, signed_as, sent_as):
    query = "list-type=2&prefix="
    answer = way(hangar, "GET", f"/{hangar.bucket}", query + signed_as, sent=query + sent_as)
    assert (answer.status_code, Refusal(answer).code) == (403, "SignatureDoesNotMatch")


def test_without_a_signature_a_plus_is_a_space(hangar, s3, public):
    folder = uuid.uuid4()
    for name in ("a b.txt", "a+b.txt"):
        s3.put_object(Bucket=hangar.bucket, Key=f"{folder}/{name}", Body=b"x")
    listed = lambda prefix: keys_of(ask(hangar, "GET", f"/{hangar.bucket}", f"list-type=2&prefix={folder}%2F{prefix}"))
    assert listed("a+b") == listed("a%20b") == [f"{folder}/a b.txt"]
    assert listed("a%2Bb") == [f"{folder}/a+b.txt"]


def test_a_header_in_the_query_has_its_spaces(hangar, s3):
    for sent, value in (("two+words", "two words"), ("two%20words", "two words")):
        path = f"/{hangar.bucket}/{uuid.uuid4()}"
        answer = presigned(hangar, "PUT", path, "x-amz-meta-note=two%20words", sent=f"x-amz-meta-note={sent}", body=b"a")
        assert answer.status_code == 200, answer.text
        assert s3.head_object(Bucket=hangar.bucket, Key=path.split("/", 2)[2])["Metadata"] == {"note": value}


# curl


def test_curl_without_the_hash_of_its_body(hangar, s3, path, tmp_path):
    """Debian's curl signs the hash of an empty body and does not send it."""
    url = f"{hangar.url}{path}"
    user = f"{hangar.access_key}:{hangar.secret_key}"

    def curl(*arguments):
        command = [tool("curl"), "--silent", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", user, "--write-out", "\n%{http_code}", *arguments]
        return run_tool(command, surroundings(hangar, tmp_path), tmp_path).stdout.decode().rsplit("\n", 1)

    assert curl(url) == ["hello", "200"]
    assert curl("--head", url)[1] == "200"
    listed, status = curl(f"{hangar.url}/{hangar.bucket}?list-type=2&prefix={path.split('/')[2]}")
    assert (status, "<KeyCount>1<" in listed) == ("200", True)
    assert curl("--request", "DELETE", url)[1] == "204"
    assert curl(url)[1] == "404"


def test_a_body_that_was_not_announced_is_not_the_empty_one(hangar, path):
    """Signed over the hash of nothing, which is not sent, with bytes that are."""
    date = amz_date(now())
    host = f"127.0.0.1:{hangar.port}"
    names = "host;x-amz-date"
    request = hashlib.sha256(f"PUT\n{path}\n\nhost:{host}\nx-amz-date:{date}\n\n{names}\n{EMPTY}".encode()).hexdigest()
    scope = f"{date[:8]}/us-east-1/s3/aws4_request"
    proof = signature(hangar.secret_key, date[:8], "us-east-1", f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}")
    headers = {"x-amz-date": date, "authorization": f"AWS4-HMAC-SHA256 Credential={hangar.access_key}/{scope}, SignedHeaders={names}, Signature={proof}"}
    for body in (b"evil", iter([b"evil"])):
        answer = requests.put(hangar.url + path, data=body, headers=headers, timeout=20)
        assert (answer.status_code, Refusal(answer).code) == (400, "InvalidRequest")
    assert signed(hangar, "GET", path).content == b"hello"
    assert requests.put(hangar.url + path, headers=headers, timeout=20).status_code == 200
    assert signed(hangar, "GET", path).content == b""


# A proxy that drops the port


MENDS = ("proxy_set_header Host $http_host;", "HANGAR_PUBLIC_URL")


def refused_lines(server):
    return [line for line in server.said().splitlines() if "no signature by" in line]


def test_the_log_tells_a_changed_host_from_a_wrong_secret_where_possible(start_hangar):
    server = start_hangar()
    path = f"/{server.bucket}/none"
    public = "plane.lan:8080"

    def refused(**headers):
        answer = presigned(server, "GET", path, host=public, headers={"Host": "plane.lan"} | headers)
        assert (answer.status_code, Refusal(answer).code) == (403, "SignatureDoesNotMatch")
        return Refusal(answer).message

    message = refused()
    assert 'arrived with the host "plane.lan"' in message
    message = refused(Referer=f"http://{public}/acme/")
    assert f'holds for the host "{public}"' in message
    server.stop()
    unknown, found = refused_lines(server)
    for line in (unknown, found):
        assert all(mend in line for mend in MENDS), line
    assert "another secret key" in unknown
    assert public in found and "another secret key" not in found
    mended = start_hangar(HANGAR_PUBLIC_URL=f"http://{public}")
    answer = presigned(mended, "GET", path, host=public, headers={"Host": "plane.lan"})
    assert Refusal(answer).code == "NoSuchKey"


def test_a_form_that_came_by_a_changed_host_warns_once(start_hangar):
    server = start_hangar()
    warnings = lambda: [line for line in server.said().splitlines() if "WARN" in line and "changed the Host header" in line]

    def posted(**headers):
        form = Form(server, "form.txt")
        body = multipart(form.signed() + [("file", b"hello")])
        assert post(server, f"/{server.bucket}", body, **headers).status_code == 204

    posted(Origin="http://plane.lan:8080", Host="plane.lan:8080")
    posted(Origin="http://other.lan:8080", Host="plane.lan")
    posted(Origin="http://plane.lan", Host="plane.lan")
    assert warnings() == []
    for _ in range(5):
        posted(Origin="http://plane.lan:8080", Host="plane.lan")
    (line,) = warnings()
    assert "plane.lan:8080" in line and all(mend in line for mend in MENDS)
