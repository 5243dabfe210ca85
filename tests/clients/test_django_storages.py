"""django-storages with Plane's settings, and as Django's users have it by default."""

import uuid

import pytest
import requests

from bodies import LARGE, body

pytestmark = pytest.mark.boto3
django_conf = pytest.importorskip("django.conf")

if not django_conf.settings.configured:
    django_conf.settings.configure(USE_TZ=True)

from django.core.files.base import ContentFile  # noqa: E402
from storages.backends.s3 import S3Storage  # noqa: E402


@pytest.fixture(params=["", "us-east-1", None], ids=["empty region", "us-east-1", "no region"])
def storage(request, endpoint, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return S3Storage(**plain_settings(endpoint) | {"region_name": request.param})


def plain_settings(endpoint):
    return {
        "access_key": endpoint.access_key,
        "secret_key": endpoint.secret_key,
        "bucket_name": endpoint.bucket,
        "endpoint_url": endpoint.url,
        "addressing_style": "path",
        "signature_version": "s3v4",
        "file_overwrite": False,
        "verify": endpoint.verify,
    }


def test_a_file_is_saved_found_read_and_deleted(storage, endpoint):
    name = f"{uuid.uuid4()}/plik ą + 100%.txt"
    saved = storage.save(name, ContentFile("treść".encode()))
    assert storage.exists(saved) and not storage.exists(name + ".not")
    assert storage.size(saved) == len("treść".encode())
    assert storage.get_modified_time(saved).tzinfo is not None
    with storage.open(saved) as file:
        assert file.read() == "treść".encode()
    answer = requests.get(storage.url(saved), timeout=20, verify=endpoint.verify)
    assert (answer.status_code, answer.content) == (200, "treść".encode())
    assert answer.headers["Content-Type"] == "text/plain"
    storage.delete(saved)
    assert not storage.exists(saved)


def test_a_second_file_of_the_same_name_gets_another_name(storage):
    name = f"{uuid.uuid4()}/twice.txt"
    first, second = (storage.save(name, ContentFile(text)) for text in (b"first", b"second"))
    assert first != second
    assert (storage.open(first).read(), storage.open(second).read()) == (b"first", b"second")


def test_a_folder_is_listed(storage):
    folder = str(uuid.uuid4())
    for name in ("a.txt", "b.txt", "inner/c.txt"):
        storage.save(f"{folder}/{name}", ContentFile(b"x"))
    folders, files = storage.listdir(folder)
    assert (sorted(folders), sorted(files)) == (["inner"], ["a.txt", "b.txt"])


def test_a_large_file_is_uploaded_in_parts_and_comes_back(storage):
    content = body(LARGE)
    saved = storage.save(f"{uuid.uuid4()}/large.bin", ContentFile(content))
    with storage.open(saved) as file:
        assert file.read() == content


def test_a_file_that_is_opened_for_writing_is_uploaded_in_parts(storage):
    name = f"{uuid.uuid4()}/written.bin"
    content = body(6 << 20)
    with storage.open(name, "wb") as file:
        for at in range(0, len(content), 1 << 20):
            file.write(content[at : at + (1 << 20)])
    assert storage.open(name).read() == content


@pytest.mark.parametrize("region", ["us-east-1", None])
def test_the_defaults_of_django_storages(endpoint, monkeypatch, tmp_path, region):
    """Keys, a bucket and an address, and nothing else: its links are signed by version 2."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_S3_SESSION_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    settings = {name: plain_settings(endpoint)[name] for name in ("access_key", "secret_key", "bucket_name", "endpoint_url", "verify")}
    storage = S3Storage(**settings | ({"region_name": region} if region else {}))
    saved = storage.save(f"{uuid.uuid4()}/plik ą + 100% & a.txt", ContentFile(b"hello"))
    url = storage.url(saved)
    assert "AWSAccessKeyId=" in url
    answer = requests.get(url, timeout=20, verify=endpoint.verify)
    assert (answer.status_code, answer.content) == (200, b"hello"), answer.text
    named = storage.url(saved, parameters={"ResponseContentDisposition": 'attachment; filename="a & b.txt"'})
    answer = requests.get(named, timeout=20, verify=endpoint.verify)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a & b.txt"'
    storage.delete(saved)
    assert requests.get(url, timeout=20, verify=endpoint.verify).status_code == 404


def test_planes_settings(endpoint):
    """`AWS_DEFAULT_ACL`, `AWS_QUERYSTRING_AUTH` and the custom domain are those of plane/settings/common.py."""
    domain = f"{endpoint.url.split('//')[1]}/{endpoint.bucket}"
    storage = S3Storage(
        **plain_settings(endpoint)
        | {
            "region_name": "",
            "default_acl": "public-read",
            "querystring_auth": False,
            "custom_domain": domain,
            "url_protocol": f"{endpoint.scheme}:",
        }
    )
    saved = storage.save(f"{uuid.uuid4()}/me.png", ContentFile(b"picture"))
    assert storage.open(saved).read() == b"picture"
    assert storage.url(saved) == f"{endpoint.scheme}://{domain}/{saved}"
    # What a public ACL would show lies behind a signature all the same.
    assert requests.get(storage.url(saved), timeout=20, verify=endpoint.verify).status_code == 403
