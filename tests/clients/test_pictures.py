"""The main job, for each kind of picture: ask for an upload, post the form, read it back without a token, delete it."""

import hashlib
import re
import uuid

import pytest
import requests

import pictures
from policy import ORIGIN
from refusal import Refusal
from server import wait_until

TYPES = ["image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif"]
PLACES = ["USER_AVATAR", "USER_COVER"]


def upload(hangar, token, picture, entity_type="USER_AVATAR", **asked):
    """Asks and posts as the API documentation's `requests` example does."""
    asked = {"name": "me", "type": "image/png", "size": len(picture), "entity_type": entity_type} | asked
    made = hangar.ask(token, **asked)
    answer = requests.post(
        made["upload_data"]["url"],
        data=made["upload_data"]["fields"],
        files={"file": ("me", picture)},
        headers={"Origin": ORIGIN},
        timeout=20,
    )
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    return made


@pytest.fixture
def uploaded(hangar, token):
    """The address of a PNG that is there, and its bytes."""
    picture = pictures.filled(5000, str(uuid.uuid4()))
    return upload(hangar, token, picture)["asset_url"], picture


@pytest.mark.parametrize("entity_type", PLACES)
@pytest.mark.parametrize("content_type", TYPES)
def test_a_picture_is_asked_for_posted_served_and_deleted(hangar, token, content_type, entity_type):
    picture = pictures.of(content_type)
    made = upload(hangar, token, picture, entity_type, type=content_type, name="a picture")
    asset_id = made["asset_id"]
    assert made["asset_url"] == f"/api/assets/v2/static/{asset_id}/"

    answer = hangar.request("GET", made["asset_url"])
    assert answer.status_code == 200
    assert answer.content == picture
    expected = {
        "Content-Type": "image/jpeg" if content_type == "image/jpg" else content_type,
        "Content-Length": str(len(picture)),
        "ETag": f'"{hashlib.md5(picture).hexdigest()}"',
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"inline; filename*=UTF-8''{asset_id.replace('-', '')}",
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "public, max-age=3600",
    }
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["Last-Modified"])
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Set-Cookie" not in answer.headers

    item = f"/api/v1/assets/user-assets/{asset_id}/"
    headers = {"X-API-Key": token}
    patched = hangar.request("PATCH", item, json={"attributes": {"name": "renamed"}}, headers=headers)
    assert (patched.status_code, patched.content) == (204, b"")
    assert hangar.request("GET", made["asset_url"]).content == picture
    deleted = hangar.request("DELETE", item, headers=headers)
    assert (deleted.status_code, deleted.content) == (204, b"")
    gone = hangar.request("GET", made["asset_url"])
    assert (gone.status_code, gone.text) == (404, '{"error":"The required object does not exist."}')
    assert gone.headers["Cache-Control"] == "no-store"


def test_head_is_get_without_the_body(hangar, uploaded):
    url, picture = uploaded
    got, head = hangar.request("GET", url), hangar.request("HEAD", url)
    assert (head.status_code, head.content) == (200, b"")

    def comparable(headers):
        changing = {"date", "x-amz-request-id", "x-amz-id-2", "x-request-id"}
        return {name.lower(): value for name, value in headers.items() if name.lower() not in changing}

    assert comparable(head.headers) == comparable(got.headers)
    assert head.headers["Content-Length"] == str(len(picture))


def test_a_good_or_bad_token_is_ignored(hangar, token, uploaded):
    url, picture = uploaded
    for value in (token, "plane_api_" + "0" * 32, ""):
        assert hangar.request("GET", url, headers={"X-API-Key": value}).content == picture
        assert hangar.request("GET", url, headers={"Authorization": f"Bearer {value}"}).content == picture


def test_any_origin_may_read_the_picture(hangar, uploaded):
    answer = hangar.request("GET", uploaded[0], headers={"Origin": "https://anywhere.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


PAST = "Thu, 01 Jan 2015 00:00:00 GMT"
FUTURE = "Sat, 01 Jan 2050 00:00:00 GMT"


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"If-None-Match": "ETAG"}, 304),
        ({"If-None-Match": "W/ETAG"}, 304),
        ({"If-None-Match": '"other", ETAG'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": "MODIFIED"}, 304),
        ({"If-Modified-Since": FUTURE}, 304),
        ({"If-Modified-Since": PAST}, 200),
        ({"If-Modified-Since": "no date"}, 200),
        ({"If-None-Match": '"other"', "If-Modified-Since": "MODIFIED"}, 200),
        ({"If-Match": "ETAG"}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": "W/ETAG"}, 412),
        ({"If-Unmodified-Since": "MODIFIED"}, 200),
        ({"If-Unmodified-Since": PAST}, 412),
        ({"If-Match": "ETAG", "If-Unmodified-Since": PAST}, 200),
        ({"If-Match": '"other"', "If-None-Match": "ETAG"}, 412),
        ({"If-Match": "ETAG", "If-None-Match": "ETAG"}, 304),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditional_requests(hangar, uploaded, method, headers, status):
    url, picture = uploaded
    known = hangar.request("HEAD", url).headers
    sent = {
        name: value.replace("ETAG", known["ETag"]).replace("MODIFIED", known["Last-Modified"])
        for name, value in headers.items()
    }
    answer = hangar.request(method, url, headers=sent)
    assert answer.status_code == status
    if status == 304:
        assert answer.content == b""
        assert answer.headers["ETag"] == known["ETag"]
        assert answer.headers["Cache-Control"] == "public, max-age=3600"
    elif status == 200:
        assert answer.content == (picture if method == "GET" else b"")


@pytest.mark.parametrize(
    "asked, first, last",
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-199", 100, 199),
        ("bytes=4990-", 4990, 4999),
        ("bytes=4990-9999999", 4990, 4999),
        ("bytes=-10", 4990, 4999),
        ("bytes=-9999999", 0, 4999),
        ("bytes=0-", 0, 4999),
    ],
)
def test_one_range_is_206(hangar, uploaded, asked, first, last):
    url, picture = uploaded
    answer = hangar.request("GET", url, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == picture[first : last + 1]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/5000"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert answer.headers["ETag"] == f'"{hashlib.md5(picture).hexdigest()}"'


@pytest.mark.parametrize("asked", ["bytes=5000-", "bytes=9999-10000", "bytes=-0"])
def test_a_range_past_the_end_is_416(hangar, uploaded, asked):
    answer = hangar.request("GET", uploaded[0], headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */5000"


@pytest.mark.parametrize("asked", ["bytes=5-1", "bytes=a-b", "bytes=", "lines=0-5", "bytes=0-1,4-5", "0-5", "bytes=--1"])
def test_an_invalid_or_multiple_range_is_ignored(hangar, uploaded, asked):
    url, picture = uploaded
    answer = hangar.request("GET", url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, picture)


@pytest.mark.parametrize(
    "if_range, status",
    [("ETAG", 206), ('"other"', 200), ("W/ETAG", 200), (PAST, 200)],
)
def test_if_range_gives_the_whole_of_a_changed_picture(hangar, uploaded, if_range, status):
    url, picture = uploaded
    if_range = if_range.replace("ETAG", hangar.request("HEAD", url).headers["ETag"])
    answer = hangar.request("GET", url, headers={"Range": "bytes=0-9", "If-Range": if_range})
    assert answer.status_code == status
    assert answer.content == (picture[:10] if status == 206 else picture)


def test_a_condition_is_checked_before_the_range(hangar, uploaded):
    url, picture = uploaded
    known = hangar.request("HEAD", url).headers["ETag"]
    headers = {"Range": "bytes=0-9"}
    assert hangar.request("GET", url, headers=headers | {"If-None-Match": known}).status_code == 304
    assert hangar.request("GET", url, headers=headers | {"If-Match": '"other"'}).status_code == 412


def test_a_jpeg_that_was_declared_png_is_served_as_what_it_is(hangar, token):
    made = upload(hangar, token, pictures.jpeg(), type="image/png")
    assert hangar.request("GET", made["asset_url"]).headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    "file",
    [b"<html><script>alert(1)</script>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF8", b"%PDF-1.7", b"\0" * 100],
)
def test_a_file_that_is_not_a_picture_is_refused_and_the_asset_stays_without_bytes(hangar, token, s3, file):
    made = hangar.ask(token, name="me", type="image/png", size=1000, entity_type="USER_AVATAR")
    fields = made["upload_data"]["fields"]
    answer = requests.post(made["upload_data"]["url"], data=fields, files={"file": ("me", file)}, timeout=20)
    refusal = Refusal(answer)
    assert (refusal.status, refusal.code) == (400, "InvalidRequest")
    assert refusal.message == "The file is not a JPEG, PNG, WebP or GIF image."
    answer = hangar.request("GET", made["asset_url"])
    assert (answer.status_code, answer.text) == (404, '{"error":"The requested asset could not be found."}')
    assert s3.list_objects_v2(Bucket=hangar.bucket, Prefix=fields["key"])["KeyCount"] == 0


def test_with_the_content_check_off_such_a_file_is_only_ever_downloaded(start_hangar):
    server = start_hangar(HANGAR_VERIFY_CONTENT="false")
    made = upload(server, server.make_token()["token"], b"<html><script>alert(1)</script>")
    answer = server.request("GET", made["asset_url"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def refusals_of_an_upload():
    yield "longer than asked for", {"size": 100}, {}, 101, 400, "EntityTooLarge"
    yield "empty", {"size": 100}, {}, 0, 400, "EntityTooSmall"
    yield "another type", {}, {"Content-Type": "image/gif"}, 165, 403, "AccessDenied"
    yield "another key", {}, {"key": "user-assets/mine.png"}, 165, 403, "AccessDenied"
    yield "a further field", {}, {"acl": "public-read"}, 165, 403, "AccessDenied"


@pytest.mark.parametrize(
    "asked, changed, length, status, code",
    [pytest.param(*case, id=name) for name, *case in refusals_of_an_upload()],
)
def test_an_upload_that_is_not_what_was_asked_for_is_refused(hangar, token, asked, changed, length, status, code):
    made = hangar.ask(token, **{"name": "me", "type": "image/png", "size": 165, "entity_type": "USER_COVER"} | asked)
    fields = made["upload_data"]["fields"] | changed
    file = pictures.filled(length, 1)[:length]
    answer = requests.post(
        made["upload_data"]["url"], data=fields, files={"file": ("me", file)}, headers={"Origin": ORIGIN}, timeout=20
    )
    refusal = Refusal(answer)
    assert (refusal.status, refusal.code) == (status, code)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert hangar.request("GET", made["asset_url"]).status_code == 404


def test_an_upload_of_exactly_the_size_asked_for_is_taken(hangar, token):
    picture = pictures.filled(300_000, 2)
    made = upload(hangar, token, picture)
    assert hangar.request("GET", made["asset_url"]).content == picture


def test_a_policy_that_has_expired_is_refused(start_hangar):
    server = start_hangar(SIGNED_URL_EXPIRATION="1s")
    made = server.ask(server.make_token()["token"], name="me", type="image/png", size=165, entity_type="USER_AVATAR")

    def post():
        files = {"file": ("me", b"not judged: the policy comes first")}
        return requests.post(made["upload_data"]["url"], data=made["upload_data"]["fields"], files=files, timeout=20)

    wait_until(lambda: post().status_code == 403, server.process, lambda: "the policy did not expire")
    refusal = Refusal(post())
    assert (refusal.code, refusal.message) == ("AccessDenied", "Invalid according to Policy: Policy expired.")


def test_a_second_upload_with_one_policy_replaces_the_first(hangar, token):
    first, second = pictures.filled(1000, 3), pictures.filled(1000, 4)
    made = upload(hangar, token, first)
    before = hangar.request("GET", made["asset_url"])
    fields = made["upload_data"]["fields"]
    assert requests.post(made["upload_data"]["url"], data=fields, files={"file": ("me", second)}, timeout=20).status_code == 204
    after = hangar.request("GET", made["asset_url"], headers={"If-None-Match": before.headers["ETag"]})
    assert (before.content, after.status_code, after.content) == (first, 200, second)


def test_an_upload_to_a_deleted_asset_is_stored_and_the_asset_stays_deleted(hangar, token):
    picture = pictures.png()
    made = hangar.ask(token, name="me", type="image/png", size=len(picture), entity_type="USER_AVATAR")
    item = f"/api/v1/assets/user-assets/{made['asset_id']}/"
    assert hangar.request("DELETE", item, headers={"X-API-Key": token}).status_code == 204
    fields = made["upload_data"]["fields"]
    assert requests.post(made["upload_data"]["url"], data=fields, files={"file": ("me", picture)}, timeout=20).status_code == 204
    assert hangar.request("GET", made["asset_url"]).status_code == 404


def test_an_object_removed_through_s3_makes_the_asset_not_uploaded(hangar, token, s3):
    made = upload(hangar, token, pictures.png())
    s3.delete_object(Bucket=hangar.bucket, Key=made["upload_data"]["fields"]["key"])
    answer = hangar.request("GET", made["asset_url"])
    assert (answer.status_code, answer.text) == (404, '{"error":"The requested asset could not be found."}')


def test_a_put_through_s3_makes_the_asset_uploaded(hangar, token, s3):
    picture = pictures.png()
    made = hangar.ask(token, name="me", type="image/png", size=len(picture), entity_type="USER_AVATAR")
    key = made["upload_data"]["fields"]["key"]
    s3.put_object(Bucket=hangar.bucket, Key=key, Body=picture, ContentType="image/png")
    assert hangar.request("GET", made["asset_url"]).content == picture


def test_a_script_cannot_be_made_of_a_picture(hangar, uploaded):
    for headers in ({"Service-Worker": "script"}, {"Sec-Fetch-Dest": "script"}, {"Sec-Fetch-Dest": "worker"}, {"Sec-Fetch-Dest": "object"}):
        assert hangar.request("GET", uploaded[0], headers=headers).status_code == 403, headers
    assert hangar.request("GET", uploaded[0], headers={"Sec-Fetch-Dest": "image"}).status_code == 200
