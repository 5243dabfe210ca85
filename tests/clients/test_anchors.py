"""Files of published projects, section 3.11 of the contract."""

import pytest

import pictures
from plane_api import (
    BAD_DETAIL,
    BAD_ENTITY,
    BAD_NAME,
    BAD_PAYLOAD,
    BAD_SIZE,
    BAD_TYPE_V2,
    ENTITY_TYPES,
    NOT_PROVIDED,
    NO_BYTES,
    NO_IDS,
    NO_PERMISSION,
    NO_ROW_V2,
    PICTURE,
    RANDOM,
    Caller,
    assert_answer,
    assert_done,
    assert_general_headers,
    assert_redirect,
    length_range,
    new_id,
    other_method,
    upload,
)

NOT_PUBLISHED = '{"error":"Project is not published"}'
NOT_FOUND = '{"error":"Requested resource could not be found."}'
PUBLIC = ["ISSUE_DESCRIPTION", "COMMENT_DESCRIPTION"]


class Published:
    def __init__(self, acme):
        self.project = new_id()
        self.path = f"/api/public/assets/v2/anchor/{acme.publish(self.project)}/"
        self.private = f"{acme.v2}/projects/{self.project}/"

    def item(self, made):
        return f"{self.path}{made['asset_id']}/"


@pytest.fixture(scope="module")
def site(acme):
    return Published(acme)


@pytest.fixture
def visitor(acme):
    """Somebody signed in who is no member."""
    return acme.outsider


# Reading


@pytest.mark.parametrize("entity_type", PUBLIC)
def test_pictures_of_issues_and_comments_are_public(hangar, acme, site, entity_type):
    made = upload(acme.member.ask(site.private, entity_type=entity_type, **PICTURE), pictures.png())
    for headers in ({}, {"X-API-Key": "nonsense"}, {"Accept": "image/*"}):
        answer = hangar.request("GET", site.item(made) + "?disposition=attachment", headers=headers)
        assert_redirect(hangar, answer, pictures.png(), "inline" + RANDOM)
    head = hangar.request("HEAD", site.item(made))
    assert (head.status_code, head.content) == (302, b"")


@pytest.mark.parametrize("entity_type", [one for one in ENTITY_TYPES if one not in PUBLIC])
def test_assets_of_another_type_are_not_public(hangar, acme, site, entity_type):
    made = acme.member.ask(site.private, entity_type=entity_type, **PICTURE)
    assert_answer(hangar.request("GET", site.item(made)), 404, NO_ROW_V2)
    upload(made, pictures.png())
    assert_answer(hangar.request("GET", site.item(made)), 404, NO_ROW_V2)


def test_assets_of_another_project_are_not_public(hangar, acme, site):
    for place in (f"{acme.v2}/", f"{acme.v2}/projects/{new_id()}/"):
        made = upload(acme.member.ask(place, entity_type="ISSUE_DESCRIPTION", **PICTURE), pictures.png())
        assert_answer(hangar.request("GET", site.item(made)), 404, NO_ROW_V2)


def test_an_asset_without_bytes_or_a_deleted_one_is_404(hangar, acme, site):
    made = acme.member.ask(site.private, entity_type="ISSUE_DESCRIPTION", **PICTURE)
    assert_answer(hangar.request("GET", site.item(made)), 404, NO_BYTES)
    assert_done(acme.member("DELETE", site.item(made)))
    for one in (made, {"asset_id": new_id()}):
        assert_answer(hangar.request("GET", site.item(one)), 404, NO_ROW_V2)


@pytest.mark.parametrize("anchor", ["0" * 32, "x", "a%20b", "acme", "None"])
def test_an_unknown_anchor_is_404(hangar, acme, anchor):
    path = f"/api/public/assets/v2/anchor/{anchor}/"
    for method in ("GET", "HEAD"):
        answer = hangar.request(method, f"{path}{new_id()}/")
        assert (answer.status_code, answer.text) == (404, NOT_FOUND if method == "GET" else "")
    writes = [("POST", path), ("PATCH", f"{path}{new_id()}/"), ("DELETE", f"{path}{new_id()}/"), ("POST", f"{path}restore/{new_id()}/"), ("POST", f"{path}{new_id()}/bulk/")]
    for method, where in writes:
        assert_answer(acme.member(method, where, data=b"{", headers={"Content-Type": "application/json"}), 404, NOT_PUBLISHED)
        assert_answer(hangar.request(method, where), 401, NOT_PROVIDED)


def test_a_revoked_anchor_is_unknown(hangar, acme):
    site = Published(acme)
    made = upload(acme.member.ask(site.private, entity_type="ISSUE_DESCRIPTION", **PICTURE), pictures.png())
    assert hangar.request("GET", site.item(made)).status_code == 302
    revoked = hangar.command_line("anchor", "revoke", site.path.split("/")[-2])
    assert revoked.returncode == 0, revoked.stderr
    assert_answer(hangar.request("GET", site.item(made)), 404, NOT_FOUND)


# Asking for uploads


@pytest.mark.parametrize("entity_type", PUBLIC)
def test_a_visitor_asks_for_an_upload(hangar, acme, site, visitor, entity_type):
    answer = visitor("POST", site.path, json=PICTURE | {"entity_type": entity_type, "entity_identifier": new_id()})
    assert_answer(answer, 200, answer.text)
    assert list(answer.json()) == ["upload_data", "asset_id", "asset_url"]
    made = upload(answer.json(), pictures.png())
    assert made["asset_url"] == f"{acme.v2}/projects/{site.project}/{made['asset_id']}/"
    assert_redirect(hangar, hangar.request("GET", site.item(made)), pictures.png(), "inline" + RANDOM)
    assert acme.guest("GET", made["asset_url"]).status_code == 302


@pytest.mark.parametrize(
    "body, text",
    [
        ({"size": 0, "entity_type": "no"}, BAD_SIZE),
        ({}, BAD_ENTITY),
        *[({"entity_type": one, "type": "no"}, BAD_ENTITY) for one in ENTITY_TYPES if one not in PUBLIC],
        ({"entity_type": "COMMENT_DESCRIPTION", "type": "text/plain", "entity_identifier": 5}, BAD_TYPE_V2),
        ({"entity_type": "COMMENT_DESCRIPTION", "entity_identifier": 5, "name": "x" * 256}, BAD_DETAIL),
        ({"entity_type": "COMMENT_DESCRIPTION", "entity_identifier": "no id"}, BAD_DETAIL),
        ({"entity_type": "COMMENT_DESCRIPTION", "name": "x" * 256}, BAD_NAME),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_first_wrong_field_decides(site, visitor, body, text):
    assert_answer(visitor("POST", site.path, json=body), 400, text)


def test_a_size_is_clamped(site, visitor):
    made = visitor.ask(site.path, size=10**9, entity_type="COMMENT_DESCRIPTION", entity_identifier="")
    assert length_range(made) == ["content-length-range", 1, 5242880]


def test_writing_needs_the_scope(hangar, site):
    reader = Caller(hangar, "reader@example.com", "--scope", "assets:read")
    assert_answer(reader("POST", site.path, json={"entity_type": "COMMENT_DESCRIPTION"}), 403, NO_PERMISSION)


# Changing


def test_only_members_and_creators_change_an_asset(hangar, acme, site, visitor):
    stranger = Caller(hangar, "stranger@example.com")
    theirs = upload(visitor.ask(site.path, entity_type="COMMENT_DESCRIPTION", **PICTURE), pictures.png())
    ours = upload(acme.member.ask(site.private, entity_type="COMMENT_DESCRIPTION", **PICTURE), pictures.png())
    for caller, made, may in ((visitor, theirs, True), (acme.guest, theirs, True), (stranger, theirs, False), (visitor, ours, False), (acme.guest, ours, True)):
        restore = site.item(made).replace(made["asset_id"], f"restore/{made['asset_id']}")
        for method, path, how in (("PATCH", site.item(made), {"json": {"attributes": {"name": "b"}}}), ("POST", restore, {}), ("DELETE", site.item(made), {}), ("POST", restore, {})):
            answer = caller(method, path, **how)
            if may:
                assert_done(answer)
            else:
                assert_answer(answer, 403, NO_PERMISSION)
        assert hangar.request("GET", site.item(made)).status_code == 302


def test_only_assets_of_the_project_are_changed(acme, site):
    other = acme.member.ask(f"{acme.v2}/projects/{new_id()}/", entity_type="COMMENT_DESCRIPTION")
    unbound = acme.member.ask(f"{acme.v2}/", entity_type="COMMENT_DESCRIPTION")
    for asset_id in (other["asset_id"], unbound["asset_id"], new_id()):
        for method, path in (("PATCH", f"{site.path}{asset_id}/"), ("DELETE", f"{site.path}{asset_id}/"), ("POST", f"{site.path}restore/{asset_id}/")):
            assert_answer(acme.admin(method, path), 404, NO_ROW_V2)


def test_a_second_delete_is_404(acme, site, visitor):
    made = visitor.ask(site.path, entity_type="COMMENT_DESCRIPTION")
    assert_done(visitor("DELETE", site.item(made)))
    assert_answer(visitor("DELETE", site.item(made)), 404, NO_ROW_V2)


@pytest.mark.parametrize("attributes", [None, [], "text"], ids=repr)
def test_attributes_must_be_an_object(site, visitor, attributes):
    made = visitor.ask(site.path, entity_type="COMMENT_DESCRIPTION")
    assert_answer(visitor("PATCH", site.item(made), json={"attributes": attributes}), 400, BAD_PAYLOAD)


# bulk


@pytest.mark.parametrize("body, text", [({}, NO_IDS), ({"asset_ids": []}, NO_IDS), ({"asset_ids": ["x"]}, BAD_DETAIL), ({"asset_ids": [new_id()] * 1001}, BAD_DETAIL)], ids=lambda value: str(value)[:30])
def test_ids_are_a_list_of_at_most_a_thousand_uuids(site, visitor, body, text):
    assert_answer(visitor("POST", f"{site.path}{new_id()}/bulk/", json=body), 400, text)


def test_bulk_is_for_members_and_creators_and_for_the_projects_own(acme, site, visitor):
    path = f"{site.path}{new_id()}/bulk/"
    theirs = visitor.ask(site.path, entity_type="COMMENT_DESCRIPTION")
    ours = acme.member.ask(site.private, entity_type="COMMENT_DESCRIPTION")
    other = acme.member.ask(f"{acme.v2}/projects/{new_id()}/", entity_type="COMMENT_DESCRIPTION")
    assert_done(visitor("POST", path, json={"asset_ids": [theirs["asset_id"], new_id()]}))
    assert_answer(visitor("POST", path, json={"asset_ids": [theirs["asset_id"], ours["asset_id"]]}), 403, NO_PERMISSION)
    assert_done(acme.guest("POST", path, json={"asset_ids": [theirs["asset_id"], ours["asset_id"], other["asset_id"]]}))
    for made in (other, {"asset_id": new_id()}):
        assert_answer(acme.member("POST", path, json={"asset_ids": [made["asset_id"]]}), 404, NO_BYTES)


# Methods


@pytest.mark.parametrize(
    "path, methods, allow",
    [("", "GET PUT PATCH DELETE", "POST, OPTIONS"), ("ID/", "PUT POST", "GET, PATCH, DELETE, HEAD, OPTIONS"),
     ("restore/ID/", "GET PUT PATCH DELETE", "POST, OPTIONS"), ("ID/bulk/", "GET PUT PATCH DELETE", "POST, OPTIONS")],
)
def test_another_method_is_405_and_options_tell_the_methods(hangar, site, visitor, path, methods, allow):
    path = site.path + path.replace("ID", new_id())
    for method in methods.split():
        answer = visitor(method, path)
        assert_answer(answer, 405, other_method(method))
        assert answer.headers["Allow"] == allow
        assert hangar.request(method, path).status_code == 401
    answer = visitor("OPTIONS", path)
    assert (answer.status_code, answer.content, answer.headers["Allow"]) == (200, b"", allow)
    assert_general_headers(answer)
    assert hangar.request("GET", path[:-1]).status_code == 301
