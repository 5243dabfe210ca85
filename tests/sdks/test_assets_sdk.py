"""The newest of Plane's SDKs for Python that has the documented asset API: `AssetsApi`, in an environment of its own."""

import json

import plane
import pytest
import requests
from plane.exceptions import ConflictException, NotFoundException
from plane.models.entity_type_enum import EntityTypeEnum
from plane.models.generic_asset_upload_request import GenericAssetUploadRequest
from plane.models.patched_asset_update_request import PatchedAssetUpdateRequest
from plane.models.patched_generic_asset_update_request import PatchedGenericAssetUpdateRequest
from plane.models.type_enum import TypeEnum
from plane.models.user_asset_upload_request import UserAssetUploadRequest

PICTURE = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture
def assets(hangar):
    configuration = plane.Configuration(host=hangar.url)
    configuration.api_key["ApiKeyAuthentication"] = hangar.make_token("ada@example.com")["token"]
    with plane.ApiClient(configuration) as client:
        yield plane.AssetsApi(client)


def upload(policy, body):
    stored = requests.post(policy["url"], data=policy["fields"], files={"file": body}, timeout=20)
    assert stored.status_code == 204, stored.text


def read(response):
    """The SDK has no type for the answer with a policy: it is read as it came."""
    return json.loads(response.read())


def test_an_avatar_is_uploaded_shown_and_deleted(hangar, assets):
    wanted = UserAssetUploadRequest(name="me.png", size=len(PICTURE), type=TypeEnum.IMAGE_SLASH_PNG, entity_type=EntityTypeEnum.USER_AVATAR)
    asked = read(assets.create_user_asset_upload_without_preload_content(wanted))
    upload(asked["upload_data"], PICTURE)
    assets.update_user_asset(asked["asset_id"], PatchedAssetUpdateRequest(attributes={"name": "me.png"}))
    assert requests.get(hangar.url + asked["asset_url"], timeout=20).content == PICTURE
    assets.delete_user_asset(asked["asset_id"])
    assert requests.get(hangar.url + asked["asset_url"], timeout=20).status_code == 404
    with pytest.raises(NotFoundException):
        assets.delete_user_asset(asked["asset_id"])


def test_a_file_of_the_workspace_is_uploaded_and_downloaded_once_for_an_external_id(assets):
    wanted = GenericAssetUploadRequest(name="spec ą.pdf", type="application/pdf", size=5, external_id="88", external_source="jira")
    asked = read(assets.create_generic_asset_upload_without_preload_content("acme", wanted))
    upload(asked["upload_data"], b"%PDF-")
    assets.update_generic_asset(asked["asset_id"], "acme", PatchedGenericAssetUpdateRequest(is_uploaded=True))
    shown = read(assets.get_generic_asset_without_preload_content(asked["asset_id"], "acme"))
    assert (shown["asset_name"], shown["asset_type"]) == ("spec ą.pdf", "application/pdf")
    assert requests.get(shown["asset_url"], timeout=20).content == b"%PDF-"
    with pytest.raises(ConflictException):
        assets.create_generic_asset_upload("acme", wanted)
