"""A call of the system fails under a change: the answer says so, reads go on, and nothing is left by halves.

Needs a build with debug assertions, which knows the calls: DEBUG_BINARY names it.
"""

import json

import botocore.exceptions
import pytest
import requests

from changes import CHANGES, LONG_NEW, SHORT_OLD, begin, digest, key_of, state
from clients import s3_client
from server import BUCKET, run

SHORT = 1
# What fails, and what it is to whoever asked.
BLOB_CALLS = {"blob-create:EMFILE": 503, "blob-create:EROFS": 503, "blob-write:EIO": 503, "blob-write:ENOSPC": 507}
BLOB_SYNCS = {"blob-sync:EIO": 503}
LOG_CALLS = {"log-write:EIO": 503, "log-write:ENOSPC": 507}
SYNCS = {"log-sync:EIO": 503}
CASES = [
    (change, call, status, often)
    for change in CHANGES
    for call, status in ((BLOB_CALLS | BLOB_SYNCS | {"blobs-sync:EIO": 503} if change == "a long object" else {}) | LOG_CALLS | SYNCS).items()
    for often in ("once", "for good")
]
# After these nothing is written until a restart.
FINAL = ("blobs-sync:EIO", "log-sync:EIO")

pytestmark = pytest.mark.usefixtures("debug_binary")


def attempt(act, server):
    """The status and `Retry-After` of what was answered."""
    try:
        act(server, s3_client(server))
    except botocore.exceptions.ClientError as error:
        answer = error.response["ResponseMetadata"]
        return answer["HTTPStatusCode"], answer["HTTPHeaders"].get("retry-after")
    except requests.HTTPError as error:
        return error.response.status_code, error.response.headers.get("Retry-After")
    return 200, None


@pytest.mark.parametrize(("change", "call", "status", "often"), CASES)
def test_a_failing_call_is_answered_and_leaves_the_old_or_the_new(tmp_path, change, call, status, often):
    old = None if change == "a form" else SHORT_OLD
    server = begin(tmp_path, SHORT_OLD)
    key = key_of(server, change)
    assert server.stop() == 0
    server.settings["FAULT_AT"] = call if often == "for good" else f"{call}:1"
    server.start()
    act, new = CHANGES[change]
    answered, retry_after = attempt(act, server)
    # On a full disk what brings no bytes is tried again with the room of the reserve.
    allowed = {status}
    if often == "once" and call == "log-write:ENOSPC" and change in ("a deletion", "an upload in parts"):
        allowed = {200}
    assert answered in allowed, f"{call}: {answered}"
    assert (retry_after is not None) == (answered == 503)
    # Reads go on.
    assert state(server, key) == digest(new if answered == 200 else old)
    assert state(server, "source") == digest(LONG_NEW)
    ready = server.request("GET", "/-/health/ready").status_code
    again, _ = attempt(act, server)
    if call in FINAL:
        assert ready == 503, "a failed sync is final"
        assert again == 503, "and never retried into a success"
        assert state(server, key) == digest(old)
    elif often == "for good":
        assert again == status
    server.stop()

    del server.settings["FAULT_AT"]
    server.start()
    found = state(server, key)
    if call in FINAL:
        assert found in (digest(old), digest(new))
    assert state(server, "source") == digest(LONG_NEW)
    s3_client(server).put_object(Bucket=BUCKET, Key="after", Body=LONG_NEW)
    assert server.stop() == 0
    assert run("gc", "--data-dir", server.data).returncode == 0
    checked = run("fsck", "--data-dir", server.data, "--json")
    assert checked.returncode == 0 and json.loads(checked.stdout)["left_over"] == 0, checked.stdout
    assert "panicked" not in server.said()


def test_a_sync_that_fails_while_more_of_the_body_comes_fails_the_upload(tmp_path):
    server = begin(tmp_path, SHORT_OLD)
    assert server.stop() == 0
    server.settings["FAULT_AT"] = "blob-sync:EIO:1"
    server.start()
    long = LONG_NEW * (70_000_000 // len(LONG_NEW))
    put = lambda server, s3: s3.put_object(Bucket=BUCKET, Key="key", Body=long)
    assert attempt(put, server)[0] == 503
    assert state(server, "key") == digest(SHORT_OLD)
    assert attempt(put, server)[0] == 200, "the next is another upload"
    assert state(server, "key") == digest(long)
    assert server.stop() == 0
    assert run("gc", "--data-dir", server.data).returncode == 0
    checked = run("fsck", "--data-dir", server.data, "--json")
    assert checked.returncode == 0 and json.loads(checked.stdout)["left_over"] == 0, checked.stdout
