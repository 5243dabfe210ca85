"""Plane's asset API, answer by answer: statuses, texts to the byte, headers, and the order in which a request is checked."""

import base64
import json
import re
import uuid
from datetime import datetime, timedelta

import pytest
import requests

import pictures
from plane_api import (
    BAD_ENTITY,
    BAD_NAME,
    BAD_PAYLOAD,
    BAD_SIZE,
    BAD_TYPE,
    NO_BYTES,
    NO_OBJECT,
    NO_PAGE,
    NO_PERMISSION,
    NO_ROW,
    NO_ROW_V2,
    NOT_ACCEPTABLE,
    NOT_PROVIDED,
    NOT_VALID,
    TOO_LARGE,
    USER_ASSETS as ASSETS,
    UUID,
    assert_answer,
    assert_general_headers,
)
from policy import signature
from server import wait_until

@pytest.fixture
def api(hangar, token):
    """Asks as the token's owner."""

    def ask(method, path=ASSETS, headers=None, **how):
        return hangar.request(method, path, headers={"X-API-Key": token} | (headers or {}), **how)

    return ask


@pytest.fixture
def asset(hangar, token):
    """An asset that was asked for."""
    return hangar.ask(token, name="me.png", type="image/png", size=73, entity_type="USER_AVATAR")


# The answer and its policy


def test_the_answer_to_an_upload_request_is_planes_to_the_byte(hangar, api):
    answer = api("POST", json={"name": "me.png", "type": "image/png", "size": 73, "entity_type": "USER_AVATAR"})
    assert_answer(answer, 200, answer.text)
    shape = (
        r'\{"upload_data":\{"url":"http://127\.0\.0\.1:PORT/uploads","fields":\{"Content-Type":"image/png",'
        r'"key":"user-assets/(UUID)/me\.png","x-amz-algorithm":"AWS4-HMAC-SHA256",'
        r'"x-amz-credential":"ACCESS/\d{8}/us-east-1/s3/aws4_request","x-amz-date":"\d{8}T\d{6}Z",'
        r'"policy":"[A-Za-z0-9+/]+=*","x-amz-signature":"[0-9a-f]{64}"\}\},'
        r'"asset_id":"(UUID)","asset_url":"/api/assets/v2/static/(UUID)/"\}'
    )
    shape = shape.replace("PORT", str(hangar.port)).replace("UUID", UUID).replace("ACCESS", hangar.access_key)
    matched = re.fullmatch(shape, answer.text)
    assert matched, answer.text
    assert len(set(matched.groups())) == 1, "one id in the key, in asset_id and in asset_url"


def test_the_policy_states_each_condition_once_in_its_order(hangar, asset):
    fields = asset["upload_data"]["fields"]
    document = base64.b64decode(fields["policy"], validate=True).decode()
    day, time = fields["x-amz-date"][:8], fields["x-amz-date"]
    stated = (
        '{"expiration":"EXPIRATION","conditions":[{"bucket":"uploads"},["content-length-range",1,73],'
        f'{{"Content-Type":"image/png"}},{{"key":"{fields["key"]}"}},'
        '{"x-amz-algorithm":"AWS4-HMAC-SHA256"},'
        f'{{"x-amz-credential":"{hangar.access_key}/{day}/us-east-1/s3/aws4_request"}},{{"x-amz-date":"{time}"}}]}}'
    )
    expiration = json.loads(document)["expiration"]
    assert document == stated.replace("EXPIRATION", expiration)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", expiration)
    assert fields["x-amz-signature"] == signature(hangar.secret_key, day, "us-east-1", fields["policy"])


@pytest.mark.parametrize("setting, seconds", [(None, 3600), ("60", 60), ("15m", 900)])
def test_the_policy_lives_as_long_as_the_setting_says(start_hangar, setting, seconds):
    server = start_hangar(SIGNED_URL_EXPIRATION=setting)
    fields = server.ask(server.make_token()["token"], entity_type="USER_AVATAR")["upload_data"]["fields"]
    expiration = json.loads(base64.b64decode(fields["policy"]))["expiration"]
    lived = datetime.strptime(expiration, "%Y-%m-%dT%H:%M:%SZ") - datetime.strptime(fields["x-amz-date"], "%Y%m%dT%H%M%SZ")
    assert lived == timedelta(seconds=seconds)


@pytest.mark.parametrize("setting, region", [("", "us-east-1"), ("eu-central-1", "eu-central-1")])
def test_policies_name_the_region_that_is_set(start_hangar, setting, region):
    server = start_hangar(AWS_REGION=setting)
    fields = server.ask(server.make_token()["token"], entity_type="USER_AVATAR")["upload_data"]["fields"]
    assert fields["x-amz-credential"].split("/")[2] == region


def test_the_bucket_is_the_one_that_is_set(start_hangar):
    server = start_hangar(AWS_S3_BUCKET_NAME="plane-files")
    made = server.ask(server.make_token()["token"], entity_type="USER_AVATAR")
    assert made["upload_data"]["url"] == f"{server.url}/plane-files"


def test_the_address_for_uploads_is_the_public_one_where_that_is_set(start_hangar):
    server = start_hangar(HANGAR_PUBLIC_URL="https://files.example.com")
    made = server.ask(server.make_token()["token"], entity_type="USER_AVATAR")
    assert made["upload_data"]["url"] == "https://files.example.com/uploads"


def test_a_proxy_on_loopback_is_believed_and_with_none_trusted_it_is_not(start_hangar, api):
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "plane.example.com"}
    answer = api("POST", headers=forwarded, json={"entity_type": "USER_AVATAR"})
    assert answer.json()["upload_data"]["url"] == "https://plane.example.com/uploads"
    server = start_hangar(HANGAR_TRUSTED_PROXIES="none")
    token = server.make_token()["token"]
    answer = server.request("POST", ASSETS, headers=forwarded | {"X-API-Key": token}, json={"entity_type": "USER_AVATAR"})
    assert answer.json()["upload_data"]["url"] == f"{server.url}/uploads"


def test_each_request_makes_an_asset_of_its_own(hangar, token):
    ids = {hangar.ask(token, name="me.png", entity_type="USER_AVATAR")["asset_id"] for _ in range(5)}
    assert len(ids) == 5


# Names


LONG = "ż" * 127 + "x"  # 255 bytes of UTF-8
NO_NAME = "unnamed"


@pytest.mark.parametrize(
    "sent, cleaned",
    [
        ("me.png", "me.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\..\\evil..png", "evilpng"),
        (" .env", "env"),
        (" .. . env ", "env"),
        ("...", NO_NAME),
        ("a\0b.png", "ab.png"),
        ("żółw ☕ photo (1)+&=.png", "żółw ☕ photo (1)+&=.png"),
        ('a"b\nc.png', 'a"bc.png'),
        ("a\x01\x1f\x7fb", "ab"),
        ("${filename}", "filename"),
        ("my ${filename}${filename}.png", "my filenamefilename.png"),
        ("50%25 #1?.png", "50%25 #1?.png"),
        ("dir/", NO_NAME),
        ("", NO_NAME),
        ("   ", NO_NAME),
        (5, NO_NAME),
        (None, NO_NAME),
        (["me.png"], NO_NAME),
        (LONG, LONG),
    ],
    ids=repr,
)
def test_a_name_is_cleaned_before_it_goes_into_the_key(hangar, token, sent, cleaned):
    made = hangar.ask(token, name=sent, type="image/png", size=73, entity_type="USER_COVER")
    assert made["upload_data"]["fields"]["key"] == f"user-assets/{made['asset_id']}/{cleaned}"


def test_an_absent_name_is_unnamed(hangar, token):
    made = hangar.ask(token, entity_type="USER_AVATAR")
    assert made["upload_data"]["fields"]["key"] == f"user-assets/{made['asset_id']}/unnamed"


@pytest.mark.parametrize("name", ["żółw ☕ photo (1)+&=.png", 'a"b\nc.png', "${filename}", "50%25 #1?.png", LONG], ids=repr)
def test_an_upload_with_an_odd_name_arrives(hangar, token, name):
    made = hangar.ask(token, name=name, type="image/png", size=165, entity_type="USER_AVATAR")
    data = made["upload_data"]
    assert requests.post(data["url"], data=data["fields"], files={"file": ("x", pictures.png())}, timeout=20).status_code == 204
    assert hangar.request("GET", made["asset_url"]).content == pictures.png()


# Sizes


LIMIT = 5242880


@pytest.mark.parametrize(
    "size, bound",
    [
        (1, 1),
        (73, 73),
        (LIMIT, LIMIT),
        (LIMIT + 1, LIMIT),
        (10**30, LIMIT),
        (10.9, 10),
        (1e300, LIMIT),
        ("1024", 1024),
        (" 1024\t", 1024),
        ("9" * 50, LIMIT),
    ],
    ids=repr,
)
def test_a_size_is_read_and_clamped_to_the_limit(hangar, token, size, bound):
    made = hangar.ask(token, size=size, entity_type="USER_AVATAR")
    policy = json.loads(base64.b64decode(made["upload_data"]["fields"]["policy"]))
    assert policy["conditions"][1] == ["content-length-range", 1, bound]


def test_an_absent_size_is_the_limit(hangar, token):
    made = hangar.ask(token, entity_type="USER_AVATAR")
    policy = json.loads(base64.b64decode(made["upload_data"]["fields"]["policy"]))
    assert policy["conditions"][1] == ["content-length-range", 1, LIMIT]


@pytest.mark.parametrize("size", [0, -1, -10.5, 0.9, None, "", "abc", "10.9", "-5", "0", [], [5], {}, True, False], ids=repr)
def test_an_invalid_size_is_refused(api, size):
    assert_answer(api("POST", json={"size": size, "entity_type": "USER_AVATAR"}), 400, BAD_SIZE)


def test_the_limit_is_the_one_that_is_set(start_hangar):
    server = start_hangar(FILE_SIZE_LIMIT="2000")
    made = server.ask(server.make_token()["token"], size=LIMIT, entity_type="USER_AVATAR")
    policy = json.loads(base64.b64decode(made["upload_data"]["fields"]["policy"]))
    assert policy["conditions"][1] == ["content-length-range", 1, 2000]


# Fields, in their order


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "image/webp", "image/jpg", "image/gif"])
@pytest.mark.parametrize("path", [ASSETS, ASSETS + "server/", "/api/v1/users/assets/"])
def test_each_image_type_is_taken_on_each_path(hangar, token, path, content_type):
    made = hangar.ask(token, path, type=content_type, entity_type="USER_COVER")
    assert made["upload_data"]["fields"]["Content-Type"] == content_type


def test_an_absent_type_is_jpeg(hangar, token):
    assert hangar.ask(token, entity_type="USER_AVATAR")["upload_data"]["fields"]["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    "content_type",
    [None, "", "image/PNG", "image/png; q=1", " image/png", "image/svg+xml", "text/html", "application/pdf", 5, ["image/png"], {}],
    ids=repr,
)
def test_another_type_is_refused(api, content_type):
    assert_answer(api("POST", json={"type": content_type, "entity_type": "USER_AVATAR"}), 400, BAD_TYPE)


@pytest.mark.parametrize(
    "entity_type",
    [None, "", "user_avatar", "USER_AVATAR ", "WORKSPACE_LOGO", "PROJECT_COVER", "ISSUE_ATTACHMENT", "ISSUE_DESCRIPTION",
     "COMMENT_DESCRIPTION", "PAGE_DESCRIPTION", "DRAFT_ISSUE_DESCRIPTION", "DRAFT_ISSUE_ATTACHMENT", 5, ["USER_AVATAR"], {}],
    ids=repr,
)
def test_another_entity_type_is_refused(api, entity_type):
    assert_answer(api("POST", json={"entity_type": entity_type}), 400, BAD_ENTITY)


@pytest.mark.parametrize(
    "body, text",
    [
        ({}, BAD_ENTITY),
        ({"size": 0, "entity_type": "no", "type": "no", "name": "x" * 256}, BAD_SIZE),
        ({"size": 1, "entity_type": "no", "type": "no", "name": "x" * 256}, BAD_ENTITY),
        ({"size": 1, "entity_type": "USER_AVATAR", "type": "no", "name": "x" * 256}, BAD_TYPE),
        ({"size": 1, "entity_type": "USER_AVATAR", "type": "image/png", "name": "x" * 256}, BAD_NAME),
        ({"size": 1, "entity_type": "USER_AVATAR", "name": "ż" * 128}, BAD_NAME),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [ASSETS, ASSETS + "server/"])
def test_the_first_wrong_field_decides(api, path, body, text):
    assert_answer(api("POST", path, json=body), 400, text)


# Bodies


@pytest.mark.parametrize(
    "how",
    [
        {"json": {"entity_type": "USER_AVATAR", "name": "me.png", "size": 73}},
        {"data": '{"entity_type":"USER_AVATAR","name":"me.png","size":73}', "headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"data": {"entity_type": "USER_AVATAR", "name": "me.png", "size": "73"}},
        {"files": {"entity_type": (None, "USER_AVATAR"), "name": (None, "me.png"), "size": (None, "73"), "ignored": ("a.txt", b"x")}},
        {"data": '{"entity_type":"no","size":0,"entity_type":"USER_AVATAR","name":"me.png","size":73}', "headers": {"Content-Type": "application/json"}},
        {"json": {"entity_type": "USER_AVATAR", "name": "me.png", "size": 73, "unknown": {"a": [1]}}},
    ],
    ids=["json", "json with a charset", "urlencoded", "multipart", "json with names twice", "json with an unknown field"],
)
def test_json_and_forms_are_read_alike(api, how):
    answer = api("POST", **how)
    assert answer.status_code == 200, answer.text
    assert answer.json()["upload_data"]["fields"]["key"].endswith("/me.png")
    policy = json.loads(base64.b64decode(answer.json()["upload_data"]["fields"]["policy"]))
    assert policy["conditions"][1] == ["content-length-range", 1, 73]


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain"])
def test_an_empty_body_is_an_empty_object(api, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    assert_answer(api("POST", headers=headers), 400, BAD_ENTITY)


@pytest.mark.parametrize(
    "body",
    [b"{", b"{'a':1}", b'{"size":NaN}', b'{"size":Infinity}', b'{"size":-Infinity}', b'{"name":"\xff"}', b"\xef\xbb\xbf{}", b"{}{}", b"nothing",
     b'{"a":' * 33 + b"1" + b"}" * 33, b"[" * 100_000],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_not_json_is_a_parse_error(api, body):
    answer = api("POST", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.text.startswith('{"detail":"JSON parse error - ')
    assert list(json.loads(answer.text)) == ["detail"]
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "true", "null"])
def test_json_that_is_not_an_object_is_refused(api, body):
    assert_answer(api("POST", data=body, headers={"Content-Type": "application/json"}), 400, NO_OBJECT)


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "image/png"])
def test_another_media_type_is_415(api, content_type):
    answer = api("POST", data=b"{}", headers={"Content-Type": content_type})
    assert_answer(answer, 415, f'{{"detail":"Unsupported media type \\"{content_type}\\" in request."}}')


def test_a_body_without_a_media_type_is_415(api):
    assert_answer(api("POST", data=b"{}"), 415, '{"detail":"Unsupported media type \\"\\" in request."}')


OVER_A_MEBIBYTE = b'{"name":"' + b"x" * (1 << 20) + b'"}'


def test_a_body_that_says_it_is_over_a_mebibyte_is_413_even_without_a_token(hangar):
    answer = hangar.request("POST", ASSETS, data=OVER_A_MEBIBYTE, headers={"Content-Type": "application/json"})
    assert_answer(answer, 413, TOO_LARGE)


def test_a_body_without_a_content_length_is_counted_once_its_token_was_checked(hangar, token):
    def sent():
        return (OVER_A_MEBIBYTE[at : at + 65536] for at in range(0, len(OVER_A_MEBIBYTE), 65536))

    headers = {"Content-Type": "application/json"}
    assert hangar.request("POST", ASSETS, data=sent(), headers=headers).status_code == 401
    answer = hangar.request("POST", ASSETS, data=sent(), headers={**headers, "X-API-Key": token})
    assert_answer(answer, 413, TOO_LARGE)


def test_a_body_over_a_smaller_file_limit_is_413(start_hangar):
    server = start_hangar(FILE_SIZE_LIMIT="2000")
    answer = server.request("POST", ASSETS, data=b"x" * 2001, headers={"Content-Type": "application/json"})
    assert_answer(answer, 413, TOO_LARGE)


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/*", "text/html, application/json;q=0.1"])
def test_an_accept_that_allows_json_is_served(api, accept):
    assert api("POST", headers={"Accept": accept}, json={"entity_type": "USER_AVATAR"}).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/xml, text/plain"])
def test_another_accept_is_406_even_without_a_token(hangar, accept):
    answer = hangar.request("POST", ASSETS, headers={"Accept": accept}, json={"entity_type": "USER_AVATAR"})
    assert_answer(answer, 406, NOT_ACCEPTABLE)


# Tokens


@pytest.mark.parametrize("name", ["X-API-Key", "x-api-key", "X-Api-Key", "X-API-KEY"])
def test_a_token_is_taken_in_x_api_key_in_any_case(hangar, token, name):
    answer = hangar.request("POST", ASSETS, headers={name: token}, json={"entity_type": "USER_AVATAR"})
    assert answer.status_code == 200


def test_a_token_is_taken_as_bearer(hangar, token):
    answer = hangar.request("POST", ASSETS, headers={"Authorization": f"Bearer {token}"}, json={"entity_type": "USER_AVATAR"})
    assert answer.status_code == 200


def test_where_both_are_sent_x_api_key_counts(hangar, token):
    wrong = "plane_api_" + "0" * 32
    body = {"entity_type": "USER_AVATAR"}
    headers = {"X-API-Key": token, "Authorization": f"Bearer {wrong}"}
    assert hangar.request("POST", ASSETS, headers=headers, json=body).status_code == 200
    headers = {"X-API-Key": wrong, "Authorization": f"Bearer {token}"}
    assert_answer(hangar.request("POST", ASSETS, headers=headers, json=body), 403, NOT_VALID)


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-API-Key": ""}, {"Authorization": "Basic dTpw"}, {"Authorization": "Token TOKEN"}, {"Authorization": "TOKEN"}, {"Authorization": "Bearer"},
     {"Cookie": "session-id=TOKEN"}],
    ids=str,
)
def test_a_request_without_a_token_is_401_without_a_challenge(hangar, token, headers):
    headers = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    answer = hangar.request("POST", ASSETS, headers=headers, json={"entity_type": "USER_AVATAR"})
    assert_answer(answer, 401, NOT_PROVIDED)
    assert "WWW-Authenticate" not in answer.headers


def test_a_token_in_the_query_or_the_body_is_ignored(hangar, token):
    answer = hangar.request("POST", f"{ASSETS}?api_key={token}&X-API-Key={token}", json={"X-API-Key": token, "api_key": token})
    assert_answer(answer, 401, NOT_PROVIDED)


@pytest.mark.parametrize("unknown", ["plane_api_" + "0" * 32, "x", "plane_api_", "☕".encode(), "x" * 5000], ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize("body", [b"{}", b"no json"])
def test_an_unknown_token_is_403_whatever_the_body(hangar, unknown, body):
    answer = hangar.request("POST", ASSETS, headers={"X-API-Key": unknown, "Content-Type": "application/json"}, data=body)
    assert_answer(answer, 403, NOT_VALID)


def test_a_revoked_token_is_refused_by_the_next_request(hangar):
    made = hangar.make_token("revoked@example.com")
    hangar.ask(made["token"], entity_type="USER_AVATAR")
    revoked = hangar.command_line("token", "revoke", made["id"])
    assert revoked.returncode == 0, revoked.stderr
    answer = hangar.request("POST", ASSETS, headers={"X-API-Key": made["token"]}, json={"entity_type": "USER_AVATAR"})
    assert_answer(answer, 403, NOT_VALID)


def test_an_expired_token_is_refused(hangar):
    token = hangar.make_token("expired@example.com", "--expires", "1s")["token"]

    def ask():
        return hangar.request("POST", ASSETS, headers={"X-API-Key": token}, json={"entity_type": "USER_AVATAR"})

    wait_until(lambda: ask().status_code == 403, hangar.process, lambda: "the token did not expire")
    assert_answer(ask(), 403, NOT_VALID)


@pytest.mark.parametrize(
    "scopes",
    [["assets:read"], ["projects.work_items.attachments:write"], ["projects.work_items.attachments:read", "assets:read"]],
    ids=" ".join,
)
def test_a_token_without_the_scope_is_refused(hangar, scopes):
    token = hangar.make_token("scoped@example.com", *[word for scope in scopes for word in ("--scope", scope)])["token"]
    for method, path in (("POST", ASSETS), ("PATCH", f"{ASSETS}{uuid.uuid4()}/"), ("DELETE", f"{ASSETS}{uuid.uuid4()}/")):
        answer = hangar.request(method, path, headers={"X-API-Key": token}, json={"entity_type": "USER_AVATAR"})
        assert_answer(answer, 403, NO_PERMISSION)


def test_a_token_that_may_write_asks_for_uploads(hangar):
    token = hangar.make_token("writer@example.com", "--scope", "assets:write")["token"]
    hangar.ask(token, entity_type="USER_AVATAR")


def test_users_me_returns_the_user_of_the_token(hangar):
    token = hangar.make_token("grace@example.com", "--scope", "projects.work_items.attachments:read")["token"]
    answer = hangar.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token})
    shape = (
        r'\{"id":"UUID","first_name":"","last_name":"","email":"grace@example\.com",'
        r'"avatar":"","avatar_url":null,"display_name":"[^"]+"\}'
    )
    assert answer.status_code == 200
    assert re.fullmatch(shape.replace("UUID", UUID), answer.text), answer.text
    assert_general_headers(answer)


# PATCH and DELETE


@pytest.mark.parametrize("form", ["", "server/"])
@pytest.mark.parametrize(
    "how",
    [{}, {"json": {}}, {"json": {"attributes": {"name": "a", "extra": [1]}}}, {"json": {"entity_type": "nonsense", "is_uploaded": True}},
     {"json": {"attributes": {}}}, {"json": {"attributes": {"text": "x" * 16_000}}}],
    ids=lambda how: str(how)[:40],
)
def test_patch_is_204_again_and_again(api, asset, form, how):
    for _ in range(2):
        answer = api("PATCH", f"{ASSETS}{asset['asset_id']}/{form}", **how)
        assert (answer.status_code, answer.content) == (204, b"")
        assert_general_headers(answer)


@pytest.mark.parametrize("attributes", [None, [], "text", 5, True, {"text": "x" * 16_400}], ids=lambda value: repr(value)[:20])
def test_attributes_must_be_an_object_of_at_most_16_kib(api, asset, attributes):
    assert_answer(api("PATCH", f"{ASSETS}{asset['asset_id']}/", json={"attributes": attributes}), 400, BAD_PAYLOAD)


def test_a_patch_before_the_bytes_promises_nothing(hangar, api, asset):
    assert api("PATCH", f"{ASSETS}{asset['asset_id']}/", json={"is_uploaded": True}).status_code == 204
    answer = hangar.request("GET", asset["asset_url"])
    assert_answer(answer, 404, NO_BYTES)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("form", ["", "server/"])
def test_delete_is_204_once_and_404_after(api, asset, form):
    item = f"{ASSETS}{asset['asset_id']}/{form}"
    answer = api("DELETE", item)
    assert (answer.status_code, answer.content) == (204, b"")
    assert_answer(api("DELETE", item), 404, NO_ROW)
    assert_answer(api("PATCH", item, json={}), 404, NO_ROW)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("form", ["", "server/"])
def test_an_unknown_and_a_foreign_asset_get_the_same_404(hangar, asset, method, form):
    stranger = {"X-API-Key": hangar.make_token("stranger@example.com")["token"]}
    for asset_id in (uuid.uuid4(), asset["asset_id"]):
        assert_answer(hangar.request(method, f"{ASSETS}{asset_id}/{form}", headers=stranger), 404, NO_ROW)


def test_another_token_of_the_same_person_may_change_the_asset(hangar, asset):
    second = {"X-API-Key": hangar.make_token()["token"]}
    assert hangar.request("PATCH", f"{ASSETS}{asset['asset_id']}/", headers=second).status_code == 204


# Routes


KNOWN = uuid.UUID("3999b15f-7a97-486e-b06b-d08ce45c00c9")


@pytest.mark.parametrize(
    "path",
    ["/api/", "/api/nothing/", "/api/v1/", "/api/v1/assets/", "/api/v1/assets/user-assets/not-an-id/", f"{ASSETS}{str(KNOWN).upper()}/",
     f"{ASSETS}{KNOWN.hex}/", f"{ASSETS}{KNOWN}/nothing/", "/api/assets/v2/static/not-an-id/", f"/api/assets/v2/static/{str(KNOWN).upper()}/",
     f"/api/assets/v2/static/{KNOWN.hex}/", "/api/assets/v2/static/", "/api/users/file-assets/", "/api/workspaces/a/file-assets/", "/api/v2/users/me/"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_an_unknown_route_is_planes_404_page_even_without_a_token(hangar, method, path):
    assert_answer(hangar.request(method, path), 404, NO_PAGE)


@pytest.mark.parametrize(
    "path", [ASSETS[:-1], f"{ASSETS}{KNOWN}", f"{ASSETS}server", f"{ASSETS}{KNOWN}/server", f"/api/assets/v2/static/{KNOWN}", "/api/v1/users/me", "/api/v1/users/assets"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
def test_a_route_without_its_slash_is_redirected_with_its_query(hangar, method, path):
    answer = hangar.request(method, path + "?a=1&b=%20")
    assert (answer.status_code, answer.content) == (301, b"")
    assert answer.headers["Location"] == path + "/?a=1&b=%20"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert_general_headers(answer)


def test_a_redirect_without_a_query_has_none(hangar):
    assert hangar.request("POST", ASSETS[:-1]).headers["Location"] == ASSETS


@pytest.mark.parametrize(
    "path, method, allow",
    [
        (ASSETS, "GET", "POST"),
        (ASSETS, "PUT", "POST"),
        (ASSETS, "HEAD", "POST"),
        (ASSETS, "OPTIONS", "POST"),
        (ASSETS + "server/", "GET", "POST"),
        (f"{ASSETS}{KNOWN}/", "GET", "PATCH, DELETE"),
        (f"{ASSETS}{KNOWN}/", "POST", "PATCH, DELETE"),
        (f"{ASSETS}{KNOWN}/server/", "GET", "PATCH, DELETE"),
        ("/api/v1/users/me/", "POST", "GET"),
        ("/api/v1/users/assets/", "GET", "POST"),
    ],
)
def test_another_method_is_405_and_without_a_token_401(hangar, api, path, method, allow):
    answer = api(method, path)
    text = "" if method == "HEAD" else f'{{"detail":"Method \\"{method}\\" not allowed."}}'
    assert (answer.status_code, answer.text) == (405, text)
    assert answer.headers["Allow"] == allow
    assert_general_headers(answer)
    assert hangar.request(method, path).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_static_takes_only_reading_methods(hangar, method):
    answer = hangar.request(method, f"/api/assets/v2/static/{KNOWN}/")
    assert_answer(answer, 405, f'{{"detail":"Method \\"{method}\\" not allowed."}}')
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_static_of_an_unknown_asset_is_404(hangar):
    answer = hangar.request("GET", f"/api/assets/v2/static/{KNOWN}/")
    assert_answer(answer, 404, NO_ROW_V2)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_static_of_an_asset_without_bytes_is_404(hangar, asset):
    assert_answer(hangar.request("GET", asset["asset_url"]), 404, NO_BYTES)


# CORS


PREFLIGHT = {"Origin": "https://plane.example.com", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
ALLOWED = {
    "access-control-allow-headers": "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with, X-API-Key",
    "access-control-allow-methods": "DELETE, GET, OPTIONS, PATCH, POST, PUT",
    "access-control-max-age": "86400",
}


@pytest.mark.parametrize("path", [ASSETS, f"{ASSETS}{KNOWN}/", "/api/v1/users/me/"])
def test_a_preflight_is_answered_before_the_token(hangar, path):
    answer = hangar.request("OPTIONS", path, headers=PREFLIGHT)
    assert (answer.status_code, answer.content) == (200, b"")
    expected = ALLOWED | {"access-control-allow-origin": "https://plane.example.com"}
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in answer.headers["Vary"].lower()


def test_an_answer_names_the_origin_and_gives_no_credentials(api):
    answer = api("POST", headers={"Origin": "https://plane.example.com"}, json={})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://plane.example.com"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_only_the_origins_that_are_set_are_allowed(start_hangar):
    server = start_hangar(CORS_ALLOWED_ORIGINS="https://plane.example.com, https://two.example.com")
    for origin in ("https://plane.example.com", "https://two.example.com"):
        for method, headers in (("OPTIONS", {"Access-Control-Request-Method": "POST"}), ("POST", {})):
            answer = server.request(method, ASSETS, headers={"Origin": origin} | headers)
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    for method, headers in (("OPTIONS", {"Access-Control-Request-Method": "POST"}), ("POST", {})):
        answer = server.request(method, ASSETS, headers={"Origin": "https://evil.example.com"} | headers)
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers


# Operations


@pytest.mark.parametrize("path", ["/-/health/live", "/-/health/ready"])
def test_health_answers(hangar, path):
    answer = hangar.request("GET", path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert isinstance(answer.json(), dict)


def test_an_unknown_path_of_operations_is_a_json_404(hangar):
    answer = hangar.request("GET", "/-/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
    assert isinstance(answer.json(), dict)


def test_the_front_page_says_what_this_is(hangar):
    answer = hangar.request("GET", "/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "hangar" in answer.text
