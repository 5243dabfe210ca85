"""The kinds of changes, one of each, and a server to try them on."""

import requests

import load
import pictures
from clients import s3_client
from server import BUCKET, Hangar

SHORT_OLD, LONG_OLD = pictures.filled(5_000, "old"), pictures.filled(400_000, "old")
SHORT_NEW, LONG_NEW = pictures.filled(6_000, "new"), pictures.filled(500_000, "new")


def put(body):
    return lambda server, s3: s3.put_object(Bucket=BUCKET, Key="key", Body=body)


def delete(_, s3):
    s3.delete_object(Bucket=BUCKET, Key="key")


def copy(_, s3):
    s3.copy_object(Bucket=BUCKET, Key="key", CopySource=f"{BUCKET}/source")


def complete(server, s3):
    s3.complete_multipart_upload(Bucket=BUCKET, Key="key", UploadId=server.upload, MultipartUpload={"Parts": server.parts})


def form(server, _):
    files = {"file": ("me.png", SHORT_NEW)}
    answer = requests.post(server.form["url"], data=server.form["fields"], files=files, timeout=20)
    if answer.status_code != 204:
        raise requests.HTTPError(answer.text, response=answer)


# What each does, and what there is after it.
CHANGES = {
    "a short object": (put(SHORT_NEW), SHORT_NEW),
    "a long object": (put(LONG_NEW), LONG_NEW),
    "a deletion": (delete, None),
    "a copy": (copy, LONG_NEW),
    "an upload in parts": (complete, LONG_NEW),
    "a form": (form, SHORT_NEW),
}


def begin(folder, old):
    """A server whose object `key` is `old`, with all that the changes need."""
    server = Hangar(folder, {"HANGAR_LOG": "warn"}).start()
    s3 = s3_client(server)
    if old is not None:
        s3.put_object(Bucket=BUCKET, Key="key", Body=old)
    s3.put_object(Bucket=BUCKET, Key="source", Body=LONG_NEW)
    server.upload = s3.create_multipart_upload(Bucket=BUCKET, Key="key")["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key="key", UploadId=server.upload, PartNumber=1, Body=LONG_NEW)
    server.parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    token = server.make_token()["token"]
    made = server.ask(token, name="me.png", type="image/png", size=len(SHORT_NEW), entity_type="USER_AVATAR")
    server.asset, server.form = made["asset_url"], made["upload_data"]
    return server


def key_of(server, change):
    """A form's key is its own."""
    return server.asset if change == "a form" else "key"


def state(server, key):
    return load.found(server, s3_client(server), key)


def digest(body):
    return None if body is None else load.digest(body)
