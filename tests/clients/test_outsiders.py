"""Each path of a workspace as a member, a guest, a member of another workspace, a stranger, and without a token."""

import pytest

from plane_api import MAY_NOT_DELETE, NO_PAGE, NO_PERMISSION, NO_RIGHTS, NO_ROW, NOT_PROVIDED, NOT_VALID, Caller, assert_answer, assert_general_headers, new_id

MAY_NOT_UPLOAD = '{"error":"You are not allowed to upload this attachment"}'
MAY_NOT_DOWNLOAD = '{"error":"You are not allowed to download this attachment"}'
NO_WORKSPACE = '{"error":"Workspace not found"}'
NO_ASSET = '{"error":"Asset not found"}'

P, I, A, E = (new_id() for _ in range(4))
V1 = [f"V/projects/{P}/work-items/{I}/attachments/", f"V/projects/{P}/issues/{I}/issue-attachments/"]
ISSUE = f"W/projects/{P}/issues/{I}/attachments/"

# method, path, what an outsider is told, what is told of an unknown workspace
PATHS = [
    ("POST", "V/assets/", (403, NO_PERMISSION), (404, NO_ROW)),
    ("GET", f"V/assets/{A}/", (403, NO_PERMISSION), (404, NO_WORKSPACE)),
    ("PATCH", f"V/assets/{A}/", (403, NO_PERMISSION), (404, NO_ASSET)),
    *[
        one
        for path in V1
        for one in (
            ("GET", path, (403, NO_PERMISSION), (404, NO_ROW)),
            ("POST", path, (403, MAY_NOT_UPLOAD), (404, NO_ROW)),
            ("GET", f"{path}{A}/", (403, MAY_NOT_DOWNLOAD), (404, NO_ROW)),
            ("PATCH", f"{path}{A}/", (403, MAY_NOT_UPLOAD), (404, NO_ROW)),
            ("DELETE", f"{path}{A}/", (403, MAY_NOT_DELETE), (404, NO_ROW)),
        )
    ],
    *[
        (method, path, (403, NO_RIGHTS), (403, NO_RIGHTS))
        for method, path in (
            ("POST", "W/"),
            ("GET", f"W/{A}/"),
            ("HEAD", f"W/{A}/"),
            ("PATCH", f"W/{A}/"),
            ("DELETE", f"W/{A}/"),
            ("POST", f"W/projects/{P}/"),
            ("GET", f"W/projects/{P}/{A}/"),
            ("PATCH", f"W/projects/{P}/{A}/"),
            ("DELETE", f"W/projects/{P}/{A}/"),
            ("GET", f"W/projects/None/{A}/"),
            ("POST", f"W/projects/{P}/{E}/bulk/"),
            ("GET", f"W/projects/{P}/download/{A}/"),
            ("GET", ISSUE),
            ("POST", ISSUE),
            ("GET", f"{ISSUE}{A}/"),
            ("PATCH", f"{ISSUE}{A}/"),
            ("DELETE", f"{ISSUE}{A}/"),
            ("GET", f"W/projects/None/issues/None/attachments/{A}/"),
            ("GET", f"W/check/{A}/"),
            ("GET", f"W/download/{A}/"),
            ("POST", f"W/restore/{A}/"),
        )
    ],
]
NAMES = [f"{method} {path.replace(P, 'P').replace(I, 'I').replace(A, 'A').replace(E, 'E')}" for method, path, _, _ in PATHS]
BROKEN = {"data": b"{", "headers": {"Content-Type": "application/json"}}


def spelled(path, slug):
    return path.replace("V/", f"/api/v1/workspaces/{slug}/", 1).replace("W/", f"/api/assets/v2/workspaces/{slug}/", 1)


def assert_told(answer, method, told):
    status, text = told
    if method == "HEAD":
        assert (answer.status_code, answer.text) == (status, "")
    else:
        assert_answer(answer, status, text)


@pytest.fixture(scope="module")
def stranger(hangar):
    """In no workspace at all."""
    return Caller(hangar, "stranger@example.com")


@pytest.mark.parametrize("method, path, outside, unknown", PATHS, ids=NAMES)
def test_an_outsider_is_refused_before_the_body_is_read(acme, stranger, method, path, outside, unknown):
    for caller in (acme.outsider, stranger):
        assert_told(caller(method, spelled(path, acme.slug), **BROKEN), method, outside)


@pytest.mark.parametrize("method, path, outside, unknown", PATHS, ids=NAMES)
def test_an_unknown_workspace_gets_the_refusal_of_its_route(acme, method, path, outside, unknown):
    for slug in ("nowhere", "Not%20A%20Slug"):
        assert_told(acme.admin(method, spelled(path, slug), **BROKEN), method, unknown)


@pytest.mark.parametrize("method, path, outside, unknown", PATHS, ids=NAMES)
def test_members_of_each_role_come_in(acme, method, path, outside, unknown):
    for caller in (acme.admin, acme.member, acme.guest):
        answer = caller(method, spelled(path, acme.slug))
        assert_general_headers(answer)
        # What comes next is the route's own; only the v2 attachment's DELETE is not for everybody.
        is_for_admins = method == "DELETE" and path == f"{ISSUE}{A}/"
        if not (is_for_admins and caller is not acme.admin):
            assert answer.status_code not in (401, 403), answer.text


@pytest.mark.parametrize("method, path, outside, unknown", PATHS, ids=NAMES)
def test_without_a_token_a_request_is_refused_before_the_workspace_is_looked_up(hangar, acme, method, path, outside, unknown):
    for slug in (acme.slug, "nowhere"):
        assert_told(hangar.request(method, spelled(path, slug)), method, (401, NOT_PROVIDED))
        assert_told(hangar.request(method, spelled(path, slug), headers={"X-API-Key": "x"}), method, (403, NOT_VALID))


@pytest.mark.parametrize("method, path, outside, unknown", PATHS, ids=NAMES)
def test_a_token_of_the_wrong_scope_is_refused_before_the_workspace(hangar, acme, method, path, outside, unknown):
    scope = "assets:write" if method in ("GET", "HEAD") else "assets:read"
    caller = Caller(hangar, acme.admin.email, "--scope", scope)
    for slug in (acme.slug, "nowhere"):
        assert_told(caller(method, spelled(path, slug)), method, (403, NO_PERMISSION))


def test_a_copy_is_refused_to_outsiders(acme, stranger):
    for caller in (acme.outsider, stranger):
        path = spelled(f"W/duplicate-assets/{new_id()}/", acme.slug)
        assert_answer(caller("POST", path, **BROKEN), 403, NO_RIGHTS)
    path = spelled(f"W/duplicate-assets/{new_id()}/", "nowhere")
    assert_answer(acme.admin("POST", path, **BROKEN), 403, NO_RIGHTS)


@pytest.mark.parametrize(
    "path",
    ["/api/users/file-assets/", "/api/workspaces/acme/file-assets/", f"/api/workspaces/file-assets/{A}/x.png/",
     f"/api/workspaces/acme/projects/{P}/issues/{I}/issue-attachments/", f"/api/workspaces/acme/projects/{P}/issues/{I}/issue-attachments/{A}/"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_older_routes_do_not_exist(acme, method, path):
    assert_answer(acme.member(method, path), 404, NO_PAGE)
