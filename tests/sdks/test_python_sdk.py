"""Plane's own SDK for Python, pointed at hangar: what its users do."""

import uuid

import pytest
import requests
from plane import PlaneClient
from plane.errors import HttpError
from plane.models.users import UserAssetUploadRequest
from plane.models.work_items import WorkItemAttachmentUploadRequest

PROJECT, ITEM = str(uuid.uuid4()), str(uuid.uuid4())


def connect(hangar, email="ada@example.com", **how):
    token = hangar.make_token(email)["token"]
    return PlaneClient(base_url=hangar.url, **(how or {"api_key": token}))


@pytest.fixture
def plane(hangar):
    return connect(hangar)


def test_a_token_belongs_to_its_user(plane):
    assert plane.users.get_me().email == "ada@example.com"


def test_a_token_may_come_as_a_bearers(hangar):
    token = hangar.make_token("ada@example.com")["token"]
    plane = PlaneClient(base_url=hangar.url, access_token=token)
    assert plane.users.get_me().email == "ada@example.com"


def test_an_attachment_is_added_listed_downloaded_and_deleted(plane):
    attachments = plane.work_items.attachments
    added = attachments.upload_from_bytes("acme", PROJECT, ITEM, b"some notes", "notes ą (1).txt", "text/plain")
    listed = attachments.list("acme", PROJECT, ITEM)
    assert [(one.id, one.size, one.attributes["name"]) for one in listed] == [(added.id, 10, "notes ą (1).txt")]
    url = attachments.get_download_url("acme", PROJECT, ITEM, added.id)
    answer = requests.get(url, timeout=20)
    assert (answer.status_code, answer.content) == (200, b"some notes")
    attachments.delete("acme", PROJECT, ITEM, added.id)
    assert attachments.list("acme", PROJECT, ITEM) == []


def test_a_requested_upload_can_be_read_as_an_attachment(plane):
    wanted = WorkItemAttachmentUploadRequest(name="spec.pdf", size=24, type="application/pdf")
    made = plane.work_items.attachments.create("acme", PROJECT, str(uuid.uuid4()), wanted)
    assert made.asset.endswith(f"/{made.id}/spec.pdf")


def test_an_avatar_is_uploaded_and_shown(hangar, plane):
    picture = b"\x89PNG\r\n\x1a\n and so on"
    wanted = UserAssetUploadRequest(name="me.png", size=len(picture), type="image/png", entity_type="USER_AVATAR")
    asked = plane.users.upload_asset(wanted)
    data = asked["upload_data"]
    stored = requests.post(data["url"], data=data["fields"], files={"file": ("me.png", picture)}, timeout=20)
    assert stored.status_code == 204, stored.text
    shown = requests.get(hangar.url + asked["asset_url"], timeout=20)
    assert (shown.content, shown.headers["content-type"]) == (picture, "image/png")


def test_a_workspaces_logo_is_uploaded_and_shown(hangar):
    """The SDK has no call for it; its users ask by the app's path."""
    token = hangar.make_token("ada@example.com")["token"]
    headers = {"X-API-Key": token}
    picture = b"\x89PNG\r\n\x1a\n and a logo"
    wanted = {"name": "logo.png", "size": len(picture), "type": "image/png", "entity_type": "WORKSPACE_LOGO"}
    asked = requests.post(f"{hangar.url}/api/assets/v2/workspaces/acme/", json=wanted, headers=headers, timeout=20).json()
    data = asked["upload_data"]
    assert requests.post(data["url"], data=data["fields"], files={"file": picture}, timeout=20).status_code == 204
    url = f"{hangar.url}/api/assets/v2/workspaces/acme/{asked['asset_id']}/"
    assert requests.patch(url, json={}, headers=headers, timeout=20).status_code == 204
    assert requests.get(hangar.url + asked["asset_url"], timeout=20).content == picture


def test_an_outsider_gets_403(hangar):
    outsider = connect(hangar, "eve@example.com")
    with pytest.raises(HttpError) as refused:
        outsider.work_items.attachments.list("acme", PROJECT, ITEM)
    assert refused.value.status_code == 403
