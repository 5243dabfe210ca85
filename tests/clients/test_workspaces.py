"""Workspaces, people and anchors as the command line keeps them, beside a running server and without one."""

import json

import pytest

from plane_api import Caller, new_id
from server import Hangar, run


def told(server, *arguments):
    """What a command prints as JSON."""
    done = server.command_line(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(server, *arguments):
    done = server.command_line(*arguments)
    assert done.returncode != 0
    return done.stderr


def members(server, slug):
    found = [one for one in told(server, "workspace", "list")["workspaces"] if one["slug"] == slug]
    return {member["email"]: member["role"] for member in found[0]["members"]}


def test_members_come_change_and_go(hangar):
    made = told(hangar, "workspace", "create", "coming", "--member", "ada@coming.org:admin", "--member", "bob@coming.org:5")
    assert (made["slug"], len(made["members"])) == ("coming", 2)
    assert members(hangar, "coming") == {"ada@coming.org": "admin", "bob@coming.org": "guest"}
    bob, path = Caller(hangar, "bob@coming.org"), "/api/assets/v2/workspaces/coming/"
    assert bob("POST", path, json={"entity_type": "WORKSPACE_LOGO"}).status_code == 200
    told(hangar, "workspace", "member", "add", "coming", "bob@coming.org:member")
    assert members(hangar, "coming")["bob@coming.org"] == "member"
    told(hangar, "workspace", "member", "remove", "coming", "bob@coming.org")
    assert bob("POST", path, json={"entity_type": "WORKSPACE_LOGO"}).status_code == 403


def test_invalid_arguments_are_refused_with_a_sentence(hangar):
    told(hangar, "workspace", "create", "taken")
    assert "already" in refused(hangar, "workspace", "create", "taken")
    assert "slug" in refused(hangar, "workspace", "create", "Not A Slug")
    assert "EMAIL:ROLE" in refused(hangar, "workspace", "member", "add", "taken", "ada@example.com:owner")
    assert "no workspace" in refused(hangar, "workspace", "member", "add", "missing", "ada@example.com:guest")
    assert "no member" in refused(hangar, "workspace", "member", "remove", "taken", "admin@localhost")
    assert "no user" in refused(hangar, "user", "remove", "nobody@example.com")
    assert "no workspace" in refused(hangar, "anchor", "create", "--workspace", "missing", "--project", new_id())
    assert "no anchor" in refused(hangar, "anchor", "revoke", "0" * 32)


def test_a_removed_user_has_no_access_at_once(hangar):
    told(hangar, "workspace", "create", "leaving", "--member", "eve@leaving.org:admin")
    eve = Caller(hangar, "eve@leaving.org")
    assert eve("GET", "/api/v1/users/me/").status_code == 200
    told(hangar, "user", "remove", "eve@leaving.org")
    assert eve("GET", "/api/v1/users/me/").status_code == 403
    assert members(hangar, "leaving") == {}
    assert "eve@leaving.org" not in [user["email"] for user in told(hangar, "user", "list")["users"]]


def test_an_anchor_publishes_until_it_is_revoked(hangar):
    told(hangar, "workspace", "create", "publishing", "--member", "ada@publishing.org:admin")
    project = new_id()
    anchor = told(hangar, "anchor", "create", "--workspace", "publishing", "--project", project)["anchor"]
    listed = told(hangar, "anchor", "list")["anchors"]
    assert {"anchor": anchor, "workspace": "publishing", "project": project} in listed
    ada, path = Caller(hangar, "ada@publishing.org"), f"/api/public/assets/v2/anchor/{anchor}/"
    assert ada("POST", path, json={"entity_type": "COMMENT_DESCRIPTION"}).status_code == 200
    told(hangar, "anchor", "revoke", anchor)
    assert ada("POST", path, json={"entity_type": "COMMENT_DESCRIPTION"}).status_code == 404


def test_a_token_for_any_workspace_makes_unknown_ones(hangar):
    dev = Caller(hangar, "dev@example.com", "--workspace", "*")
    path = "/api/assets/v2/workspaces/made-by-asking/"
    assert dev("GET", f"{path}check/{new_id()}/").status_code == 403
    assert dev("POST", path, json={"entity_type": "WORKSPACE_LOGO"}).status_code == 200
    assert dev("GET", f"{path}check/{new_id()}/").json() == {"exists": False}
    assert dev("POST", "/api/assets/v2/workspaces/Not%20A%20Slug/", json={}).status_code == 403


def test_it_all_is_there_without_a_server_and_after_a_restart(tmp_path):
    folder = str(tmp_path / "data")

    def alone(*arguments):
        done = run(*arguments, "--data-dir", folder, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    server = Hangar(tmp_path).start()
    assert server.stop() == 0
    alone("workspace", "create", "quiet", "--member", "ada@example.com:admin")
    alone("anchor", "create", "--workspace", "quiet", "--project", new_id())
    assert [one["slug"] for one in alone("workspace", "list")["workspaces"]] == ["quiet"]
    assert len(alone("anchor", "list")["anchors"]) == 1
    alone("user", "remove", "ada@example.com")
    alone("workspace", "member", "add", "quiet", "ada@example.com:admin")
    (tmp_path / "data" / "@hangar" / "hangar.db").unlink()
    assert alone("workspace", "list")["workspaces"][0]["members"] == [{"email": "ada@example.com", "role": "admin"}]


@pytest.mark.parametrize("command", ["workspace", "user", "anchor"])
def test_help_teaches_by_examples(command):
    shown = run(command, "--help")
    assert shown.returncode == 0
    assert f"hangar {command} " in shown.stdout and "Examples:" in shown.stdout
