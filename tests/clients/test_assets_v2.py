"""Plane's v2 routes: a user's own assets (section 3.5 of the contract), those of workspaces and projects (3.6, 3.8), helpers (3.10)."""

import json
import re

import pytest
import requests

import pictures
from plane_api import (
    BAD_DETAIL,
    BAD_ENTITY,
    BAD_NAME,
    BAD_PAYLOAD,
    BAD_SIZE,
    BAD_TYPE_V2,
    ENTITY_TYPES,
    IMAGE_TYPES,
    NAMED,
    NO_ASSET,
    NO_BYTES,
    NO_IDS,
    NO_PAGE,
    NO_ROW,
    NO_ROW_V2,
    PICTURE,
    RANDOM,
    USER_ASSETS,
    USER_ASSETS_V2,
    UUID,
    Caller,
    Workspace,
    assert_answer,
    assert_done,
    assert_general_headers,
    assert_redirect,
    create,
    key_of,
    length_range,
    new_id,
    other_method,
    upload,
)

STATIC = "/api/assets/v2/static/"


@pytest.fixture
def project():
    return new_id()


@pytest.fixture(params=["user", "workspace", "project"])
def collection(request, acme, project):
    """Where pictures are asked for."""
    return {"user": USER_ASSETS_V2, "workspace": f"{acme.v2}/", "project": f"{acme.v2}/projects/{project}/"}[request.param]


def served(acme, made):
    """Whether the static route shows it."""
    return acme.hangar.request("GET", f"{STATIC}{made['asset_id']}/").status_code == 200


def exists(acme, made):
    answer = acme.guest("GET", f"{acme.v2}/check/{made['asset_id']}/")
    assert answer.status_code == 200
    return answer.json()["exists"]


# What every POST judges


@pytest.mark.parametrize("content_type", IMAGE_TYPES)
def test_each_image_type_is_taken(acme, collection, content_type):
    made = acme.member.ask(collection, type=content_type, entity_type="USER_AVATAR")
    assert made["upload_data"]["fields"]["Content-Type"] == content_type


@pytest.mark.parametrize(
    "body, text",
    [
        ({}, BAD_ENTITY),
        ({"size": 0, "entity_type": "no", "type": "no"}, BAD_SIZE),
        ({"size": None}, BAD_SIZE),
        ({"size": -1}, BAD_SIZE),
        ({"size": True}, BAD_SIZE),
        ({"entity_type": "user_avatar"}, BAD_ENTITY),
        ({"entity_type": None, "type": "no"}, BAD_ENTITY),
        ({"entity_type": ["USER_AVATAR"]}, BAD_ENTITY),
        ({"entity_type": "USER_AVATAR", "type": "application/pdf", "name": "x" * 256}, BAD_TYPE_V2),
        ({"entity_type": "USER_AVATAR", "type": "image/svg+xml"}, BAD_TYPE_V2),
        ({"entity_type": "USER_AVATAR", "type": None}, BAD_TYPE_V2),
        ({"entity_type": "USER_AVATAR", "type": ""}, BAD_TYPE_V2),
        ({"entity_type": "USER_AVATAR", "name": "x" * 256}, BAD_NAME),
    ],
    ids=lambda value: str(value)[:60],
)
def test_the_first_wrong_field_decides(acme, collection, body, text):
    assert_answer(acme.member("POST", collection, json=body), 400, text)


@pytest.mark.parametrize("name", [5, "", None, "dir/"], ids=repr)
def test_an_asset_without_a_name_is_unnamed_and_one_without_a_type_is_jpeg(acme, collection, name):
    made = acme.member.ask(collection, name=name, entity_type="USER_COVER")
    assert key_of(made) == f"user-assets/{made['asset_id']}/unnamed"
    assert made["upload_data"]["fields"]["Content-Type"] == "image/jpeg"
    assert length_range(made) == ["content-length-range", 1, 5242880]


# A user's own assets


@pytest.mark.parametrize("entity_type", [one for one in ENTITY_TYPES if not one.startswith("USER_")])
def test_a_user_has_avatars_and_covers_only(acme, entity_type):
    assert_answer(acme.member("POST", USER_ASSETS_V2, json={"entity_type": entity_type}), 400, BAD_ENTITY)


@pytest.fixture
def ada(hangar):
    """Somebody new."""
    return Caller(hangar, f"{new_id()}@example.com")


def uploaded_avatar(caller, path=USER_ASSETS_V2):
    return upload(caller.ask(path, entity_type="USER_AVATAR", **PICTURE), pictures.png())


def test_a_patch_makes_the_avatar_current_and_deletes_the_former(hangar, ada):
    first, second = uploaded_avatar(ada), uploaded_avatar(ada)
    assert ada.avatar() is None
    for _ in range(2):
        assert_done(ada("PATCH", f"{USER_ASSETS_V2}{first['asset_id']}/"))
        assert ada.avatar() == first["asset_url"]
    assert hangar.request("GET", first["asset_url"]).status_code == 200
    for _ in range(2):
        assert_done(ada("PATCH", f"{USER_ASSETS_V2}{second['asset_id']}/"))
        assert ada.avatar() == second["asset_url"]
    assert_answer(hangar.request("GET", first["asset_url"]), 404, NO_ROW_V2)
    assert_answer(ada("PATCH", f"{USER_ASSETS_V2}{first['asset_id']}/"), 404, NO_ROW_V2)


def test_the_old_avatar_stays_until_the_new_one_has_its_bytes(hangar, ada):
    first = uploaded_avatar(ada)
    assert_done(ada("PATCH", f"{USER_ASSETS_V2}{first['asset_id']}/"))
    second = ada.ask(USER_ASSETS_V2, entity_type="USER_AVATAR", **PICTURE)
    assert_done(ada("PATCH", f"{USER_ASSETS_V2}{second['asset_id']}/", json={"attributes": {"name": "new"}}))
    assert ada.avatar() == first["asset_url"]
    assert hangar.request("GET", first["asset_url"]).status_code == 200
    upload(second, pictures.png())
    assert ada.avatar() == second["asset_url"]
    assert_answer(hangar.request("GET", first["asset_url"]), 404, NO_ROW_V2)


def test_a_cover_does_not_replace_an_avatar(ada):
    avatar = uploaded_avatar(ada)
    cover = upload(ada.ask(USER_ASSETS_V2, entity_type="USER_COVER", **PICTURE), pictures.png())
    for made in (avatar, cover):
        assert_done(ada("PATCH", f"{USER_ASSETS_V2}{made['asset_id']}/"))
    assert ada.avatar() == avatar["asset_url"]


def test_a_v1_patch_moves_no_pointer(ada):
    made = uploaded_avatar(ada, USER_ASSETS)
    assert_done(ada("PATCH", f"{USER_ASSETS}{made['asset_id']}/"))
    assert ada.avatar() is None


@pytest.mark.parametrize("path", [USER_ASSETS, USER_ASSETS_V2])
def test_a_delete_empties_the_pointer_only_of_what_it_named(ada, path):
    current, other = uploaded_avatar(ada), uploaded_avatar(ada)
    assert_done(ada("PATCH", f"{USER_ASSETS_V2}{current['asset_id']}/"))
    assert_done(ada("DELETE", f"{path}{other['asset_id']}/"))
    assert ada.avatar() == current["asset_url"]
    assert_done(ada("DELETE", f"{path}{current['asset_id']}/"))
    assert ada.avatar() is None
    assert_answer(ada("DELETE", f"{path}{current['asset_id']}/"), 404, NO_ROW if path == USER_ASSETS else NO_ROW_V2)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_another_users_asset_is_the_v2_404(acme, ada, method):
    made = uploaded_avatar(ada)
    for asset_id in (made["asset_id"], new_id()):
        assert_answer(acme.admin(method, f"{USER_ASSETS_V2}{asset_id}/"), 404, NO_ROW_V2)


@pytest.mark.parametrize("attributes", [None, [], "text", 5, {"text": "x" * 16_400}], ids=lambda value: repr(value)[:20])
def test_attributes_must_be_a_small_object(acme, project, attributes):
    made = [
        (f"{USER_ASSETS_V2}", acme.member.ask(USER_ASSETS_V2, entity_type="USER_AVATAR")),
        (f"{acme.v2}/", acme.member.ask(f"{acme.v2}/", entity_type="PAGE_DESCRIPTION")),
        (f"{acme.v2}/projects/{project}/", acme.member.ask(f"{acme.v2}/projects/{project}/", entity_type="PAGE_DESCRIPTION")),
    ]
    for path, asset in made:
        answer = acme.member("PATCH", f"{path}{asset['asset_id']}/", json={"attributes": attributes})
        assert_answer(answer, 400, BAD_PAYLOAD)


# Workspaces and projects: types and what they are bound to


def url_of(acme, entity_type, asset_id, project=None, issue=None):
    if entity_type in ("USER_AVATAR", "USER_COVER", "WORKSPACE_LOGO", "PROJECT_COVER"):
        return f"{STATIC}{asset_id}/"
    if entity_type == "ISSUE_ATTACHMENT":
        return f"{acme.v2}/projects/{project}/issues/{issue}/attachments/{asset_id}/"
    if entity_type == "DRAFT_ISSUE_ATTACHMENT":
        return None
    return f"{acme.v2}/projects/{project}/{asset_id}/"


@pytest.mark.parametrize("entity_type", ENTITY_TYPES)
@pytest.mark.parametrize("identifier", [{}, {"entity_identifier": None}, {"entity_identifier": ""}], ids=str)
def test_each_type_is_taken_unbound_and_has_its_key_and_url(acme, project, entity_type, identifier):
    for path, bound in ((f"{acme.v2}/", None), (f"{acme.v2}/projects/{project}/", project)):
        answer = acme.guest("POST", path, json=PICTURE | {"entity_type": entity_type} | identifier)
        assert_answer(answer, 200, answer.text)
        assert list(answer.json()) == ["upload_data", "asset_id", "asset_url"]
        assert answer.headers["Cache-Control"] == "no-store"
        made = answer.json()
        asset_id = made["asset_id"]
        assert made["asset_url"] == url_of(acme, entity_type, asset_id, bound)
        folder = "user-assets" if entity_type.startswith("USER_") else UUID
        assert re.fullmatch(f"{folder}/{asset_id}/me\\.png", key_of(made))


def test_an_identifier_is_the_issue_of_an_attachment(acme, project):
    issue = new_id()
    for path, bound in ((f"{acme.v2}/", None), (f"{acme.v2}/projects/{project}/", project)):
        made = acme.member.ask(path, entity_type="ISSUE_ATTACHMENT", entity_identifier=issue)
        assert made["asset_url"] == url_of(acme, "ISSUE_ATTACHMENT", made["asset_id"], bound, issue)


@pytest.mark.parametrize("identifier", ["no id", "3e41196c", 5, False, True, [], {}, " "], ids=repr)
@pytest.mark.parametrize("entity_type", ENTITY_TYPES)
def test_an_identifier_that_is_not_a_uuid_is_refused(acme, project, entity_type, identifier):
    for path in (f"{acme.v2}/", f"{acme.v2}/projects/{project}/"):
        body = {"entity_type": entity_type, "entity_identifier": identifier, "name": "x" * 256}
        assert_answer(acme.member("POST", path, json=body), 400, BAD_DETAIL)


@pytest.mark.parametrize("entity_type", ["WORKSPACE_LOGO", "USER_AVATAR", "USER_COVER"])
def test_no_request_binds_a_picture_to_another_workspace_or_user(acme, project, entity_type):
    own = acme.id if entity_type == "WORKSPACE_LOGO" else acme.member.id
    for path in (f"{acme.v2}/", f"{acme.v2}/projects/{project}/"):
        acme.member.ask(path, entity_type=entity_type, entity_identifier=own)
        for other in (new_id(), acme.outsider.id, acme.admin.id):
            answer = acme.member("POST", path, json={"entity_type": entity_type, "entity_identifier": other})
            assert_answer(answer, 400, BAD_PAYLOAD)


def test_a_cover_is_of_the_paths_project_and_of_no_other(acme, project):
    path = f"{acme.v2}/projects/{project}/"
    acme.member.ask(path, entity_type="PROJECT_COVER")
    acme.member.ask(path, entity_type="PROJECT_COVER", entity_identifier=project)
    answer = acme.member("POST", path, json={"entity_type": "PROJECT_COVER", "entity_identifier": new_id()})
    assert_answer(answer, 400, BAD_PAYLOAD)
    made = acme.member.ask(f"{acme.v2}/", entity_type="PROJECT_COVER", entity_identifier=project)
    assert acme.member("PATCH", f"{path}{made['asset_id']}/").status_code == 204


# Workspaces and projects: one asset


@pytest.fixture(params=["workspace", "project"])
def place(request, acme, project):
    return f"{acme.v2}/" if request.param == "workspace" else f"{acme.v2}/projects/{project}/"


def described(acme, place, **more):
    body = {"entity_type": "ISSUE_DESCRIPTION"} | PICTURE | more
    return upload(acme.member.ask(place, **body), pictures.png())


def test_an_asset_is_a_redirect_to_a_download(hangar, acme, place):
    made = described(acme, place, name='a/żółw ☕ "1".png')
    encoded = r"%25C5%25BC%25C3%25B3%25C5%2582w%2520%25E2%2598%2595%2520%25221%2522\.png"
    answer = acme.guest("GET", f"{place}{made['asset_id']}/?disposition=inline", headers={"Accept": "image/*"})
    assert_redirect(hangar, answer, pictures.png(), "attachment" + NAMED + encoded)
    head = acme.guest("HEAD", f"{place}{made['asset_id']}/")
    assert (head.status_code, head.content) == (302, b"")


def test_an_asset_url_leads_to_the_bytes_bound_or_not(hangar, acme, place):
    made = described(acme, place)
    assert_redirect(hangar, acme.guest("GET", made["asset_url"]), pictures.png(), "attachment" + NAMED + r"me\.png")
    assert_done(acme.member("PATCH", made["asset_url"]))
    assert_done(acme.member("DELETE", made["asset_url"]))
    assert_answer(acme.member("GET", made["asset_url"]), 404, NO_ROW_V2)


@pytest.mark.parametrize(
    "attributes, disposition",
    [({"name": "b.png"}, "attachment" + NAMED + r"b\.png"), ({"name": ""}, "attachment"), ({}, "attachment" + RANDOM), ({"name": 5}, "attachment" + RANDOM)],
    ids=str,
)
def test_attributes_name_the_download(hangar, acme, place, attributes, disposition):
    made = described(acme, place)
    item = f"{place}{made['asset_id']}/"
    for _ in range(2):
        assert_done(acme.guest("PATCH", item, json={"attributes": attributes, "is_uploaded": False}))
    assert_redirect(hangar, acme.guest("GET", item), pictures.png(), disposition)


def test_an_asset_without_bytes_is_404(acme, place):
    made = acme.member.ask(place, entity_type="PAGE_DESCRIPTION")
    assert_done(acme.member("PATCH", f"{place}{made['asset_id']}/"))
    assert_answer(acme.member("GET", f"{place}{made['asset_id']}/"), 404, NO_BYTES)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_asset_of_another_place_is_404(acme, place, method):
    gone = described(acme, place)
    assert_done(acme.member("DELETE", f"{place}{gone['asset_id']}/"))
    foreign = acme.outsider.ask(f"/api/assets/v2/workspaces/{acme.next_door}/", entity_type="PAGE_DESCRIPTION")
    unbound = acme.member.ask(USER_ASSETS_V2, entity_type="USER_AVATAR")
    for made in (gone, foreign, unbound, {"asset_id": new_id()}):
        assert_answer(acme.member(method, f"{place}{made['asset_id']}/"), 404, NO_ROW_V2)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_by_a_project_only_its_own_assets_are_found(acme, project, method):
    for place in (f"{acme.v2}/", f"{acme.v2}/projects/{new_id()}/"):
        made = described(acme, place)
        assert_answer(acme.member(method, f"{acme.v2}/projects/{project}/{made['asset_id']}/"), 404, NO_ROW_V2)
    assert_answer(acme.member(method, f"{acme.v2}/projects/None/{made['asset_id']}/"), 404, NO_ROW_V2)


# Pointers of workspaces and projects


def logo(acme):
    return upload(acme.member.ask(f"{acme.v2}/", entity_type="WORKSPACE_LOGO", **PICTURE), pictures.png())


def test_a_new_logo_replaces_the_former(acme):
    first, second = logo(acme), logo(acme)
    for made in (first, first, second, second):
        assert_done(acme.guest("PATCH", f"{acme.v2}/{made['asset_id']}/"))
        assert served(acme, made)
    assert (served(acme, first), served(acme, second)) == (False, True)
    pending = acme.member.ask(f"{acme.v2}/", entity_type="WORKSPACE_LOGO", **PICTURE)
    assert_done(acme.member("PATCH", f"{acme.v2}/{pending['asset_id']}/"))
    assert served(acme, second)
    upload(pending, pictures.png())
    assert (served(acme, second), served(acme, pending)) == (False, True)


def test_a_deleted_logo_is_replaced_by_none(acme):
    first, second = logo(acme), logo(acme)
    assert_done(acme.member("PATCH", f"{acme.v2}/{first['asset_id']}/"))
    assert_done(acme.member("DELETE", f"{acme.v2}/{first['asset_id']}/"))
    assert_done(acme.member("POST", f"{acme.v2}/restore/{first['asset_id']}/"))
    assert_done(acme.member("PATCH", f"{acme.v2}/{second['asset_id']}/"))
    assert (served(acme, first), served(acme, second)) == (True, True)


def cover(acme, project):
    return upload(acme.member.ask(f"{acme.v2}/projects/{project}/", entity_type="PROJECT_COVER", **PICTURE), pictures.png())


def test_a_new_cover_replaces_the_former_by_the_workspaces_route_only(acme, project):
    first, second, third = (cover(acme, project) for _ in range(3))
    assert_done(acme.member("PATCH", f"{acme.v2}/{first['asset_id']}/"))
    assert_done(acme.member("PATCH", f"{acme.v2}/projects/{project}/{second['asset_id']}/"))
    assert served(acme, first)
    assert_done(acme.member("PATCH", f"{acme.v2}/{third['asset_id']}/"))
    assert [served(acme, made) for made in (first, second, third)] == [False, True, True]
    elsewhere = cover(acme, new_id())
    assert_done(acme.member("PATCH", f"{acme.v2}/{elsewhere['asset_id']}/"))
    assert served(acme, third)


def test_an_avatar_of_the_workspaces_route_is_made_current_by_its_owner_alone(acme):
    made = upload(acme.guest.ask(f"{acme.v2}/", entity_type="USER_AVATAR", **PICTURE), pictures.png())
    assert_done(acme.admin("PATCH", f"{acme.v2}/{made['asset_id']}/"))
    assert (acme.guest.avatar(), acme.admin.avatar()) == (None, None)
    assert_done(acme.guest("PATCH", f"{USER_ASSETS_V2}{made['asset_id']}/"))
    assert acme.guest.avatar() == made["asset_url"]
    assert_done(acme.guest("DELETE", f"{USER_ASSETS_V2}{made['asset_id']}/"))
    assert acme.guest.avatar() is None
    assert not exists(acme, made)


# check, download, restore


def test_check_tells_whether_an_asset_is_there(acme, place):
    made = acme.member.ask(place, entity_type="PAGE_DESCRIPTION")
    path = f"{acme.v2}/check/{made['asset_id']}/"
    assert_answer(acme.guest("GET", path), 200, '{"exists":true}')
    assert_done(acme.member("DELETE", f"{place}{made['asset_id']}/"))
    assert_answer(acme.guest("GET", path), 200, '{"exists":false}')
    foreign = acme.outsider.ask(f"/api/assets/v2/workspaces/{acme.next_door}/", entity_type="PAGE_DESCRIPTION")
    own = acme.member.ask(USER_ASSETS, entity_type="USER_AVATAR")
    for asset_id in (foreign["asset_id"], own["asset_id"], new_id()):
        assert_answer(acme.guest("GET", f"{acme.v2}/check/{asset_id}/"), 200, '{"exists":false}')


def test_a_download_is_a_redirect(hangar, acme, project):
    made = described(acme, f"{acme.v2}/projects/{project}/")
    for form in ("download", f"projects/{project}/download"):
        answer = acme.guest("GET", f"{acme.v2}/{form}/{made['asset_id']}/")
        assert_redirect(hangar, answer, pictures.png(), "attachment" + NAMED + r"me\.png")
    assert_done(acme.member("PATCH", f"{acme.v2}/{made['asset_id']}/", json={"attributes": {}}))
    answer = acme.guest("GET", f"{acme.v2}/download/{made['asset_id']}/")
    assert_redirect(hangar, answer, pictures.png(), "attachment" + RANDOM)


def test_an_asset_that_cannot_be_downloaded_is_404(acme, project):
    gone = described(acme, f"{acme.v2}/projects/{project}/")
    assert_done(acme.member("DELETE", f"{acme.v2}/{gone['asset_id']}/"))
    pending = acme.member.ask(f"{acme.v2}/projects/{project}/", entity_type="PAGE_DESCRIPTION")
    for made in (gone, pending, {"asset_id": new_id()}):
        for form in ("download", f"projects/{project}/download"):
            assert_answer(acme.member("GET", f"{acme.v2}/{form}/{made['asset_id']}/"), 404, NO_BYTES)
    elsewhere = described(acme, f"{acme.v2}/projects/{new_id()}/")
    assert_answer(acme.member("GET", f"{acme.v2}/projects/{project}/download/{elsewhere['asset_id']}/"), 404, NO_BYTES)


@pytest.mark.parametrize("how", [{}, {"json": {}}, {"data": b"{", "headers": {"Content-Type": "application/json"}}, {"data": b"x", "headers": {"Content-Type": "a/b"}}], ids=str)
def test_a_deleted_asset_is_restored_and_one_that_is_there_stays(hangar, acme, place, how):
    made = described(acme, place)
    path = f"{acme.v2}/restore/{made['asset_id']}/"
    assert_done(acme.guest("POST", path, **how))
    assert_done(acme.member("DELETE", f"{place}{made['asset_id']}/"))
    assert not exists(acme, made)
    for _ in range(2):
        assert_done(acme.guest("POST", path, **how))
    assert_redirect(hangar, acme.guest("GET", f"{place}{made['asset_id']}/"), pictures.png(), "attachment" + NAMED + r"me\.png")


def test_an_unknown_asset_is_not_restored(acme):
    own = acme.member.ask(USER_ASSETS, entity_type="USER_AVATAR")
    for asset_id in (new_id(), own["asset_id"]):
        assert_answer(acme.member("POST", f"{acme.v2}/restore/{asset_id}/"), 404, NO_ROW_V2)


def test_a_restore_may_bring_a_pair_of_external_ids_back(acme):
    body = {"name": "a", "size": 1, "type": "text/plain", "external_id": new_id(), "external_source": "x"}
    first = acme.member.ask(f"{acme.v1}/assets/", **body)
    assert_done(acme.member("DELETE", f"{acme.v2}/{first['asset_id']}/"))
    acme.member.ask(f"{acme.v1}/assets/", **body)
    assert_done(acme.member("POST", f"{acme.v2}/restore/{first['asset_id']}/"))
    assert exists(acme, first)


def test_a_restored_avatar_is_not_current(acme):
    made = upload(acme.admin.ask(f"{acme.v2}/", entity_type="USER_AVATAR", **PICTURE), pictures.png())
    assert_done(acme.admin("PATCH", f"{USER_ASSETS_V2}{made['asset_id']}/"))
    assert_done(acme.admin("DELETE", f"{USER_ASSETS_V2}{made['asset_id']}/"))
    assert_done(acme.admin("POST", f"{acme.v2}/restore/{made['asset_id']}/"))
    assert acme.admin.avatar() is None


# bulk


def bulk(acme, project, entity, *ids, caller=None):
    return (caller or acme.guest)("POST", f"{acme.v2}/projects/{project}/{entity}/bulk/", json={"asset_ids": list(ids)})


@pytest.mark.parametrize(
    "body, text",
    [
        ({}, NO_IDS),
        ({"asset_ids": None}, NO_IDS),
        ({"asset_ids": []}, NO_IDS),
        ({"asset_ids": ["no id"]}, BAD_DETAIL),
        ({"asset_ids": [None]}, BAD_DETAIL),
        ({"asset_ids": [5]}, BAD_DETAIL),
        ({"asset_ids": "text"}, BAD_DETAIL),
        ({"asset_ids": {"a": 1}}, BAD_DETAIL),
        ({"asset_ids": [new_id(), "no id"]}, BAD_DETAIL),
        ({"asset_ids": [new_id()] * 1001}, BAD_DETAIL),
    ],
    ids=lambda value: str(value)[:40],
)
def test_ids_are_a_list_of_at_most_a_thousand_uuids(acme, project, body, text):
    assert_answer(acme.member("POST", f"{acme.v2}/projects/{project}/{new_id()}/bulk/", json=body), 400, text)


def test_of_a_thousand_ids_those_that_are_there_are_bound(acme, project):
    made = acme.member.ask(f"{acme.v2}/", entity_type="ISSUE_DESCRIPTION")
    assert_answer(bulk(acme, project, new_id(), *[new_id() for _ in range(1000)]), 404, NO_BYTES)
    assert_done(bulk(acme, project, new_id(), *[new_id() for _ in range(999)], made["asset_id"]))
    assert_done(acme.member("PATCH", f"{acme.v2}/projects/{project}/{made['asset_id']}/"))


def test_ids_of_other_workspaces_do_not_count(acme, project):
    foreign = acme.outsider.ask(f"/api/assets/v2/workspaces/{acme.next_door}/", entity_type="ISSUE_DESCRIPTION")
    own = acme.member.ask(USER_ASSETS_V2, entity_type="USER_AVATAR")
    for made in (foreign, own):
        assert_answer(bulk(acme, project, new_id(), made["asset_id"]), 404, NO_BYTES)


def test_each_asset_is_bound_by_its_own_type(acme, project):
    entity = new_id()
    made = {one: acme.member.ask(f"{acme.v2}/", entity_type=one) for one in ENTITY_TYPES}
    assert_done(bulk(acme, project, entity, *[one["asset_id"] for one in made.values()]))
    for entity_type, one in made.items():
        found = acme.member("PATCH", f"{acme.v2}/projects/{project}/{one['asset_id']}/").status_code == 204
        assert found == (entity_type in ("PROJECT_COVER", "ISSUE_DESCRIPTION")), entity_type


def test_an_asset_url_changes_when_a_project_is_bound(hangar, acme, project):
    made = described(acme, f"{acme.v2}/")
    assert_done(bulk(acme, project, new_id(), made["asset_id"]))
    assert_answer(acme.member("GET", made["asset_url"]), 404, NO_ROW_V2)
    bound = made["asset_url"].replace("None", project)
    assert_redirect(hangar, acme.member("GET", bound), pictures.png(), "attachment" + NAMED + r"me\.png")


def test_the_last_cover_of_a_list_becomes_current_and_the_former_stays(acme, project):
    first, second, third = (cover(acme, project) for _ in range(3))
    assert_done(acme.member("PATCH", f"{acme.v2}/{first['asset_id']}/"))
    assert_done(bulk(acme, project, new_id(), second["asset_id"], third["asset_id"]))
    assert [served(acme, made) for made in (first, second, third)] == [True] * 3
    fourth = cover(acme, project)
    assert_done(acme.member("PATCH", f"{acme.v2}/{fourth['asset_id']}/"))
    assert [served(acme, made) for made in (first, second, third, fourth)] == [True, True, False, True]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bulk_without_a_project_is_not_a_route(acme, method):
    assert_answer(acme.member(method, f"{acme.v2}/{new_id()}/bulk/", json={"asset_ids": [new_id()]}), 404, NO_PAGE)


# duplicate-assets


def duplicate(acme, made, caller=None, **body):
    return (caller or acme.member)("POST", f"{acme.v2}/duplicate-assets/{made['asset_id']}/", json=body)


def test_a_copy_has_its_sources_bytes_name_and_size(hangar, acme, project):
    source = described(acme, f"{acme.v2}/", name="żółw.png")
    answer = duplicate(acme, source, acme.guest, entity_type="ISSUE_DESCRIPTION", project_id=project, entity_id=new_id())
    copy = answer.json()
    assert_answer(answer, 200, f'{{"asset_id":"{copy["asset_id"]}"}}')
    assert copy["asset_id"] != source["asset_id"]
    item = f"{acme.v2}/projects/{project}/{copy['asset_id']}/"
    assert_redirect(hangar, acme.member("GET", item), pictures.png(), "attachment" + NAMED + r"%25C5%25BC%25C3%25B3%25C5%2582w\.png")
    shown = acme.member("GET", f"{acme.v1}/assets/{copy['asset_id']}/").json()
    assert shown["attributes"] == {"name": "żółw.png", "type": "image/png", "size": 500}
    assert_done(acme.member("DELETE", f"{acme.v2}/{source['asset_id']}/"))
    assert acme.member("GET", item).status_code == 302


def test_a_copied_attachment_is_listed_with_its_metadata(acme, project):
    issue = new_id()
    source = upload(acme.member.ask(f"{acme.v1}/assets/", name="a.txt", type="text/plain", size=9), b"text")
    copy = duplicate(acme, source, acme.guest, entity_type="ISSUE_ATTACHMENT", project_id=project, entity_id=issue).json()
    [item] = acme.member("GET", f"{acme.v2}/projects/{project}/issues/{issue}/attachments/").json()
    assert item["id"] == copy["asset_id"]
    assert item["created_by"] == acme.guest.id
    assert (item["size"], item["is_uploaded"], item["storage_metadata"]["ContentLength"]) == (9.0, True, 4)
    assert re.fullmatch(f"{UUID}/{copy['asset_id']}/a\\.txt", item["asset"])


def test_a_copy_belongs_to_the_workspace_of_the_path(hangar, acme, project):
    create(hangar, f"annex-{project[:8]}", "--member", f"{acme.member.email}:guest")
    source = described(acme, f"{acme.v2}/")
    annex = f"/api/assets/v2/workspaces/annex-{project[:8]}"
    copy = acme.member("POST", f"{annex}/duplicate-assets/{source['asset_id']}/", json={"entity_type": "PAGE_DESCRIPTION"}).json()
    assert acme.member("GET", f"{annex}/{copy['asset_id']}/").status_code == 302
    assert not exists(acme, copy)


@pytest.mark.parametrize(
    "body, status, text",
    [
        ({}, 400, '{"error":"Invalid entity type or entity id"}'),
        ({"entity_type": None}, 400, '{"error":"Invalid entity type or entity id"}'),
        ({"entity_type": "issue_description", "project_id": 5}, 400, '{"error":"Invalid entity type or entity id"}'),
        ({"entity_type": "ISSUE_DESCRIPTION", "project_id": "no id"}, 400, BAD_DETAIL),
        ({"entity_type": "ISSUE_DESCRIPTION", "project_id": 5}, 400, BAD_DETAIL),
        ({"entity_type": "ISSUE_DESCRIPTION", "entity_id": "no id"}, 400, BAD_DETAIL),
        ({"entity_type": "WORKSPACE_LOGO", "entity_id": new_id()}, 400, BAD_PAYLOAD),
        ({"entity_type": "USER_AVATAR", "entity_id": new_id()}, 400, BAD_PAYLOAD),
    ],
    ids=lambda value: str(value)[:70],
)
def test_a_copy_checks_its_fields_in_order(acme, body, status, text):
    assert_answer(duplicate(acme, described(acme, f"{acme.v2}/"), **body), status, text)
    unknown = duplicate(acme, {"asset_id": new_id()}, **body)
    if "entity_id" in body:
        assert_answer(unknown, 404, NO_ASSET)
    else:
        assert_answer(unknown, status, text)


def test_only_an_uploaded_asset_of_a_workspace_of_the_caller_is_copied(acme):
    pending = acme.member.ask(f"{acme.v2}/", entity_type="PAGE_DESCRIPTION")
    gone = described(acme, f"{acme.v2}/")
    assert_done(acme.member("DELETE", f"{acme.v2}/{gone['asset_id']}/"))
    own = uploaded_avatar(acme.member)
    foreign = upload(acme.outsider.ask(f"/api/assets/v2/workspaces/{acme.next_door}/", entity_type="PAGE_DESCRIPTION", type="image/png"), pictures.png())
    for made in (pending, gone, own, foreign, {"asset_id": new_id()}):
        assert_answer(duplicate(acme, made, entity_type="PAGE_DESCRIPTION"), 404, NO_ASSET)


@pytest.mark.parametrize("entity_type", ENTITY_TYPES)
def test_each_type_can_be_a_copys(acme, entity_type):
    copy = duplicate(acme, described(acme, f"{acme.v2}/"), entity_type=entity_type).json()
    assert exists(acme, copy)


def test_a_source_is_copied_five_times_in_a_minute_by_all_callers_together(hangar, acme):
    first, second = described(acme, f"{acme.v2}/"), described(acme, f"{acme.v2}/")
    for caller in (acme.member, acme.guest, acme.outsider, acme.admin, acme.member):
        duplicate(acme, first, caller, entity_type="PAGE_DESCRIPTION")
    for caller in (acme.admin, acme.outsider):
        answer = duplicate(acme, first, caller, entity_type="PAGE_DESCRIPTION")
        assert_answer(answer, 429, '{"error_code":5900,"error_message":"RATE_LIMIT_EXCEEDED"}')
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert duplicate(acme, second, entity_type="PAGE_DESCRIPTION").status_code == 200


# Methods


ID = "3999b15f-7a97-486e-b06b-d08ce45c00c9"


@pytest.mark.parametrize(
    "path, methods, allow",
    [
        (USER_ASSETS_V2, "GET PUT PATCH DELETE HEAD", "POST, OPTIONS"),
        (f"{USER_ASSETS_V2}{ID}/", "GET PUT POST HEAD", "PATCH, DELETE, OPTIONS"),
        ("W/", "GET PUT PATCH DELETE HEAD", "POST, OPTIONS"),
        (f"W/{ID}/", "PUT POST", "GET, PATCH, DELETE, HEAD, OPTIONS"),
        (f"W/projects/{ID}/", "GET PUT PATCH DELETE HEAD", "POST, OPTIONS"),
        (f"W/projects/{ID}/{ID}/", "PUT POST", "GET, PATCH, DELETE, HEAD, OPTIONS"),
        (f"W/projects/None/{ID}/", "PUT POST", "GET, PATCH, DELETE, HEAD, OPTIONS"),
        (f"W/projects/{ID}/{ID}/bulk/", "GET PUT PATCH DELETE HEAD", "POST, OPTIONS"),
        (f"W/projects/{ID}/download/{ID}/", "PUT POST PATCH DELETE", "GET, HEAD, OPTIONS"),
        (f"W/download/{ID}/", "PUT POST PATCH DELETE", "GET, HEAD, OPTIONS"),
        (f"W/check/{ID}/", "PUT POST PATCH DELETE", "GET, HEAD, OPTIONS"),
        (f"W/restore/{ID}/", "GET PUT PATCH DELETE HEAD", "POST, OPTIONS"),
        (f"W/duplicate-assets/{ID}/", "GET PUT PATCH DELETE HEAD", "POST, OPTIONS"),
    ],
)
def test_another_method_is_405_and_options_tell_the_methods(hangar, acme, path, methods, allow):
    path = path.replace("W/", f"{acme.v2}/")
    for method in methods.split():
        answer = acme.member(method, path)
        assert (answer.status_code, answer.text) == (405, other_method(method))
        assert answer.headers["Allow"] == allow
        assert_general_headers(answer)
        assert hangar.request(method, path).status_code == 401
    answer = acme.member("OPTIONS", path)
    assert (answer.status_code, answer.content, answer.headers["Allow"]) == (200, b"", allow)
    redirected = hangar.request("DELETE", f"{path[:-1]}?a=%20")
    assert (redirected.status_code, redirected.headers["Location"]) == (301, f"{path}?a=%20")


def test_head_of_check_equals_get_without_a_body(acme):
    made = acme.member.ask(f"{acme.v2}/", entity_type="PAGE_DESCRIPTION")
    head = acme.member("HEAD", f"{acme.v2}/check/{made['asset_id']}/")
    assert (head.status_code, head.content, head.headers["Content-Type"]) == (200, b"", "application/json")


@pytest.mark.parametrize(
    "path",
    [f"{USER_ASSETS_V2}{ID.upper()}/", "W/not-an-id/", f"W/{ID.replace('-', '')}/", "W/projects/None/", "W/projects/x/", f"W/projects/{ID}/issues/None/attachments/",
     f"W/check/None/", f"W/projects/none/{ID}/", f"W//check/{ID}/", f"/api/assets/v2/workspaces//{ID}/", f"W%2Fx/{ID}/", "/api/assets/v2/workspaces/"],
)
def test_an_id_is_lower_case_with_dashes_and_a_slug_is_one_segment(hangar, acme, path):
    path = path.replace("W/", f"{acme.v2}/").replace("W%2F", f"{acme.v2}%2F")
    assert_answer(hangar.request("GET", path), 404, NO_PAGE)


def test_links_lead_to_the_public_address_where_that_is_set(start_hangar):
    server = start_hangar(HANGAR_PUBLIC_URL="https://files.example.com", SIGNED_URL_EXPIRATION="60")
    there = Workspace(server, "there")
    made = there.member.ask(f"{there.v2}/", entity_type="PAGE_DESCRIPTION", **PICTURE)
    data = made["upload_data"]
    assert data["url"] == "https://files.example.com/uploads"
    posted = requests.post(f"{server.url}/uploads", data=data["fields"], files={"file": pictures.png()}, timeout=20)
    assert posted.status_code == 204
    location = there.member("GET", f"{there.v2}/{made['asset_id']}/").headers["Location"]
    assert location.startswith("https://files.example.com/uploads/") and "&X-Amz-Expires=60&" in location
    fetched = requests.get(location.replace("https://files.example.com", server.url), timeout=20)
    assert (fetched.status_code, fetched.content) == (200, pictures.png())


def test_an_upload_to_a_deleted_asset_is_stored_and_the_asset_stays_deleted(acme, place):
    made = acme.member.ask(place, entity_type="PAGE_DESCRIPTION", **PICTURE)
    assert_done(acme.member("DELETE", f"{place}{made['asset_id']}/"))
    upload(made, pictures.png())
    assert not exists(acme, made)
    assert_done(acme.member("POST", f"{acme.v2}/restore/{made['asset_id']}/"))
    assert acme.member("GET", f"{place}{made['asset_id']}/").status_code == 302


def test_an_asset_whose_object_is_deleted_by_s3_is_not_uploaded_any_more(acme, s3, place):
    made = described(acme, place)
    s3.delete_object(Bucket="uploads", Key=key_of(made))
    assert_answer(acme.member("GET", f"{place}{made['asset_id']}/"), 404, NO_BYTES)
    assert exists(acme, made)


def test_json_of_a_form_is_read_as_json_of_an_object(acme):
    answer = acme.member("POST", f"{acme.v2}/", data={"entity_type": "ISSUE_DESCRIPTION", "entity_identifier": "", "size": "73"})
    assert answer.status_code == 200, answer.text
    assert length_range(json.loads(answer.text)) == ["content-length-range", 1, 73]
