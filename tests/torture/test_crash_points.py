"""A server stops dead at each step of a change: the next start holds the old or the new, never a mixture.

Needs a build with debug assertions, which knows the steps: CRASH_BINARY names it.
"""

import os
import pathlib
import signal

import pytest
import requests

import load
import pictures
from clients import s3_client
from server import BUCKET, REPOSITORY, Hangar, run

SHORT = 1
STEPS = ["blobs-named", "log-written", "log-synced", "index-applied", "index-committed", "answered"]
BLOB_STEPS = ["blob-written", "blob-synced", *STEPS]
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
    assert requests.post(server.form["url"], data=server.form["fields"], files=files, timeout=20).status_code == 204


CHANGES = {
    "a short object": (put(SHORT_NEW), SHORT_NEW, STEPS),
    "a long object": (put(LONG_NEW), LONG_NEW, BLOB_STEPS),
    "a deletion": (delete, None, STEPS),
    "a copy": (copy, LONG_NEW, STEPS),
    "an upload in parts": (complete, LONG_NEW, STEPS),
    "a form": (form, SHORT_NEW, STEPS),
}
CASES = [(change, step, old) for change, (_, _, steps) in CHANGES.items() for step in steps for old in (None, SHORT_OLD, LONG_OLD)]
# A form's key is always a new one.
CASES = [case for case in CASES if not (case[0] in ("a form", "a deletion") and (case[2] is None) != (case[0] == "a form"))]


@pytest.fixture(autouse=True)
def debug_binary(monkeypatch):
    path = pathlib.Path(os.environ.get("CRASH_BINARY", REPOSITORY / "target/debug/hangar"))
    assert path.is_file(), f"{path} is not there: `cargo build` makes it"
    monkeypatch.setenv("CLIENTS_BINARY", str(path))


def state(server, key):
    return load.found(server, s3_client(server), key)


def digest(body):
    return None if body is None else load.digest(body)


@pytest.mark.parametrize(("change", "step", "old"), CASES, ids=lambda value: len(value) if isinstance(value, bytes) else str(value))
def test_a_stop_at_any_step_leaves_the_old_or_the_new(tmp_path, change, step, old):
    server = Hangar(tmp_path, {"HANGAR_LOG": "warn"}).start()
    s3 = s3_client(server)
    key = "key"
    if old is not None:
        s3.put_object(Bucket=BUCKET, Key=key, Body=old)
    s3.put_object(Bucket=BUCKET, Key="source", Body=LONG_NEW)
    server.upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=server.upload, PartNumber=1, Body=LONG_NEW)
    server.parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    if change == "a form":
        token = server.make_token()["token"]
        made = server.ask(token, name="me.png", type="image/png", size=len(SHORT_NEW), entity_type="USER_AVATAR")
        key, server.form = made["asset_url"], made["upload_data"]
    assert server.stop() == 0

    server.settings["CRASH_AT"] = step
    server.start()
    act, new, _ = CHANGES[change]
    try:
        act(server, s3_client(server))
        was_answered = True
    except load.CUT_OFF:
        was_answered = False
    assert server.process.wait(20) == -signal.SIGABRT, f"it did not stop at {step}: {server.said()}"
    assert not was_answered or step == "answered"
    server.process = None

    del server.settings["CRASH_AT"]
    server.start()
    found = state(server, key)
    assert found in (digest(old), digest(new)), f"{found} is neither the old nor the new"
    if was_answered or step in ("log-synced", "index-applied", "index-committed", "answered"):
        assert found == digest(new), "what is in the log is there"
    if step.startswith("blob"):
        assert found == digest(old), "without a record nothing has changed"
    assert state(server, "source") == digest(LONG_NEW)
    assert server.stop() == 0
    assert run("gc", "--data-dir", server.data).returncode == 0
    checked = run("fsck", "--data-dir", server.data, "--json")
    assert checked.returncode == 0 and '"left_over": 0' in checked.stdout, checked.stdout


@pytest.mark.parametrize("step", ["snapshot-made", "snapshot-named", "freeing-recorded"])
def test_a_stop_in_what_is_done_beside_changes_loses_nothing(tmp_path, step):
    server = Hangar(tmp_path, {"HANGAR_LOG": "warn"}).start()
    s3 = s3_client(server)
    for key, body in (("kept", LONG_NEW), ("gone", LONG_OLD)):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    s3.delete_object(Bucket=BUCKET, Key="gone")
    if step == "freeing-recorded":
        assert server.stop() == 0
        assert run("gc", "--data-dir", server.data, CRASH_AT=step).returncode == -signal.SIGABRT
    else:
        server.kill()
        server.settings["CRASH_AT"] = step
        server.start()
        s3_client(server).put_object(Bucket=BUCKET, Key="more", Body=SHORT_NEW)
        assert server.stop() == -signal.SIGABRT
        del server.settings["CRASH_AT"]
    server.start()
    assert state(server, "kept") == digest(LONG_NEW)
    assert state(server, "gone") is None
    assert server.stop() == 0
    # And once more from what the crash left beside the database.
    for index in (server.data / "@hangar").glob("hangar.db*"):
        index.unlink()
    server.start()
    assert state(server, "kept") == digest(LONG_NEW)
    assert server.stop() == 0
    assert run("fsck", "--data-dir", server.data).returncode == 0
