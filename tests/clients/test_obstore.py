"""Rust's object_store, as obstore binds it to Python: it reads no answer at all that has a header beyond ASCII."""

import email.header
import uuid

import pytest

from policy import Form

obstore = pytest.importorskip("obstore")

from obstore.store import S3Store  # noqa: E402

NAME = "żółw ☕ 日本"


@pytest.fixture
def store(endpoint):
    # It can be given no certificate authority of one's own.
    options = {"allow_invalid_certificates": True} if endpoint.verify else {"allow_http": True}
    return S3Store(
        endpoint.bucket,
        endpoint=endpoint.url,
        access_key_id=endpoint.access_key,
        secret_access_key=endpoint.secret_key,
        region="us-east-1",
        client_options=options,
    )


def decoded(value):
    return str(email.header.make_header(email.header.decode_header(value)))


def test_metadata_beyond_ascii_is_read(endpoint, store):
    key = f"obstore/{uuid.uuid4()}"
    fields = {
        "x-amz-meta-name": NAME,
        "x-amz-meta-long": NAME * 40,
        "x-amz-meta-encoded": "=?UTF-8?B?w7w=?=",
        "Content-Disposition": f'attachment; filename="{NAME}"',
        "Cache-Control": "max-age=5",
        "Content-Language": "języki",
    }
    assert Form(endpoint, key, fields=fields).post(b"hello").status_code == 204
    got = obstore.get(store, key)
    assert bytes(got.bytes()) == b"hello"
    attributes = got.attributes
    assert decoded(attributes["name"]) == NAME
    assert decoded(attributes["long"]) == NAME * 40
    assert attributes["encoded"] == "=?UTF-8?B?w7w=?="
    assert attributes["Cache-Control"] == "max-age=5"
    assert attributes["Content-Disposition"].isascii()
    assert obstore.head(store, key)["size"] == 5


def test_an_object_keeps_its_attributes(store):
    key = f"obstore/{uuid.uuid4()}"
    attributes = {
        "Content-Type": "text/plain",
        "Content-Disposition": 'attachment; filename="a.txt"',
        "Cache-Control": "no-cache",
        "Content-Language": "pl",
        "author": "ada",
    }
    obstore.put(store, key, b"hello", attributes=attributes)
    assert dict(obstore.get(store, key).attributes) == attributes

