"""Where hangar differs from Plane on purpose: a test for each row of the contract's section 5, by its number."""

import json
import re
import time
from datetime import datetime

import pytest
import requests

import pictures
from plane_api import (
    BAD_ENTITY,
    BAD_NAME,
    BAD_PAYLOAD,
    BAD_SIZE,
    ENTITY_TYPES,
    NOT_PROVIDED,
    NO_ASSET,
    NO_BYTES,
    NO_OBJECT,
    NO_PERMISSION,
    NO_RIGHTS,
    NO_ROW,
    NO_ROW_V2,
    PICTURE,
    TOO_LARGE,
    USER_ASSETS,
    USER_ASSETS_V2,
    UUID,
    Caller,
    assert_answer,
    assert_done,
    assert_redirect,
    key_of,
    length_range,
    new_id,
    other_method,
    upload,
)

AVATAR = PICTURE | {"entity_type": "USER_AVATAR"}
TEXT = {"name": "a.txt", "type": "text/plain", "size": 100}


@pytest.fixture
def ada(hangar):
    """Somebody new."""
    return Caller(hangar, f"{new_id()}@example.com")


@pytest.fixture
def project():
    return new_id()


def uploaded(caller, path, **fields):
    return upload(caller.ask(path, **(PICTURE | fields)), pictures.png())


def item(collection, made):
    return f"{collection}{made['asset_id']}/"


def current_logo(acme, one, other):
    """Which of two logos is the workspace's: a newer current one deletes the former."""
    there = [made for made in (one, other) if acme.hangar.request("GET", made["asset_url"]).status_code == 200]
    return [made["asset_id"] for made in there]


def test_01_keys_hold_the_id_of_the_asset(acme):
    made = acme.member.ask(USER_ASSETS, **AVATAR)
    assert key_of(made) == f"user-assets/{made['asset_id']}/me.png"
    made = acme.member.ask(f"{acme.v2}/", entity_type="WORKSPACE_LOGO", **PICTURE)
    assert re.fullmatch(f"{UUID}/{made['asset_id']}/me.png", key_of(made))


def test_02_the_scope_names_a_region(ada):
    made = ada.ask(USER_ASSETS, **AVATAR)
    assert re.fullmatch(r"[^/]+/\d{8}/us-east-1/s3/aws4_request", made["upload_data"]["fields"]["x-amz-credential"])


def test_03_an_asset_is_uploaded_when_its_bytes_are_there(hangar, ada):
    promised = ada.ask(USER_ASSETS, **AVATAR)
    for _ in range(2):
        assert_done(ada("PATCH", item(USER_ASSETS, promised), json={"attributes": {"name": "x"}}))
    assert_answer(hangar.request("GET", promised["asset_url"]), 404, NO_BYTES)
    upload(promised, pictures.png())
    assert hangar.request("GET", promised["asset_url"]).content == pictures.png()
    for _ in range(2):
        assert_done(ada("PATCH", item(USER_ASSETS, promised)))
    assert hangar.request("GET", promised["asset_url"]).content == pictures.png()


def test_04_a_second_patch_of_the_same_picture_deletes_nothing(hangar, acme, ada, project):
    kinds = [
        (ada, USER_ASSETS_V2, "USER_AVATAR"),
        (ada, USER_ASSETS_V2, "USER_COVER"),
        (acme.member, f"{acme.v2}/", "WORKSPACE_LOGO"),
    ]
    for caller, collection, entity_type in kinds:
        made = uploaded(caller, collection, entity_type=entity_type)
        for _ in range(3):
            assert_done(caller("PATCH", item(collection, made)))
            assert hangar.request("GET", made["asset_url"]).status_code == 200
    cover = uploaded(acme.member, f"{acme.v2}/projects/{project}/", entity_type="PROJECT_COVER")
    for _ in range(3):
        assert_done(acme.member("PATCH", item(f"{acme.v2}/", cover)))
        assert hangar.request("GET", cover["asset_url"]).status_code == 200


@pytest.mark.parametrize("bytes_first", [True, False])
def test_05_a_picture_is_replaced_when_patch_and_bytes_are_both_there(acme, bytes_first):
    collection = f"{acme.v2}/"
    old = uploaded(acme.member, collection, entity_type="WORKSPACE_LOGO")
    assert_done(acme.member("PATCH", item(collection, old)))
    new = acme.member.ask(collection, entity_type="WORKSPACE_LOGO", **PICTURE)
    steps = [lambda: upload(new, pictures.png()), lambda: assert_done(acme.member("PATCH", item(collection, new)))]
    first, second = steps if bytes_first else reversed(steps)
    first()
    assert old["asset_id"] in current_logo(acme, old, new)
    second()
    assert current_logo(acme, old, new) == [new["asset_id"]]


def test_06_a_delete_empties_only_the_pointer_to_that_asset(hangar, acme, ada):
    current, other = (uploaded(ada, USER_ASSETS_V2, entity_type="USER_AVATAR") for _ in range(2))
    assert_done(ada("PATCH", item(USER_ASSETS_V2, current)))
    assert_done(ada("DELETE", item(USER_ASSETS_V2, other)))
    assert ada.avatar() == current["asset_url"]
    assert_done(ada("DELETE", item(USER_ASSETS_V2, current)))
    assert ada.avatar() is None


def test_07_what_fails_in_plane_answers_as_meant(hangar, acme, ada):
    made = upload(ada.ask(f"{USER_ASSETS}server/", **AVATAR), pictures.png())
    assert hangar.request("GET", made["asset_url"]).status_code == 200
    made = upload(acme.member.ask(f"{acme.v1}/assets/", **TEXT), b"hello")
    shown = acme.member("GET", f"{acme.v1}/assets/{made['asset_id']}/").json()
    assert list(shown) == ["asset_id", "asset_url", "asset_name", "asset_type", "id", "name", "type", "attributes"]
    assert (shown["asset_id"], shown["asset_name"], shown["asset_type"]) == (made["asset_id"], "a.txt", "text/plain")
    assert (shown["id"], shown["name"], shown["type"], shown["attributes"]) == (
        made["asset_id"],
        "a.txt",
        "text/plain",
        {"name": "a.txt", "size": 100, "type": "text/plain"},
    )
    assert requests.get(shown["asset_url"], timeout=20).content == b"hello"


def test_08_members_have_access_and_other_users_have_none(hangar, acme, project):
    stranger = acme.outsider
    assert_answer(stranger("POST", f"{acme.v1}/assets/", json=TEXT), 403, NO_PERMISSION)
    made = upload(acme.member.ask(f"{acme.v1}/assets/", **TEXT), b"hello")
    for method in ("GET", "PATCH"):
        assert_answer(stranger(method, item(f"{acme.v1}/assets/", made)), 403, NO_PERMISSION)
    issue = f"{acme.v1}/projects/{project}/work-items/{new_id()}/attachments/"
    assert_answer(stranger("GET", issue), 403, NO_PERMISSION)

    for entity_type in ("WORKSPACE_LOGO", "USER_AVATAR", "USER_COVER"):
        body = PICTURE | {"entity_type": entity_type, "entity_identifier": new_id()}
        assert_answer(acme.member("POST", f"{acme.v2}/", json=body), 400, BAD_PAYLOAD)

    attached = upload(acme.member.ask(issue, **TEXT), b"hello")
    foreign = f"{acme.v1}/projects/{project}/work-items/{new_id()}/attachments/"
    for method in ("GET", "PATCH", "DELETE"):
        assert_answer(acme.member(method, item(foreign, attached)), 404, NO_ROW)

    anchor = f"/api/public/assets/v2/anchor/{acme.publish(project)}/"
    outside = uploaded(acme.member, f"{acme.v2}/projects/{new_id()}/", entity_type="ISSUE_DESCRIPTION")
    inside = uploaded(acme.member, f"{acme.v2}/projects/{project}/", entity_type="ISSUE_DESCRIPTION")
    assert_answer(hangar.request("GET", item(anchor, outside)), 404, NO_ROW_V2)
    for method in ("PATCH", "DELETE"):
        assert_answer(acme.member(method, item(anchor, outside)), 404, NO_ROW_V2)
        assert_answer(stranger(method, item(anchor, inside)), 403, NO_PERMISSION)


def test_09_the_workspace_is_checked_before_the_fields(acme):
    assert_answer(acme.member("POST", "/api/v1/workspaces/unknown/assets/", json={"size": "x"}), 404, NO_ROW)
    assert_answer(acme.outsider("POST", f"{acme.v1}/assets/", json={"size": "x"}), 403, NO_PERMISSION)


def test_10_a_cover_is_made_by_its_projects_route(acme, project):
    collection = f"{acme.v2}/projects/{project}/"
    made = uploaded(acme.member, collection, entity_type="PROJECT_COVER")
    assert made["asset_url"] == f"/api/assets/v2/static/{made['asset_id']}/"
    acme.member.ask(collection, entity_type="PROJECT_COVER", entity_identifier=project, **PICTURE)
    other = PICTURE | {"entity_type": "PROJECT_COVER", "entity_identifier": new_id()}
    assert_answer(acme.member("POST", collection, json=other), 400, BAD_PAYLOAD)


@pytest.mark.parametrize(
    "body, text",
    [
        (AVATAR | {"size": None}, BAD_SIZE),
        (AVATAR | {"size": "abc"}, BAD_SIZE),
        (AVATAR | {"size": [1]}, BAD_SIZE),
        ([], NO_OBJECT),
        ("text", NO_OBJECT),
        (7, NO_OBJECT),
        (AVATAR | {"name": "n" * 800}, BAD_NAME),
    ],
    ids=lambda value: str(value)[:20],
)
def test_11_a_wrong_field_is_400_with_its_reason(acme, ada, body, text):
    assert_answer(ada("POST", USER_ASSETS, json=body), 400, text)
    assert_answer(acme.member("POST", f"{acme.v2}/", json=body), 400, text)


@pytest.mark.parametrize("size", [0, -1, True, False], ids=repr)
def test_12_a_size_that_no_upload_can_meet_is_400(acme, ada, size):
    body = AVATAR | {"size": size}
    assert_answer(ada("POST", USER_ASSETS, json=body), 400, BAD_SIZE)
    assert_answer(ada("POST", USER_ASSETS_V2, json=body), 400, BAD_SIZE)
    assert_answer(acme.member("POST", f"{acme.v2}/", json=body), 400, BAD_SIZE)


@pytest.mark.parametrize(
    "name, cleaned", [('a"b\nc.png', 'a"bc.png'), ("a\x7f\x1fb.png", "ab.png"), ("${filename}", "filename"), ("a${filename}.png", "afilename.png")]
)
def test_13_a_name_holds_nothing_that_an_upload_would_change(ada, name, cleaned):
    made = uploaded(ada, USER_ASSETS, entity_type="USER_AVATAR", name=name)
    assert key_of(made).split("/", 2)[2] == cleaned


def test_14_a_name_has_at_most_255_bytes(ada):
    made = ada.ask(USER_ASSETS, **(AVATAR | {"name": "ż" * 127 + "a"}))
    assert key_of(made).endswith("ż" * 127 + "a")
    assert_answer(ada("POST", USER_ASSETS, json=AVATAR | {"name": "ż" * 128}), 400, BAD_NAME)


def test_15_projects_issues_pages_and_comments_need_not_be_known(acme):
    for entity_type in ENTITY_TYPES[4:]:
        acme.member.ask(f"{acme.v2}/projects/{new_id()}/", entity_type=entity_type, entity_identifier=new_id(), **PICTURE)
    acme.member.ask(f"{acme.v1}/projects/{new_id()}/work-items/{new_id()}/attachments/", **TEXT)


def test_16_without_an_identifier_an_asset_of_a_workspace_is_unbound(acme):
    for entity_type in ENTITY_TYPES:
        acme.member.ask(f"{acme.v2}/", entity_type=entity_type, **PICTURE)
    made = acme.member.ask(f"{acme.v2}/", entity_type="ISSUE_DESCRIPTION", **PICTURE)
    assert made["asset_url"] == f"{acme.v2}/projects/None/{made['asset_id']}/"


def test_17_static_answers_with_the_bytes(hangar, ada):
    made = uploaded(ada, USER_ASSETS, entity_type="USER_AVATAR")
    whole = hangar.request("GET", made["asset_url"])
    assert (whole.status_code, whole.content, whole.headers["Content-Type"]) == (200, pictures.png(), "image/png")
    part = hangar.request("GET", made["asset_url"], headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    known = hangar.request("GET", made["asset_url"], headers={"If-None-Match": whole.headers["ETag"]})
    assert (known.status_code, known.content) == (304, b"")
    head = hangar.request("HEAD", made["asset_url"])
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(pictures.png())))
    assert all(hangar.request("HEAD", made["asset_url"]).status_code == 200 for _ in range(40))


def test_18_urls_with_none_lead_to_the_bytes(hangar, acme):
    attached = upload(acme.member.ask(f"{acme.v1}/assets/", **TEXT), b"hello")
    assert "/projects/None/issues/None/attachments/" in attached["asset_url"]
    described = uploaded(acme.member, f"{acme.v2}/", entity_type="PAGE_DESCRIPTION")
    assert "/projects/None/" in described["asset_url"]
    for made, content, name in ((attached, b"hello", "a.txt"), (described, pictures.png(), "me.png")):
        answer = acme.member("GET", made["asset_url"])
        assert_redirect(hangar, answer, content, f"attachment%3B%20filename%2A%3DUTF-8%27%27{name}")


def test_19_a_token_works_in_both_headers_on_all_routes_by_its_scopes(hangar, acme):
    reader = Caller(hangar, acme.member.email, "--scope", "assets:read")
    check = f"{acme.v2}/check/{new_id()}/"
    assert_answer(reader("GET", check), 200, '{"exists":false}')
    bearer = {"Authorization": f"Bearer {reader.token}"}
    assert_answer(hangar.request("GET", check, headers=bearer), 200, '{"exists":false}')
    assert_answer(hangar.request("GET", "/api/v1/users/me/", headers=bearer), 200, reader("GET", "/api/v1/users/me/").text)
    assert_answer(reader("POST", f"{acme.v2}/", json=PICTURE), 403, NO_PERMISSION)
    assert_answer(hangar.request("GET", check), 401, NOT_PROVIDED)


def test_20_by_an_anchor_sizes_are_clamped_and_two_types_taken(acme, project):
    anchor = f"/api/public/assets/v2/anchor/{acme.publish(project)}/"
    for entity_type in ENTITY_TYPES:
        body = PICTURE | {"entity_type": entity_type, "size": 10**12}
        answer = acme.outsider("POST", anchor, json=body)
        if entity_type in ("ISSUE_DESCRIPTION", "COMMENT_DESCRIPTION"):
            assert length_range(answer.json()) == ["content-length-range", 1, 5242880]
        else:
            assert_answer(answer, 400, BAD_ENTITY)


def test_21_bulk_binds_each_asset_by_its_own_type(hangar, acme, project):
    entity = new_id()
    described = uploaded(acme.member, f"{acme.v2}/", entity_type="ISSUE_DESCRIPTION")
    cover = uploaded(acme.member, f"{acme.v2}/", entity_type="PROJECT_COVER")
    ids = {"asset_ids": [described["asset_id"], cover["asset_id"]]}
    assert_done(acme.member("POST", f"{acme.v2}/projects/{project}/{entity}/bulk/", json=ids))
    for made in (described, cover):
        answer = acme.member("GET", item(f"{acme.v2}/projects/{project}/", made))
        assert_redirect(hangar, answer, pictures.png(), "attachment%3B%20filename%2A%3DUTF-8%27%27me.png")
    newer = uploaded(acme.member, f"{acme.v2}/projects/{project}/", entity_type="PROJECT_COVER")
    assert_done(acme.member("PATCH", item(f"{acme.v2}/", newer)))
    assert_answer(hangar.request("GET", cover["asset_url"]), 404, NO_ROW_V2)


def test_22_a_copy_is_there_when_it_is_answered(hangar, acme, s3):
    source = uploaded(acme.member, f"{acme.v2}/", entity_type="WORKSPACE_LOGO")
    duplicate = f"{acme.v2}/duplicate-assets/{source['asset_id']}/"
    made = acme.member.ask(duplicate, entity_type="WORKSPACE_LOGO")
    assert list(made) == ["asset_id"]
    assert hangar.request("GET", f"/api/assets/v2/static/{made['asset_id']}/").content == pictures.png()
    s3.delete_object(Bucket="uploads", Key=key_of(source))
    assert_answer(acme.member("POST", duplicate, json={"entity_type": "WORKSPACE_LOGO"}), 404, NO_ASSET)


def test_23_a_method_of_the_other_form_is_405(acme, project):
    collections = {
        USER_ASSETS_V2: ("POST, OPTIONS", "PATCH, DELETE, OPTIONS"),
        f"{acme.v2}/": ("POST, OPTIONS", "GET, PATCH, DELETE, HEAD, OPTIONS"),
        f"{acme.v2}/projects/{project}/": ("POST, OPTIONS", "GET, PATCH, DELETE, HEAD, OPTIONS"),
        f"/api/public/assets/v2/anchor/{acme.publish(project)}/": ("POST, OPTIONS", "GET, PATCH, DELETE, HEAD, OPTIONS"),
        f"{acme.v2}/projects/{project}/issues/{new_id()}/attachments/": (
            "GET, POST, HEAD, OPTIONS",
            "GET, PATCH, DELETE, HEAD, OPTIONS",
        ),
    }
    for collection, allows in collections.items():
        for method, path, allow in (("PATCH", collection, allows[0]), ("POST", f"{collection}{new_id()}/", allows[1])):
            answer = acme.member(method, path)
            assert_answer(answer, 405, other_method(method))
            assert answer.headers["Allow"] == allow, (method, path)


def test_24_is_uploaded_is_ignored_and_attributes_are_objects(acme, ada):
    made = upload(acme.member.ask(f"{acme.v1}/assets/", **TEXT), b"hello")
    assert_done(acme.member("PATCH", item(f"{acme.v1}/assets/", made), json={"is_uploaded": False}))
    assert acme.member("GET", item(f"{acme.v1}/assets/", made)).status_code == 200
    avatar = ada.ask(USER_ASSETS, **AVATAR)
    for attributes in (None, [], "text", 1, True):
        assert_answer(ada("PATCH", item(USER_ASSETS, avatar), json={"attributes": attributes}), 400, BAD_PAYLOAD)


def test_25_the_answer_to_an_attachment_has_what_the_sdk_reads(acme, project):
    made = acme.member.ask(f"{acme.v1}/projects/{project}/work-items/{new_id()}/attachments/", **TEXT)
    assert list(made) == ["upload_data", "asset_id", "attachment", "asset_url", "id", "asset"]
    assert (made["id"], made["asset"]) == (made["asset_id"], key_of(made))


def test_26_users_assets_is_an_alias(hangar, ada):
    made = uploaded(ada, "/api/v1/users/assets/", entity_type="USER_AVATAR")
    assert hangar.request("GET", made["asset_url"]).status_code == 200


def test_27_a_body_may_have_a_mebibyte(ada):
    body = json.dumps(AVATAR)
    headers = {"Content-Type": "application/json"}
    assert ada("POST", USER_ASSETS, data=body.ljust(1 << 20), headers=headers).status_code == 200
    assert_answer(ada("POST", USER_ASSETS, data=body.ljust((1 << 20) + 1), headers=headers), 413, TOO_LARGE)


def test_28_times_are_utc_with_six_digits(acme, project):
    issue = f"{acme.v1}/projects/{project}/issues/{new_id()}/issue-attachments/"
    before = time.time()
    upload(acme.member.ask(issue, **TEXT), b"hello")
    [listed] = acme.member("GET", issue).json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", listed["created_at"])
    assert abs(datetime.fromisoformat(listed["created_at"]).timestamp() - before) < 60


def test_29_one_rule_of_deletes_holds_for_attachments_by_every_v2_path(hangar, acme, project):
    issue = new_id()
    paths = (
        f"{acme.v2}/projects/{project}/issues/{issue}/attachments/",
        f"{acme.v2}/projects/{project}/",
        f"{acme.v2}/",
    )
    anchor = f"/api/public/assets/v2/anchor/{acme.publish(project)}/"
    for path in (*paths, anchor):
        made = upload(acme.admin.ask(paths[0], **TEXT), b"hello")
        for caller in (acme.guest, acme.member):
            assert_answer(caller("DELETE", item(path, made)), 403, NO_PERMISSION if path == anchor else NO_RIGHTS)
        assert acme.guest("GET", made["asset_url"]).status_code == 302
        assert_done(acme.admin("DELETE", item(path, made)))
        assert acme.guest("GET", made["asset_url"]).status_code == 404
        own = upload(acme.guest.ask(paths[0], **TEXT), b"hello")
        assert_done(acme.guest("DELETE", item(path, own)))
        assert acme.guest("GET", own["asset_url"]).status_code == 404
    # The rule is of attachments: any member deletes a description.
    described = uploaded(acme.admin, paths[1], entity_type="ISSUE_DESCRIPTION")
    assert_done(acme.guest("DELETE", item(paths[1], described)))
    assert_answer(acme.guest("DELETE", item(paths[1], described)), 404, NO_ROW_V2)


def test_30_a_cover_replaces_nothing_of_another_workspace(hangar, acme, project):
    """Two workspaces claim one project id."""
    next_door = f"/api/assets/v2/workspaces/{acme.next_door}/"

    def cover(caller, collection):
        made = uploaded(caller, collection, entity_type="PROJECT_COVER", entity_identifier=project)
        assert_done(caller("PATCH", item(collection, made)))
        return made["asset_url"]

    def there(*urls):
        return [hangar.request("GET", url).status_code == 200 for url in urls]

    ours, theirs = cover(acme.guest, f"{acme.v2}/"), cover(acme.outsider, next_door)
    assert there(ours, theirs) == [True, True]
    newer = cover(acme.member, f"{acme.v2}/")
    assert there(ours, newer, theirs) == [False, True, True]
    last = cover(acme.outsider, next_door)
    assert there(newer, theirs, last) == [True, False, True]
