"""Assets of a workspace by v1, section 3.3 of the contract."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import pictures
from plane_api import (
    BAD_DETAIL,
    BAD_FILE_TYPE,
    BAD_NAME,
    BAD_PAYLOAD,
    BAD_SIZE,
    NAMED,
    NO_ASSET,
    NO_ROW,
    UUID,
    Workspace,
    assert_answer,
    assert_done,
    assert_general_headers,
    key_of,
    length_range,
    new_id,
    other_method,
    presigned,
    upload,
)

REQUIRED = '{"error":"Name and size are required fields.","status":false}'
TEXT = {"name": "doc.txt", "type": "text/plain", "size": 100}


@pytest.fixture
def asset(acme):
    return acme.member.ask(f"{acme.v1}/assets/", **TEXT)


# POST


@pytest.mark.parametrize("project", [None, "3e41196c-089a-46f7-a962-d79cb6cf65ef"])
def test_the_answer_is_that_of_every_upload_request(hangar, acme, project):
    answer = acme.member("POST", f"{acme.v1}/assets/", json=TEXT | {"project_id": project})
    shape = (
        r'\{"upload_data":\{"url":"http://127\.0\.0\.1:PORT/uploads","fields":\{"Content-Type":"text/plain",'
        r'"key":"UUID/(UUID)/doc\.txt","x-amz-algorithm":"AWS4-HMAC-SHA256","x-amz-credential":"[^"]+",'
        r'"x-amz-date":"\d{8}T\d{6}Z","policy":"[A-Za-z0-9+/]+=*","x-amz-signature":"[0-9a-f]{64}"\}\},'
        r'"asset_id":"(UUID)","asset_url":"/api/assets/v2/workspaces/acme/projects/PROJECT/issues/None/attachments/(UUID)/"\}'
    )
    shape = shape.replace("PORT", str(hangar.port)).replace("UUID", UUID).replace("PROJECT", str(project))
    assert_answer(answer, 200, answer.text)
    matched = re.fullmatch(shape, answer.text)
    assert matched and len(set(matched.groups())) == 1, answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_key_begins_with_the_id_of_the_workspace(acme, asset):
    again = acme.guest.ask(f"{acme.v1}/assets/", **TEXT)
    assert key_of(asset).split("/")[0] == key_of(again).split("/")[0] != asset["asset_id"]


@pytest.mark.parametrize("size, bound", [(1, 1), ("1024", 1024), (10.9, 10), (10**30, 5242880), (None, 5242880)], ids=repr)
def test_a_size_is_read_and_clamped(acme, size, bound):
    body = TEXT | {"size": size}
    if size is None:
        del body["size"]
    assert length_range(acme.member.ask(f"{acme.v1}/assets/", **body)) == ["content-length-range", 1, bound]


@pytest.mark.parametrize(
    "body, text",
    [
        ({"size": "abc"}, BAD_SIZE),
        ({"size": -1, "name": "a"}, BAD_SIZE),
        ({"size": None, "name": "a"}, BAD_SIZE),
        ({"size": True, "name": "a"}, BAD_SIZE),
        ({"size": 0, "name": "a", "type": "text/plain"}, REQUIRED),
        ({"size": "0", "name": "a", "type": "text/plain"}, REQUIRED),
        ({}, REQUIRED),
        ({"size": 1, "type": "nonsense"}, REQUIRED),
        ({"name": "", "type": "nonsense"}, REQUIRED),
        ({"name": "dir/", "type": "nonsense"}, REQUIRED),
        ({"name": 5, "type": "nonsense"}, REQUIRED),
        ({"name": "a"}, BAD_FILE_TYPE),
        ({"name": "a", "type": None}, BAD_FILE_TYPE),
        ({"name": "a", "type": ""}, BAD_FILE_TYPE),
        ({"name": "a", "type": "image/jpg", "external_id": 5}, BAD_FILE_TYPE),
        ({"name": "a", "type": "text/html"}, BAD_FILE_TYPE),
        ({"name": "a", "type": "text/plain; charset=utf-8"}, BAD_FILE_TYPE),
        ({"name": "a", "type": "text/plain", "external_id": 5}, BAD_DETAIL),
        ({"name": "a", "type": "text/plain", "external_source": "x" * 256}, BAD_DETAIL),
        ({"name": "a", "type": "text/plain", "project_id": "no id"}, BAD_DETAIL),
        ({"name": "a", "type": "text/plain", "project_id": 5}, BAD_DETAIL),
        ({"name": "x" * 256, "type": "text/plain", "project_id": 5}, BAD_DETAIL),
        ({"name": "x" * 256, "type": "text/plain"}, BAD_NAME),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_first_wrong_field_decides(acme, body, text):
    assert_answer(acme.member("POST", f"{acme.v1}/assets/", json=body), 400, text)


@pytest.mark.parametrize(
    "content_type", ["image/svg+xml", "application/pdf", "text/csv", "application/zip", "video/mp4", "model/gltf+json", "font/woff2"]
)
def test_a_type_of_the_attachment_list_is_taken(acme, content_type):
    made = acme.member.ask(f"{acme.v1}/assets/", **TEXT | {"type": content_type})
    assert made["upload_data"]["fields"]["Content-Type"] == content_type


# External ids


def external(**more):
    return TEXT | {"external_id": new_id(), "external_source": "github"} | more


def conflict(made):
    url = json.dumps(made["asset_url"])
    return f'{{"message":"Asset with same external id and source already exists","asset_id":"{made["asset_id"]}","asset_url":{url}}}'


def test_a_pair_of_external_id_and_source_is_taken_once(acme):
    body = external()
    made = acme.member.ask(f"{acme.v1}/assets/", **body)
    assert_answer(acme.guest("POST", f"{acme.v1}/assets/", json=body | {"project_id": new_id()}), 409, conflict(made))
    acme.member.ask(f"{acme.v1}/assets/", **body | {"external_source": "gitlab"})
    acme.member.ask(f"{acme.v1}/assets/", **body | {"external_id": new_id()})


def test_a_pair_that_an_attachment_of_an_issue_has_is_taken_too(acme):
    body = external()
    made = acme.member.ask(f"{acme.v1}/projects/{new_id()}/work-items/{new_id()}/attachments/", **body)
    assert_answer(acme.member("POST", f"{acme.v1}/assets/", json=body), 409, conflict(made))


@pytest.mark.parametrize("less", [{"external_id": ""}, {"external_source": ""}, {"external_id": None}, {"external_source": None}], ids=str)
def test_one_of_the_pair_alone_never_conflicts(acme, less):
    body = external() | less
    ids = {acme.member.ask(f"{acme.v1}/assets/", **body)["asset_id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_deleted_asset_frees_its_pair(acme):
    body = external()
    made = acme.member.ask(f"{acme.v1}/assets/", **body)
    assert_done(acme.member("DELETE", f"{acme.v2}/{made['asset_id']}/"))
    acme.member.ask(f"{acme.v1}/assets/", **body)


def test_another_workspace_has_pairs_of_its_own(acme):
    body = external()
    acme.member.ask(f"{acme.v1}/assets/", **body)
    acme.outsider.ask(f"/api/v1/workspaces/{acme.next_door}/assets/", **body)


def test_of_racing_requests_with_one_pair_exactly_one_gets_200(acme):
    for _ in range(5):
        body = external()
        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(acme.member, "POST", f"{acme.v1}/assets/", json=body) for _ in range(8)]
            statuses = sorted(answer.result().status_code for answer in answers)
        assert statuses == [200] + [409] * 7


# GET


def test_an_uploaded_asset_is_shown_with_the_keys_of_source_and_documentation(hangar, acme):
    body = {"name": "doc ą.pdf", "type": "application/pdf", "size": 100}
    made = upload(acme.member.ask(f"{acme.v1}/assets/", **body), b"%PDF-1.7")
    answer = acme.guest("GET", f"{acme.v1}/assets/{made['asset_id']}/")
    url = presigned(hangar, rf"{UUID}/{made['asset_id']}/doc%20%C4%85\.pdf", "inline" + NAMED + r"doc%2520%25C4%2585\.pdf")
    shape = (
        rf'\{{"asset_id":"ID","asset_url":"({url})","asset_name":"doc ą\.pdf","asset_type":"application/pdf","id":"ID",'
        r'"name":"doc ą\.pdf","type":"application/pdf","attributes":(\{[^}]+\})\}'
    )
    assert_answer(answer, 200, answer.text)
    matched = re.fullmatch(shape.replace("ID", made["asset_id"]), answer.text)
    assert matched, answer.text
    assert json.loads(matched[2]) == body
    assert answer.headers["Cache-Control"] == "no-store"
    fetched = requests.get(matched[1], timeout=20)
    assert (fetched.status_code, fetched.content) == (200, b"%PDF-1.7")


def test_an_asset_of_any_type_is_shown(acme):
    made = upload(acme.member.ask(f"{acme.v2}/", entity_type="WORKSPACE_LOGO", type="image/png", name="logo.png"), pictures.png())
    shown = acme.member("GET", f"{acme.v1}/assets/{made['asset_id']}/").json()
    assert (shown["name"], shown["type"]) == ("logo.png", "image/png")


@pytest.mark.parametrize("attributes", [{}, {"name": 5, "type": None}], ids=str)
def test_a_name_and_type_that_attributes_lack_are_empty(acme, attributes):
    made = upload(acme.member.ask(f"{acme.v2}/", entity_type="WORKSPACE_LOGO", type="image/png"), pictures.png())
    assert_done(acme.member("PATCH", f"{acme.v2}/{made['asset_id']}/", json={"attributes": attributes}))
    shown = acme.member("GET", f"{acme.v1}/assets/{made['asset_id']}/").json()
    assert [shown[key] for key in ("asset_name", "asset_type", "name", "type")] == [""] * 4
    assert shown["attributes"] == attributes


def test_an_asset_without_bytes_is_400(acme, asset):
    assert_answer(acme.member("GET", f"{acme.v1}/assets/{asset['asset_id']}/"), 400, '{"error":"Asset not yet uploaded"}')


def test_an_unknown_a_deleted_and_a_foreign_asset_are_404(acme, asset):
    assert_done(acme.member("DELETE", f"{acme.v2}/{asset['asset_id']}/"))
    foreign = acme.outsider.ask(f"/api/v1/workspaces/{acme.next_door}/assets/", **TEXT)["asset_id"]
    for asset_id in (new_id(), asset["asset_id"], foreign):
        for method in ("GET", "PATCH"):
            assert_answer(acme.member(method, f"{acme.v1}/assets/{asset_id}/"), 404, NO_ASSET)


# PATCH


@pytest.mark.parametrize("value", [True, False, 1, 0, "True", "False", "t", "f", "1", "0"], ids=repr)
def test_is_uploaded_is_checked_and_then_ignored(acme, asset, value):
    item = f"{acme.v1}/assets/{asset['asset_id']}/"
    for _ in range(2):
        assert_done(acme.member("PATCH", item, json={"is_uploaded": value}))
    assert acme.member("GET", item).status_code == 400
    upload(asset, b"text")
    assert_done(acme.member("PATCH", item, json={"is_uploaded": value}))
    assert acme.member("GET", item).status_code == 200


@pytest.mark.parametrize("how", [{}, {"json": {}}, {"json": {"name": "b", "attributes": None}}], ids=str)
def test_a_patch_may_say_nothing(acme, asset, how):
    assert_done(acme.member("PATCH", f"{acme.v1}/assets/{asset['asset_id']}/", **how))


@pytest.mark.parametrize(
    "value, text",
    [(None, BAD_PAYLOAD), ("yes", BAD_DETAIL), ("true", BAD_DETAIL), ("", BAD_DETAIL), (2, BAD_DETAIL), ([], BAD_DETAIL), ({}, BAD_DETAIL)],
    ids=repr,
)
def test_an_invalid_is_uploaded_is_refused_before_the_asset_is_looked_up(acme, asset, value, text):
    for asset_id in (asset["asset_id"], new_id()):
        assert_answer(acme.member("PATCH", f"{acme.v1}/assets/{asset_id}/", json={"is_uploaded": value}), 400, text)


# The workspace


@pytest.mark.parametrize(
    "method, path, text",
    [("POST", "assets/", NO_ROW), ("GET", f"assets/{new_id()}/", '{"error":"Workspace not found"}'), ("PATCH", f"assets/{new_id()}/", NO_ASSET)],
)
@pytest.mark.parametrize("slug", ["nowhere", "a%20b", "%C5%BC", "None", "ACME"])
def test_an_unknown_slug_is_404_before_the_body_is_read(acme, method, path, text, slug):
    answer = acme.member(method, f"/api/v1/workspaces/{slug}/{path}", data=b"{", headers={"Content-Type": "application/json"})
    assert_answer(answer, 404, text)


def test_a_slug_is_percent_decoded(acme):
    acme.member.ask("/api/v1/workspaces/%61cm%65/assets/", **TEXT)


@pytest.mark.parametrize(
    "method, path, allow",
    [("GET", "assets/", "POST"), ("OPTIONS", "assets/", "POST"), ("HEAD", "assets/", "POST"),
     ("DELETE", f"assets/{new_id()}/", "GET, PATCH"), ("HEAD", f"assets/{new_id()}/", "GET, PATCH"), ("PUT", f"assets/{new_id()}/", "GET, PATCH")],
)
def test_another_method_is_405(acme, method, path, allow):
    answer = acme.member(method, f"{acme.v1}/{path}")
    assert (answer.status_code, answer.text) == (405, other_method(method))
    assert answer.headers["Allow"] == allow
    assert_general_headers(answer)


def test_the_limit_is_the_one_that_is_set(start_hangar):
    server = start_hangar(FILE_SIZE_LIMIT="2000")
    small = Workspace(server, "small")
    assert length_range(small.member.ask(f"{small.v1}/assets/", **TEXT | {"size": 9999})) == ["content-length-range", 1, 2000]
