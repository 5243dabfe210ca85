"""The examples of `/-/openapi.json`, held against what the server answers: `/-/docs` shows the same."""

import re

import pytest
import requests

from plane_api import UUID, new_id

ASKS = [
    "/api/v1/users/assets/",
    "/api/v1/assets/user-assets/",
    "/api/v1/assets/user-assets/server/",
    "/api/v1/workspaces/{slug}/assets/",
    "/api/v1/workspaces/{slug}/projects/{project_id}/work-items/{issue_id}/attachments/",
    "/api/v1/workspaces/{slug}/projects/{project_id}/issues/{issue_id}/issue-attachments/",
    "/api/assets/v2/user-assets/",
    "/api/assets/v2/workspaces/{slug}/",
    "/api/assets/v2/workspaces/{slug}/projects/{project_id}/",
    "/api/assets/v2/workspaces/{slug}/projects/{project_id}/issues/{issue_id}/attachments/",
    "/api/public/assets/v2/anchor/{anchor}/",
]


@pytest.fixture(scope="module")
def document(hangar):
    return hangar.request("GET", "/-/openapi.json").json()


@pytest.fixture(scope="module")
def places(acme):
    """Real ids for the names in a path."""
    project = new_id()
    return {"slug": acme.slug, "project_id": project, "issue_id": new_id(), "anchor": acme.publish(project)}


def shape(value):
    """The keys and the kinds of the values; ids, times and signatures by their form. A list is known by its first entry."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    if not isinstance(value, str):
        return type(value).__name__
    value = re.sub(UUID, "ID", value)
    value = re.sub(r"\d{8}T\d{6}Z|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME", value)
    value = re.sub(r"[^/]+/\d{8}/us-east-1/s3", "CREDENTIAL", value)
    value = re.sub(r"^https?://[^/]+", "ORIGIN", value)
    return re.sub(r"^[0-9a-f]{64}$|^eyJ[\w+/=]+$|(?<=Signature=)\w+|(?<=Credential=)[\w-]+%2F\d+|^\"[0-9a-f]{32}\"$", "SIGNED", value)


def body_of(document, operation):
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    return document["components"]["schemas"][name]["examples"][0]


def example_of(operation, status="200"):
    return operation["responses"][status]["content"]["application/json"]["example"]


def test_every_route_that_gives_an_upload_is_listed_here(document):
    found = [path for path, item in document["paths"].items() if "upload_data" in str(item.get("post", {}).get("responses", {}).get("200"))]
    assert sorted(found) == sorted(ASKS)


@pytest.mark.parametrize("path", ASKS)
def test_the_example_of_an_upload_is_what_its_example_body_gets(hangar, acme, places, document, path):
    operation = document["paths"][path]["post"]
    body = body_of(document, operation)
    if "external_id" in body:
        body = body | {"external_id": new_id()}
    answer = hangar.request("POST", path.format(**places), json=body, headers={"X-API-Key": acme.admin.token})
    assert answer.status_code == 200, answer.text
    told, shown = answer.json(), example_of(operation)
    if "external_id" in body and "attachment" in told:
        told["attachment"]["external_id"] = shown["attachment"]["external_id"]
    assert shape(told) == shape(shown)


@pytest.mark.parametrize("path", [path for path in ASKS if path.endswith("attachments/")])
def test_the_example_of_a_list_and_of_a_file_are_true(hangar, acme, places, document, path):
    operations = document["paths"][path]
    body = body_of(document, operations["post"]) | {"external_id": new_id(), "size": 1024}
    headers = {"X-API-Key": acme.admin.token}
    asked = hangar.request("POST", path.format(**places), json=body, headers=headers).json()
    form = asked["upload_data"]
    assert requests.post(form["url"], data=form["fields"], files={"file": b"%PDF-1.7"}, timeout=20).status_code == 204
    listed = hangar.request("GET", path.format(**places), headers=headers).json()
    shown = example_of(operations["get"])
    for one in (*listed, *shown):
        one["external_id"] = one["external_source"] = one["updated_by"] = None
    assert shape(listed) == shape(shown)


def test_the_example_of_a_workspaces_file_is_true(hangar, acme, document):
    path, headers = "/api/v1/workspaces/{slug}/assets/", {"X-API-Key": acme.admin.token}
    body = body_of(document, document["paths"][path]["post"]) | {"external_id": new_id()}
    asked = hangar.request("POST", path.format(slug="acme"), json=body, headers=headers).json()
    form = asked["upload_data"]
    assert requests.post(form["url"], data=form["fields"], files={"file": b"%PDF-1.7"}, timeout=20).status_code == 204
    told = hangar.request("GET", f"/api/v1/workspaces/acme/assets/{asked['asset_id']}/", headers=headers).json()
    assert shape(told) == shape(example_of(document["paths"][path + "{asset_id}/"]["get"]))


def test_an_address_with_none_can_be_read(hangar, acme, document):
    """The example shows such an address, and the introduction says to use it as it is."""
    path, headers = "/api/assets/v2/workspaces/{slug}/", {"X-API-Key": acme.admin.token}
    operation = document["paths"][path]["post"]
    asked = hangar.request("POST", path.format(slug="acme"), json=body_of(document, operation), headers=headers).json()
    assert "/projects/None/" in example_of(operation)["asset_url"] and "/projects/None/" in asked["asset_url"]
    form = asked["upload_data"]
    picture = b"\x89PNG\r\n\x1a\n" + bytes(20)
    assert requests.post(form["url"], data=form["fields"], files={"file": picture}, timeout=20).status_code == 204
    assert hangar.request("GET", asked["asset_url"], headers=headers).status_code == 302


def test_the_page_shows_the_examples_and_no_raw_backticks(hangar):
    page = hangar.request("GET", "/-/docs").text
    assert "`" not in page
    for name in ("Content-Type", "key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "policy", "x-amz-signature"):
        assert f"&quot;{name}&quot;" in page
    assert page.index("<h2>Authentication</h2>") < page.index("<details")

