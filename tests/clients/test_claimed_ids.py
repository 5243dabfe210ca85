"""Ids that a client claims: projects, issues, comments, pages and drafts are never looked up, so two workspaces may claim one id.

The rule. An asset belongs to its workspace, and a cover's pointer to its workspace and project. A path of one workspace
(an anchor is one too) never finds an asset of another, whatever ids it claims: the answer is that of an unknown asset.
Inside a workspace all roles have the same rights, but an issue attachment is deleted by its creator and by admins alone
(by v1 also by members).

Each test claims the ids of acme's things, and compares all that acme sees of its asset before and after each request.
"""

import contextlib
import json
import pathlib
import sqlite3
import tarfile

import pytest

import pictures
from plane_api import (
    ENTITY_TYPES,
    MAY_NOT_DELETE,
    NOT_PROVIDED,
    NO_ASSET,
    NO_BYTES,
    NO_PERMISSION,
    NO_RIGHTS,
    NO_ROW,
    NO_ROW_V2,
    PICTURE,
    Caller,
    assert_answer,
    assert_done,
    new_id,
    upload,
)
from server import Hangar, run

STATIC = ["USER_AVATAR", "USER_COVER", "WORKSPACE_LOGO", "PROJECT_COVER"]
PUBLISHED = ["ISSUE_DESCRIPTION", "COMMENT_DESCRIPTION"]
POINTED = ["WORKSPACE_LOGO", "PROJECT_COVER"]

# name, method, path; W, V and N are a workspace's two APIs and its anchor, A the asset, P the project, E the entity
OPERATIONS = [
    ("read", "GET", "W/A/"),
    ("read", "HEAD", "W/A/"),
    ("read", "GET", "W/projects/P/A/"),
    ("read", "GET", "W/projects/None/A/"),
    ("read", "GET", "W/projects/P/issues/E/attachments/A/"),
    ("read", "GET", "W/download/A/"),
    ("read", "GET", "W/projects/P/download/A/"),
    ("read", "GET", "V/assets/A/"),
    ("read", "GET", "V/projects/P/work-items/E/attachments/A/"),
    ("read", "GET", "V/projects/P/issues/E/issue-attachments/A/"),
    ("read", "GET", "N/A/"),
    ("check", "GET", "W/check/A/"),
    ("patch", "PATCH", "W/A/"),
    ("patch", "PATCH", "W/projects/P/A/"),
    ("patch", "PATCH", "W/projects/P/issues/E/attachments/A/"),
    ("patch", "PATCH", "V/assets/A/"),
    ("patch", "PATCH", "V/projects/P/work-items/E/attachments/A/"),
    ("patch", "PATCH", "V/projects/P/issues/E/issue-attachments/A/"),
    ("patch", "PATCH", "/api/v1/assets/user-assets/A/"),
    ("patch", "PATCH", "/api/v1/assets/user-assets/A/server/"),
    ("patch", "PATCH", "/api/assets/v2/user-assets/A/"),
    ("patch", "PATCH", "N/A/"),
    ("delete", "DELETE", "W/A/"),
    ("delete", "DELETE", "W/projects/P/A/"),
    ("delete", "DELETE", "W/projects/None/A/"),
    ("delete", "DELETE", "W/projects/P/issues/E/attachments/A/"),
    ("delete", "DELETE", "W/projects/None/issues/None/attachments/A/"),
    ("delete", "DELETE", "V/projects/P/work-items/E/attachments/A/"),
    ("delete", "DELETE", "V/projects/P/issues/E/issue-attachments/A/"),
    ("delete", "DELETE", "/api/v1/assets/user-assets/A/"),
    ("delete", "DELETE", "/api/v1/assets/user-assets/A/server/"),
    ("delete", "DELETE", "/api/assets/v2/user-assets/A/"),
    ("delete", "DELETE", "N/A/"),
    ("restore", "POST", "W/restore/A/"),
    ("restore", "POST", "N/restore/A/"),
    ("bulk", "POST", "W/projects/P/E/bulk/"),
    ("bulk", "POST", "N/E/bulk/"),
    ("duplicate", "POST", "W/duplicate-assets/A/"),
]
DELETES = [path for name, _, path in OPERATIONS if name == "delete"]


class Place:
    """A workspace with the ids that its members claim, and the anchor of the claimed project."""

    def __init__(self, hangar, slug, project, entity):
        self.hangar, self.slug, self.project, self.entity = hangar, slug, project, entity
        made = hangar.command_line("anchor", "create", "--workspace", slug, "--project", project, "--json")
        assert made.returncode == 0, made.stderr
        self.anchor = json.loads(made.stdout)["anchor"]
        self.v2 = f"/api/assets/v2/workspaces/{slug}"

    def spelled(self, path, asset_id):
        beginnings = {"W/": f"{self.v2}/", "V/": f"/api/v1/workspaces/{self.slug}/", "N/": f"/api/public/assets/v2/anchor/{self.anchor}/"}
        for letter, beginning in beginnings.items():
            if path.startswith(letter):
                path = beginning + path[len(letter) :]
        ids = {"P": self.project, "E": self.entity, "A": asset_id}
        return "/".join(ids.get(segment, segment) for segment in path.split("/"))

    def ask(self, caller, entity_type):
        """Asks for an asset that is bound to the claimed ids."""
        identifier = {"PROJECT_COVER": self.project}.get(entity_type, self.entity)
        if entity_type in ("USER_AVATAR", "USER_COVER", "WORKSPACE_LOGO"):
            identifier = ""
        return caller.ask(f"{self.v2}/projects/{self.project}/", entity_type=entity_type, entity_identifier=identifier, **PICTURE)

    def made(self, caller, entity_type):
        """An uploaded and marked asset: a logo or cover is the current one."""
        made = upload(self.ask(caller, entity_type), pictures.png())
        assert_done(caller("PATCH", f"{self.v2}/{made['asset_id']}/"))
        return made["asset_id"]

    def seen(self, caller, asset_id):
        """All that a member sees of an asset."""
        shown = caller("GET", self.spelled("V/assets/A/", asset_id))
        rows = shown.json()
        rows.pop("asset_url", None)
        there = caller("GET", self.spelled("W/projects/P/A/", asset_id))
        attached = caller("GET", self.spelled("W/projects/P/issues/E/attachments/", asset_id)).json()
        static = self.hangar.request("GET", f"/api/assets/v2/static/{asset_id}/")
        return shown.status_code, rows, there.status_code, attached, static.status_code, static.content


def perform(caller, place, operation, asset_id):
    name, method, path = operation
    bodies = {"patch": {"attributes": {"name": "taken.png"}, "is_uploaded": True}, "bulk": {"asset_ids": [asset_id]}}
    bodies["duplicate"] = {"entity_type": "ISSUE_DESCRIPTION", "project_id": place.project, "entity_id": place.entity}
    how = {"json": bodies[name]} if name in bodies else {}
    return caller(method, place.spelled(path, asset_id), **how)


def unknown(operation, role):
    """The answer of a path that does not find the asset."""
    name, method, path = operation
    if method == "HEAD":
        return 404, ""
    if name == "check":
        return 200, '{"exists":false}'
    if name == "duplicate" or path == "V/assets/A/":
        return 404, NO_ASSET
    if name == "bulk" or "/download/" in path:
        return 404, NO_BYTES
    if method == "DELETE" and path.startswith("W/") and path.endswith("/attachments/A/") and role != "admin":
        return 403, NO_RIGHTS
    return 404, NO_ROW if path.startswith(("V/", "/api/v1/")) else NO_ROW_V2


@pytest.fixture(scope="module")
def ids():
    return new_id(), new_id()


@pytest.fixture(scope="module")
def ours(hangar, acme, ids):
    return Place(hangar, acme.slug, *ids)


@pytest.fixture(scope="module")
def theirs(hangar, acme, ids):
    """The workspace next door, whose people claim the same ids."""
    return Place(hangar, acme.next_door, *ids)


@pytest.fixture(scope="module")
def neighbours(hangar, acme):
    """Members of each role next door; none of them is a member of acme."""
    found = {"admin": acme.outsider}
    for role in ("member", "guest"):
        email = f"{role}@next-door.example.com"
        added = hangar.command_line("workspace", "member", "add", acme.next_door, f"{email}:{role}")
        assert added.returncode == 0, added.stderr
        found[role] = Caller(hangar, email)
    return found


@pytest.fixture(scope="module")
def stranger(hangar):
    return Caller(hangar, "nowhere@example.com")


# Foreign assets


@pytest.mark.parametrize("role", ["admin", "member", "guest"])
@pytest.mark.parametrize("entity_type", ENTITY_TYPES)
def test_no_path_of_another_workspace_finds_an_asset(acme, ours, theirs, neighbours, entity_type, role):
    asset_id = ours.made(acme.member, entity_type)
    before = ours.seen(acme.admin, asset_id)
    for operation in OPERATIONS:
        answer = perform(neighbours[role], theirs, operation, asset_id)
        told = unknown(operation, role)
        assert (answer.status_code, answer.text) == told, operation
        assert ours.seen(acme.admin, asset_id) == before, operation


@pytest.mark.parametrize("entity_type", ENTITY_TYPES)
def test_outsiders_change_nothing_by_the_workspaces_own_paths(hangar, acme, ours, neighbours, stranger, entity_type):
    asset_id = ours.made(acme.member, entity_type)
    before = ours.seen(acme.admin, asset_id)

    def without_token(method, path, **how):
        return hangar.request(method, path, **how)

    for caller in (neighbours["admin"], neighbours["guest"], stranger, without_token):
        for operation in OPERATIONS:
            name, method, path = operation
            answer = perform(caller, ours, operation, asset_id)
            if name == "read" and path == "N/A/":
                expected = 302 if entity_type in PUBLISHED else 404
            elif caller is without_token:
                expected = 401
            elif "user-assets" in path:
                expected = 404
            else:
                expected = 403
            assert answer.status_code == expected, (operation, answer.text)
            if method != "HEAD" and expected == 401:
                assert answer.text == NOT_PROVIDED
            assert ours.seen(acme.admin, asset_id) == before, operation


@pytest.mark.parametrize("entity_type", ENTITY_TYPES)
def test_an_anchor_shows_only_files_of_its_own_workspace(hangar, acme, ours, theirs, entity_type):
    """Both projects are published, and have one id."""
    asset_id = ours.made(acme.member, entity_type)
    own = hangar.request("GET", ours.spelled("N/A/", asset_id))
    assert own.status_code == (302 if entity_type in PUBLISHED else 404)
    assert_answer(hangar.request("GET", theirs.spelled("N/A/", asset_id)), 404, NO_ROW_V2)
    for caller in (acme.admin, acme.guest):
        for operation in [one for one in OPERATIONS if one[2].startswith("N/")]:
            answer = perform(caller, theirs, operation, asset_id)
            # A member of acme is a visitor there: bulk counts no id, the rest finds no row.
            assert (answer.status_code, answer.text) == unknown(operation, None), operation
        assert ours.seen(acme.admin, asset_id)[0] == 200


# Own assets under foreign ids


@pytest.mark.parametrize("role", ["admin", "guest"])
@pytest.mark.parametrize("entity_type", ENTITY_TYPES)
def test_own_assets_that_claim_foreign_ids_change_nothing_of_their_owner(acme, ours, theirs, neighbours, entity_type, role):
    neighbour = neighbours[role]
    asset_id = ours.made(acme.member, entity_type)
    before = ours.seen(acme.admin, asset_id)

    def unchanged():
        assert ours.seen(acme.admin, asset_id) == before

    first = theirs.made(neighbour, entity_type)
    unchanged()
    second = theirs.ask(neighbour, entity_type)
    assert_done(neighbour("PATCH", f"{theirs.v2}/{second['asset_id']}/"))
    unchanged()
    # The upload finishes late: the pointer moves with it.
    upload(second, pictures.png())
    unchanged()
    assert theirs.seen(neighbour, first)[0] == (404 if entity_type in POINTED else 200), "its own workspace's former one is replaced"
    bulk = theirs.spelled("W/projects/P/E/bulk/", None)
    assert_done(neighbour("POST", bulk, json={"asset_ids": [second["asset_id"], asset_id]}))
    unchanged()
    body = {"entity_type": entity_type, "project_id": theirs.project}
    if entity_type not in STATIC:
        body["entity_id"] = theirs.entity
    answer = neighbour("POST", theirs.spelled("W/duplicate-assets/A/", second["asset_id"]), json=body)
    assert answer.status_code == 200, answer.text
    unchanged()
    for path in ("W/restore/A/", "N/restore/A/"):
        assert_done(neighbour("POST", theirs.spelled(path, second["asset_id"])))
        unchanged()
    for path in ("W/projects/P/A/", "W/A/"):
        assert_done(neighbour("DELETE", theirs.spelled(path, second["asset_id"])))
        unchanged()
        assert_done(neighbour("POST", theirs.spelled("W/restore/A/", second["asset_id"])))
        unchanged()


@pytest.mark.parametrize("move", ["patch", "bulk", "late upload"])
def test_each_workspace_keeps_its_own_cover_of_one_project_id(acme, ours, theirs, neighbours, move):
    """What one workspace's move replaces is its own former cover, and the other's stays current."""
    guest = neighbours["guest"]

    def cover(place, caller):
        made = place.ask(caller, "PROJECT_COVER")
        item = f"{place.v2}/{made['asset_id']}/"
        if move == "late upload":
            assert_done(caller("PATCH", item))
        upload(made, pictures.png())
        if move == "patch":
            assert_done(caller("PATCH", item))
        if move == "bulk":
            assert_done(caller("POST", place.spelled("W/projects/P/E/bulk/", None), json={"asset_ids": [made["asset_id"]]}))
        return made["asset_id"]

    def is_there(asset_id):
        return acme.hangar.request("GET", f"/api/assets/v2/static/{asset_id}/").status_code == 200

    our_first, their_first = cover(ours, acme.guest), cover(theirs, guest)
    assert is_there(our_first) and is_there(their_first)
    # A PATCH replaces what is current, however that became so.
    our_second = ours.made(acme.member, "PROJECT_COVER")
    assert (is_there(our_first), is_there(their_first)) == (False, True)
    their_second = theirs.made(guest, "PROJECT_COVER")
    assert [is_there(one) for one in (our_second, their_first, their_second)] == [True, False, True]
    # A cover that is deleted leaves the other workspace's pointer where it is.
    assert_done(guest("DELETE", f"{theirs.v2}/{their_second}/"))
    our_third = ours.made(acme.admin, "PROJECT_COVER")
    assert [is_there(one) for one in (our_second, our_third)] == [False, True]


def test_a_cover_that_was_bound_to_another_project_is_not_replaced_by_the_former_one(acme, ours):
    moved = ours.made(acme.member, "PROJECT_COVER")
    elsewhere = f"{ours.v2}/projects/{new_id()}/{new_id()}/bulk/"
    assert_done(acme.member("POST", elsewhere, json={"asset_ids": [moved]}))
    current = ours.made(acme.member, "PROJECT_COVER")
    for asset_id in (moved, current):
        assert acme.hangar.request("GET", f"/api/assets/v2/static/{asset_id}/").status_code == 200


def test_a_pair_of_external_ids_is_taken_in_one_workspace_only(acme, ours, theirs, neighbours):
    body = {"name": "a.txt", "type": "text/plain", "size": 10, "external_id": new_id(), "external_source": "jira"}
    for path in ("V/assets/", "V/projects/P/work-items/E/attachments/"):
        pair = body | {"external_id": new_id()}
        assert acme.member("POST", ours.spelled(path, None), json=pair).status_code == 200
        assert acme.guest("POST", ours.spelled(path, None), json=pair).status_code == 409
        assert neighbours["guest"]("POST", theirs.spelled(path, None), json=pair).status_code == 200


def test_attachments_of_one_issue_id_are_listed_in_their_own_workspace_only(acme, ours, theirs, neighbours):
    project, issue = new_id(), new_id()
    for place, caller in ((ours, acme.member), (theirs, neighbours["guest"])):
        attachments = f"{place.v2}/projects/{project}/issues/{issue}/attachments/"
        made = upload(caller.ask(attachments, name="a.txt", type="text/plain", size=10), b"hello")
        assert [one["id"] for one in caller("GET", attachments).json()] == [made["asset_id"]]


@pytest.mark.parametrize("entity_type", ["USER_AVATAR", "USER_COVER", "WORKSPACE_LOGO"])
def test_no_identifier_claims_a_foreign_avatar_or_logo(acme, ours, theirs, neighbours, entity_type):
    """Users and workspaces are looked up: an id that is not the caller's, or the path's, is refused."""
    for identifier in (acme.admin.id, acme.id, new_id()):
        body = PICTURE | {"entity_type": entity_type, "entity_identifier": identifier}
        for path in ("W/", "W/projects/P/"):
            assert neighbours["admin"]("POST", theirs.spelled(path, None), json=body).status_code == 400


# Roles inside a workspace


@pytest.mark.parametrize("entity_type", ENTITY_TYPES)
@pytest.mark.parametrize("role", ["admin", "member", "guest"])
def test_all_roles_have_the_same_rights_save_over_attachments(acme, ours, entity_type, role):
    caller = getattr(acme, role)
    is_attachment = entity_type == "ISSUE_ATTACHMENT"
    for operation in OPERATIONS:
        name, method, path = operation
        if name == "duplicate" or "None" in path or "user-assets" in path:
            continue
        if ("attachments/" in path and not is_attachment) or (path == "N/A/" and name == "read" and entity_type not in PUBLISHED):
            continue
        asset_id = ours.made(acme.admin if role != "admin" else acme.member, entity_type)
        answer = perform(caller, ours, operation, asset_id)
        if name == "read":
            assert answer.status_code == (200 if path == "V/assets/A/" else 302), operation
        elif name == "check":
            assert answer.json() == {"exists": True}
        elif name == "delete" and is_attachment and not may_delete_others(role, path):
            assert_answer(answer, 403, refusal(path))
            assert ours.seen(acme.admin, asset_id)[0] == 200, operation
        else:
            assert_done(answer)
            assert ours.seen(acme.admin, asset_id)[0] == (404 if name == "delete" else 200), operation


def may_delete_others(role, path):
    return role == "admin" or (role == "member" and path.startswith("V/"))


def refusal(path):
    if path.startswith("V/"):
        return MAY_NOT_DELETE
    return NO_PERMISSION if path.startswith("N/") else NO_RIGHTS


@pytest.mark.parametrize("path", [path for path in DELETES if "None" not in path and "user-assets" not in path])
@pytest.mark.parametrize("role", ["admin", "member", "guest"])
def test_every_creator_deletes_an_attachment_by_every_path(acme, ours, role, path):
    caller = getattr(acme, role)
    asset_id = ours.made(caller, "ISSUE_ATTACHMENT")
    assert_done(caller("DELETE", ours.spelled(path, asset_id)))
    assert ours.seen(acme.admin, asset_id)[0] == 404


def test_an_attachment_of_no_issue_is_guarded_too(acme, ours):
    """What v1's workspace route makes is an issue attachment without an issue."""
    made = upload(acme.member.ask(f"/api/v1/workspaces/{acme.slug}/assets/", name="a.txt", type="text/plain", size=10), b"hello")
    for path in ("W/A/", "W/projects/None/A/", "W/projects/None/issues/None/attachments/A/"):
        assert_answer(acme.guest("DELETE", ours.spelled(path, made["asset_id"])), 403, NO_RIGHTS)
    assert ours.seen(acme.admin, made["asset_id"])[0] != 404
    assert_done(acme.member("DELETE", ours.spelled("W/projects/None/A/", made["asset_id"])))
    assert ours.seen(acme.admin, made["asset_id"])[0] == 404


def test_a_former_member_deletes_by_the_anchor_only_its_own_assets(hangar, acme, ours):
    email = "former@example.com"
    added = hangar.command_line("workspace", "member", "add", acme.slug, f"{email}:guest")
    assert added.returncode == 0, added.stderr
    former = Caller(hangar, email)
    own = ours.made(former, "ISSUE_ATTACHMENT")
    removed = hangar.command_line("workspace", "member", "remove", acme.slug, email)
    assert removed.returncode == 0, removed.stderr
    for entity_type in ("ISSUE_ATTACHMENT", "COMMENT_DESCRIPTION"):
        others = ours.made(acme.member, entity_type)
        assert_answer(former("DELETE", ours.spelled("N/A/", others)), 403, NO_PERMISSION)
    assert_answer(former("DELETE", ours.spelled("W/projects/P/A/", own)), 403, NO_RIGHTS)
    assert ours.seen(acme.admin, own)[0] != 404
    assert_done(former("DELETE", ours.spelled("N/A/", own)))
    assert ours.seen(acme.admin, own)[0] == 404


# Folders of the time when a project had one pointer for all workspaces

OLDER = pathlib.Path(__file__).with_name("older") / "one-pointer-for-a-project.tar.gz"


def unpacked(folder, with_snapshot):
    """A server over a copy of the folder: the log, and a snapshot that lacks the log's last records."""
    server = Hangar(folder)
    with tarfile.open(OLDER) as archive:
        archive.extractall(folder, filter="data")
    if not with_snapshot:
        for snapshot in (server.data / "@hangar").glob("snapshot-*"):
            snapshot.unlink()
    return server, json.loads((server.data / "ids.json").read_text())


def rows(server):
    """What the database of a stopped server holds of assets and pointers."""
    with contextlib.closing(sqlite3.connect(server.data / "@hangar/hangar.db")) as database:
        pointers = database.execute("SELECT kind, workspace_id, owner_id, asset_id FROM pointers ORDER BY 1, 2, 3")
        assets = database.execute("SELECT * FROM assets ORDER BY id")
        return pointers.fetchall(), assets.fetchall()


def is_there(server, asset_id):
    return server.request("GET", f"/api/assets/v2/static/{asset_id}/").status_code == 200


def made_current(server, caller, slug, project):
    made = caller.ask(f"/api/assets/v2/workspaces/{slug}/", entity_type="PROJECT_COVER", entity_identifier=project, **PICTURE)
    upload(made, pictures.png())
    assert_done(caller("PATCH", f"/api/assets/v2/workspaces/{slug}/{made['asset_id']}/"))
    return made["asset_id"]


@pytest.mark.parametrize("with_snapshot", [True, False], ids=["snapshot", "log"])
def test_an_older_folder_is_what_it_was_and_each_workspace_has_its_own_pointers_from_then_on(tmp_path, connect, with_snapshot):
    server, known = unpacked(tmp_path, with_snapshot)
    assets, projects = known["assets"], known["projects"]
    server.start()
    try:
        there = {name: server.request("GET", f"/api/assets/v2/static/{asset_id}/").status_code for name, asset_id in assets.items()}
        assert there == known["there"]
        ada, mal = Caller(server, "ada@acme.example"), Caller(server, "mal@other.example")
        assert ada.avatar() == f"/api/assets/v2/static/{assets['avatar']}/"

        # A PATCH of the other workspace came before the upgrade, its bytes come now.
        connect(server).put_object(Bucket="uploads", Key=known["waiting_key"], Body=pictures.png(), ContentType="image/png")
        assert is_there(server, assets["waiting_ours"]) and is_there(server, assets["waiting_theirs"])

        for project, ours, theirs in (
            ("replaced", None, "replaced_theirs"),
            ("bound_over", None, "bound_over_theirs"),
            ("ours_alone", "ours_alone", None),
            ("waiting", "waiting_ours", "waiting_theirs"),
            ("back", "back_ours", None),
        ):
            new = made_current(server, ada, "acme", projects[project])
            assert theirs is None or is_there(server, assets[theirs]), project
            assert ours is None or not is_there(server, assets[ours]), project
            their_new = made_current(server, mal, "other", projects[project])
            assert is_there(server, new) and is_there(server, their_new), project
            assert theirs is None or not is_there(server, assets[theirs]), project
    finally:
        assert server.stop() == 0, server.said()
    assert "panicked" not in server.said()
    live = rows(server)
    assert live[0]
    rebuilt = run("rebuild", "--from-log", **server.settings)
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert rows(server) == live


def test_an_older_log_gives_the_rows_of_its_snapshot(tmp_path):
    found = []
    for with_snapshot in (True, False):
        server, _ = unpacked(tmp_path / str(with_snapshot), with_snapshot)
        rebuilt = run("rebuild", "--json", **server.settings)
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert (json.loads(rebuilt.stdout)["snapshot"] is not None) == with_snapshot
        found.append(rows(server))
    assert found[0] == found[1]
    # One pointer for a project, as it was: that of the last move.
    covers = [row for row in found[0][0] if row[0] == "project_cover"]
    assert len({project for _, _, project, _ in covers}) == len(covers) == 5
