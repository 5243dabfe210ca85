"""s3fs, as its users have it by default: files, folders and links. It pins a botocore of its own, and so has an environment of its own."""

import uuid

import pytest
import requests

s3fs = pytest.importorskip("s3fs")


@pytest.fixture
def files(endpoint, monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    client = {"verify": endpoint.verify} if endpoint.verify else {}
    s3fs.S3FileSystem.clear_instance_cache()
    return s3fs.S3FileSystem(key=endpoint.access_key, secret=endpoint.secret_key, endpoint_url=endpoint.url, client_kwargs=client)


@pytest.fixture
def folder(endpoint):
    return f"{endpoint.bucket}/{uuid.uuid4()}"


def test_files_and_folders(files, folder):
    with files.open(f"{folder}/a b+c & d.txt", "wb") as file:
        file.write(b"hello")
    assert files.cat(f"{folder}/a b+c & d.txt") == b"hello"
    assert files.ls(folder) == [f"{folder}/a b+c & d.txt"]
    files.copy(f"{folder}/a b+c & d.txt", f"{folder}/copy")
    files.setxattr(f"{folder}/copy", mood="fine")
    assert files.getxattr(f"{folder}/copy", "mood") == "fine"
    files.rm(folder, recursive=True)
    assert not files.exists(folder)


def test_a_large_file_is_uploaded_in_parts(files, folder):
    content = bytes(range(256)) * (12 << 12)
    with files.open(f"{folder}/large", "wb", block_size=5 << 20) as file:
        file.write(content)
    assert files.cat(f"{folder}/large") == content


def test_a_link(files, folder, endpoint):
    files.pipe(f"{folder}/a b+c.txt", b"hello")
    url = files.sign(f"{folder}/a b+c.txt", expiration=60)
    assert "AWSAccessKeyId=" in url
    answer = requests.get(url, timeout=20, verify=endpoint.verify)
    assert (answer.status_code, answer.content) == (200, b"hello"), answer.text
