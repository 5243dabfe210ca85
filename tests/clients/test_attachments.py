"""Attachments of issues: both path families of v1 (section 3.4 of the contract) and v2 (section 3.9)."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from plane_api import (
    BAD_DETAIL,
    BAD_FILE_TYPE,
    BAD_NAME,
    BAD_SIZE,
    MAY_NOT_DELETE,
    NAMED,
    NO_RIGHTS,
    NO_ROW,
    NO_ROW_V2,
    UUID,
    Caller,
    assert_answer,
    assert_done,
    assert_general_headers,
    assert_redirect,
    key_of,
    length_range,
    new_id,
    other_method,
    upload,
)

INVALID = '{"error":"Invalid request.","status":false}'
NOT_UPLOADED = '{"error":"The asset is not uploaded.","status":false}'
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
SPEC = {"name": "spec v1.pdf", "type": "application/pdf", "size": 24}
BYTES = b"%PDF-1.7 twenty-four byte"[:24]


class Issue:
    """An issue's attachments, as one of the three path families reaches them."""

    def __init__(self, acme, family, project=None, issue=None):
        self.project, self.issue = project or new_id(), issue or new_id()
        self.family = family
        self.path = {
            "work-items": f"{acme.v1}/projects/{self.project}/work-items/{self.issue}/attachments/",
            "issues": f"{acme.v1}/projects/{self.project}/issues/{self.issue}/issue-attachments/",
            "v2": f"{acme.v2}/projects/{self.project}/issues/{self.issue}/attachments/",
        }[family]
        self.missing = NO_ROW_V2 if family == "v2" else NO_ROW

    def item(self, made):
        return f"{self.path}{made['asset_id']}/"


@pytest.fixture(params=["work-items", "issues", "v2"])
def issue(request, acme):
    return Issue(acme, request.param)


@pytest.fixture(params=["work-items", "issues"])
def issue_v1(request, acme):
    return Issue(acme, request.param)


@pytest.fixture
def issue_v2(acme):
    return Issue(acme, "v2")


def attached(acme, issue, **more):
    return upload(acme.member.ask(issue.path, **SPEC | more), BYTES)


def assert_is_there(acme, issue, made):
    assert acme.admin("GET", issue.item(made)).status_code == 302
    assert made["asset_id"] in [item["id"] for item in acme.admin("GET", issue.path).json()]


def assert_is_gone(acme, issue, made):
    """Neither one path nor the list shows it, and to delete it again is refused as for one that never was."""
    assert_answer(acme.admin("GET", issue.item(made)), 404, issue.missing)
    assert made["asset_id"] not in [item["id"] for item in acme.admin("GET", issue.path).json()]
    assert_answer(acme.admin("DELETE", issue.item(made)), 404, issue.missing)


# POST


def shape_of(acme, issue, uploaded):
    """The attachment object, key by key."""
    url = rf'"asset_url":"{acme.v2}/projects/{issue.project}/issues/{issue.issue}/attachments/ID/",' if issue.family == "v2" else ""
    metadata = (
        r'\{"ETag":"\\"[0-9a-f]{32}\\"","Metadata":\{\},"ContentType":"application/pdf",'
        r'"LastModified":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00","ContentLength":24\}'
    )
    shape = (
        rf'\{{"id":"ID",{url}"created_at":"{TIME}","updated_at":"{TIME}","deleted_at":null,"attributes":(?P<attributes>\{{[^}}]+\}}),'
        r'"asset":"UUID/ID/spec v1\.pdf","entity_type":"ISSUE_ATTACHMENT","entity_identifier":null,"is_deleted":false,"is_archived":false,'
        rf'"external_id":null,"external_source":null,"size":24\.0,"is_uploaded":{"true" if uploaded else "false"},'
        rf'"storage_metadata":{metadata if uploaded else "{}"},"created_by":"UUID","updated_by":{"(?:null|.UUID.)" if uploaded else "null"},'
        rf'"user":null,"workspace":"UUID","draft_issue":null,"project":"{issue.project}","issue":"{issue.issue}","comment":null,"page":null\}}'
    )
    return shape.replace('"storage_metadata":{}', r'"storage_metadata":\{\}')


def test_the_answer_holds_the_attachment(acme, issue):
    answer = acme.member("POST", issue.path, json=SPEC)
    assert_answer(answer, 200, answer.text)
    made = answer.json()
    more = "" if issue.family == "v2" else rf',"id":"ID","asset":"{re.escape(key_of(made))}"'
    url = f"{acme.v2}/projects/{issue.project}/issues/{issue.issue}/attachments/ID/"
    shape = (
        r'\{"upload_data":\{"url":"[^"]+","fields":\{[^}]+\}\},"asset_id":"ID","attachment":'
        rf'{shape_of(acme, issue, uploaded=False)},"asset_url":"{url}"{more}\}}'
    )
    matched = re.fullmatch(shape.replace("UUID", UUID).replace("ID", made["asset_id"]), answer.text)
    assert matched, answer.text
    assert json.loads(matched["attributes"]) == SPEC
    assert made["attachment"]["created_by"] == acme.member.id
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body, text",
    [
        ({}, INVALID),
        ({"size": 1, "type": "text/plain"}, INVALID),
        ({"name": "", "size": "abc"}, INVALID),
        ({"name": "dir/", "size": 1}, INVALID),
        ({"name": "a"}, INVALID),
        *[({"name": "a", "size": size}, INVALID) for size in (None, 0, 0.0, "", [], {}, False)],
        *[({"name": "a", "size": size}, BAD_SIZE) for size in (True, -1, "abc", "10.9", "0", [1], {"a": 1})],
        ({"name": "a", "size": 1}, BAD_FILE_TYPE),
        ({"name": "a", "size": 1, "type": "image/jpg"}, BAD_FILE_TYPE),
        ({"name": "a", "size": 1, "type": "text/html", "external_id": 5}, BAD_FILE_TYPE),
        ({"name": "a", "size": 1, "type": "text/plain", "external_id": 5}, BAD_DETAIL),
        ({"name": "x" * 256, "size": 1, "type": "text/plain", "external_source": []}, BAD_DETAIL),
        ({"name": "x" * 256, "size": 1, "type": "text/plain"}, BAD_NAME),
    ],
    ids=lambda value: str(value)[:60],
)
def test_by_v1_the_first_wrong_field_decides(acme, issue_v1, body, text):
    assert_answer(acme.member("POST", issue_v1.path, json=body), 400, text)


@pytest.mark.parametrize(
    "body, text",
    [
        *[({"size": size, "type": "no"}, BAD_SIZE) for size in (None, 0, "", "abc", [], {}, False, True, -1)],
        ({}, BAD_FILE_TYPE),
        ({"type": "image/jpg", "name": "x" * 256}, BAD_FILE_TYPE),
        ({"type": "text/plain", "name": "x" * 256}, BAD_NAME),
    ],
    ids=lambda value: str(value)[:60],
)
def test_by_v2_the_first_wrong_field_decides(acme, issue_v2, body, text):
    assert_answer(acme.member("POST", issue_v2.path, json=body), 400, text)


def test_by_v2_only_the_type_is_required(acme, issue_v2):
    made = acme.member.ask(issue_v2.path, type="text/plain", external_id=5)
    assert key_of(made).endswith(f"/{made['asset_id']}/unnamed")
    assert length_range(made) == ["content-length-range", 1, 5242880]
    assert made["attachment"]["size"] == 5242880.0


@pytest.mark.parametrize("size, bound", [(1.5, 1), ("500", 500), (10**30, 5242880)], ids=repr)
def test_a_size_is_whole_and_clamped_everywhere(acme, issue, size, bound):
    made = acme.member.ask(issue.path, **SPEC | {"size": size})
    assert length_range(made) == ["content-length-range", 1, bound]
    assert (made["attachment"]["size"], made["attachment"]["attributes"]["size"]) == (float(bound), bound)


# External ids


def test_a_pair_is_taken_once_for_one_issue(acme, issue_v1):
    body = SPEC | {"external_id": new_id(), "external_source": "github"}
    made = acme.member.ask(issue_v1.path, **body)
    text = f'{{"error":"Issue with the same external id and external source already exists","id":"{made["asset_id"]}"}}'
    for family in ("work-items", "issues"):
        same = Issue(acme, family, issue_v1.project, issue_v1.issue)
        assert_answer(acme.guest("POST", same.path, json=body), 409, text)
    assert made["attachment"]["external_id"] == body["external_id"]
    acme.member.ask(Issue(acme, "issues", issue_v1.project).path, **body)
    acme.member.ask(Issue(acme, "issues", None, issue_v1.issue).path, **body)
    assert_done(acme.member("DELETE", issue_v1.item(made)))
    acme.member.ask(issue_v1.path, **body)


def test_of_racing_requests_with_one_pair_exactly_one_gets_200(acme, issue_v1):
    body = SPEC | {"external_id": new_id(), "external_source": "github"}
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(acme.member, "POST", issue_v1.path, json=body) for _ in range(8)]
        statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses == [200] + [409] * 7


def test_by_v2_there_are_no_external_ids(acme, issue_v2):
    body = SPEC | {"external_id": "a", "external_source": "b"}
    for _ in range(2):
        made = acme.member.ask(issue_v2.path, **body)
        assert made["attachment"]["external_id"] is None


# The list


def test_a_list_holds_what_is_uploaded_the_newest_first(acme, issue):
    assert_answer(acme.guest("GET", issue.path), 200, "[]")
    first, second = attached(acme, issue), attached(acme, issue)
    acme.member.ask(issue.path, **SPEC)
    gone = attached(acme, issue)
    assert_done(acme.member("DELETE", issue.item(gone)))
    attached(acme, Issue(acme, issue.family, issue.project))
    for family in ("work-items", "issues", "v2"):
        same = Issue(acme, family, issue.project, issue.issue)
        answer = acme.guest("GET", same.path + "?per_page=1&cursor=x")
        assert [item["id"] for item in answer.json()] == [second["asset_id"], first["asset_id"]]
        shapes = [
            shape_of(acme, same, uploaded=True).replace("UUID", UUID).replace("ID", made["asset_id"]) for made in (second, first)
        ]
        pattern = r"\[" + ",".join(shapes).replace("(?P<attributes>", "(?:") + r"\]"
        assert_answer(answer, 200, answer.text)
        assert re.fullmatch(pattern, answer.text), answer.text


def test_an_attachment_is_listed_only_in_its_own_workspace(acme, issue):
    attached(acme, issue)
    elsewhere = issue.path.replace(f"/{acme.slug}/", f"/{acme.next_door}/")
    assert_answer(acme.outsider("GET", elsewhere), 200, "[]")


def test_times_have_six_digits_and_rise(acme, issue):
    made = attached(acme, issue)
    assert_done(acme.admin("PATCH", issue.item(made)))
    [item] = acme.member("GET", issue.path).json()
    created, updated = (datetime.fromisoformat(item[name]) for name in ("created_at", "updated_at"))
    assert created <= updated


# One attachment


def test_an_attachment_is_a_redirect_to_a_download(hangar, acme, issue):
    made = attached(acme, issue, name="notes ą (1).txt")
    answer = acme.guest("GET", issue.item(made) + "?disposition=inline")
    assert_redirect(hangar, answer, BYTES, "attachment" + NAMED + r"notes%2520%25C4%2585%2520%25281%2529\.txt")


def test_the_asset_url_of_an_attachment_is_its_v2_form(hangar, acme, issue):
    made = attached(acme, issue)
    assert_redirect(hangar, acme.guest("GET", made["asset_url"]), BYTES, "attachment" + NAMED + r"spec%2520v1\.pdf")


def test_an_attachment_without_bytes_is_400(acme, issue):
    made = acme.member.ask(issue.path, **SPEC)
    assert_answer(acme.member("GET", issue.item(made)), 400, NOT_UPLOADED)
    assert_done(acme.member("PATCH", issue.item(made), json={"is_uploaded": True}))
    assert_answer(acme.member("GET", issue.item(made)), 400, NOT_UPLOADED)
    assert_answer(acme.member("GET", issue.path), 200, "[]")


def test_an_attachment_is_found_only_under_its_own_issue(acme, issue):
    made = attached(acme, issue)
    description = acme.member.ask(f"{acme.v2}/projects/{issue.project}/", entity_type="ISSUE_DESCRIPTION", entity_identifier=issue.issue)
    others = [
        Issue(acme, issue.family, issue.project).item(made),
        Issue(acme, issue.family, None, issue.issue).item(made),
        issue.item(description),
        issue.item({"asset_id": new_id()}),
    ]
    for path in others:
        for method in ("GET", "PATCH", "DELETE"):
            assert_answer(acme.admin(method, path), 404, issue.missing)
    assert_done(acme.admin("DELETE", issue.item(made)))
    for method in ("GET", "PATCH", "DELETE"):
        assert_answer(acme.admin(method, issue.item(made)), 404, issue.missing)


@pytest.mark.parametrize(
    "how",
    [{}, {"json": {"is_uploaded": True}}, {"data": b"{", "headers": {"Content-Type": "application/json"}}, {"data": b"x", "headers": {"Content-Type": "image/png"}},
     {"json": {"attributes": None}}],
    ids=str,
)
def test_the_body_of_a_patch_is_not_read(acme, issue, how):
    made = attached(acme, issue)
    for _ in range(2):
        assert_done(acme.member("PATCH", issue.item(made), **how))
    [item] = acme.member("GET", issue.path).json()
    assert item["attributes"] == SPEC


def test_the_first_caller_that_patches_becomes_the_creator(acme, issue):
    made = attached(acme, issue)
    assert_done(acme.guest("PATCH", issue.item(made)))
    assert_done(acme.admin("PATCH", issue.item(made)))
    [item] = acme.member("GET", issue.path).json()
    assert (item["created_by"], item["updated_by"]) == (acme.guest.id, acme.admin.id)


def test_by_v1_members_delete_and_a_guest_only_its_own(acme, issue_v1):
    made = attached(acme, issue_v1)
    assert_answer(acme.guest("DELETE", issue_v1.item(made)), 403, MAY_NOT_DELETE)
    assert_answer(acme.guest("DELETE", issue_v1.item({"asset_id": new_id()})), 404, NO_ROW)
    assert_is_there(acme, issue_v1, made)
    assert_done(acme.member("DELETE", issue_v1.item(made)))
    assert_is_gone(acme, issue_v1, made)
    for caller in (acme.guest, acme.member, acme.admin):
        of_guest = upload(acme.guest.ask(issue_v1.path, **SPEC), BYTES)
        assert_is_there(acme, issue_v1, of_guest)
        assert_done(caller("DELETE", issue_v1.item(of_guest)))
        assert_is_gone(acme, issue_v1, of_guest)


def test_by_v2_only_its_creator_and_admins_delete(acme, issue_v2):
    made = attached(acme, issue_v2)
    for asset_id in (made["asset_id"], new_id()):
        assert_answer(acme.guest("DELETE", issue_v2.item({"asset_id": asset_id})), 403, NO_RIGHTS)
    assert_is_there(acme, issue_v2, made)
    assert_done(acme.member("DELETE", issue_v2.item(made)))
    assert_is_gone(acme, issue_v2, made)
    of_member = attached(acme, issue_v2)
    assert_done(acme.admin("DELETE", issue_v2.item(of_member)))
    assert_is_gone(acme, issue_v2, of_member)
    assert_answer(acme.member("DELETE", issue_v2.item(made)), 403, NO_RIGHTS)


def test_an_attachment_without_an_issue_is_reached_by_the_word_none(hangar, acme):
    for project in (None, new_id()):
        made = upload(acme.member.ask(f"{acme.v1}/assets/", **SPEC | {"project_id": project}), BYTES)
        assert made["asset_url"] == f"{acme.v2}/projects/{project}/issues/None/attachments/{made['asset_id']}/"
        assert_redirect(hangar, acme.guest("GET", made["asset_url"]), BYTES, "attachment" + NAMED + r"spec%2520v1\.pdf")
        assert_done(acme.member("PATCH", made["asset_url"]))
        assert_done(acme.member("DELETE", made["asset_url"]))
        assert_answer(acme.guest("GET", made["asset_url"]), 404, NO_ROW_V2)


# Scopes and methods


@pytest.fixture(scope="module")
def scoped(hangar, acme):
    """Callers of the guest with one scope each."""
    names = ("assets:read", "assets:write", "projects.work_items.attachments:read", "projects.work_items.attachments:write")
    return {name: Caller(hangar, acme.guest.email, "--scope", name) for name in names}


def test_the_scopes_of_assets_and_of_attachments_both_open_attachments(acme, issue, scoped):
    for scope, caller in scoped.items():
        reads = caller("GET", issue.path)
        writes = caller("POST", issue.path, json=SPEC)
        assert (reads.status_code, writes.status_code) == ((200, 403) if scope.endswith("read") else (403, 200))


def test_the_scopes_of_attachments_open_nothing_else(acme, scoped):
    for action in ("read", "write"):
        caller = scoped[f"projects.work_items.attachments:{action}"]
        for method, path in (("GET", f"{acme.v1}/assets/{new_id()}/"), ("POST", f"{acme.v1}/assets/"), ("GET", f"{acme.v2}/check/{new_id()}/"), ("POST", f"{acme.v2}/")):
            assert_answer(caller(method, path), 403, '{"detail":"You do not have permission to perform this action."}')


def test_another_method_is_405(acme, issue):
    v2 = issue.family == "v2"
    item = issue.item({"asset_id": new_id()})
    for path, methods, allow in (
        (issue.path, ("PUT", "PATCH", "DELETE"), "GET, POST, HEAD, OPTIONS" if v2 else "GET, POST"),
        (item, ("PUT", "POST"), "GET, PATCH, DELETE, HEAD, OPTIONS" if v2 else "GET, PATCH, DELETE"),
        *([] if v2 else [(issue.path, ("HEAD", "OPTIONS"), "GET, POST"), (item, ("HEAD", "OPTIONS"), "GET, PATCH, DELETE")]),
    ):
        for method in methods:
            answer = acme.member(method, path)
            assert (answer.status_code, answer.text) == (405, other_method(method))
            assert answer.headers["Allow"] == allow
            assert_general_headers(answer)


def test_head_equals_get_without_a_body(acme, issue_v2):
    made = attached(acme, issue_v2)
    for path in (issue_v2.path, issue_v2.item(made)):
        got, head = acme.member("GET", path), acme.member("HEAD", path)
        assert head.content == b""
        varying = {"date", "location", "x-request-id"}
        headers = [{name.lower(): value for name, value in answer.headers.items() if name.lower() not in varying} for answer in (got, head)]
        assert (head.status_code, headers[1]) == (got.status_code, headers[0])


def test_an_unknown_slug_is_404_by_v1_and_403_by_v2(acme, issue):
    path = issue.path.replace(f"/{acme.slug}/", "/nowhere/")
    for method in ("GET", "POST"):
        answer = acme.member(method, path)
        assert_answer(answer, *((403, NO_RIGHTS) if issue.family == "v2" else (404, NO_ROW)))


def test_issues_of_two_workspaces_with_one_id_share_nothing(acme, issue):
    made = attached(acme, issue)
    elsewhere = issue.path.replace(f"/{acme.slug}/", f"/{acme.next_door}/")
    assert_answer(acme.outsider("GET", f"{elsewhere}{made['asset_id']}/"), 404, issue.missing)
