"""A server stops dead at each step of a change: the next start holds the old or the new, never a mixture.

Needs a build with debug assertions, which knows the steps: DEBUG_BINARY names it.
"""

import signal

import pytest

import load
from changes import CHANGES, LONG_NEW, LONG_OLD, SHORT_NEW, SHORT_OLD, begin, digest, key_of, state
from clients import s3_client
from server import BUCKET, Hangar, run

SHORT = 1
STEPS = ["blobs-named", "log-written", "log-synced", "index-committed", "answered"]
# What is applied by one call is committed by it.
FURTHER_STEPS = {"a long object": ["blob-written", "blob-synced"], "an upload in parts": ["index-applied"]}
# A deletion needs something to delete, and a form's key is always a new one.
OLD = {"a deletion": (SHORT_OLD, LONG_OLD), "a form": (None,)}
CASES = [
    (change, step, old)
    for change in CHANGES
    for step in STEPS + FURTHER_STEPS.get(change, [])
    for old in OLD.get(change, (None, SHORT_OLD, LONG_OLD))
]

pytestmark = pytest.mark.usefixtures("debug_binary")


@pytest.mark.parametrize(("change", "step", "old"), CASES, ids=lambda value: len(value) if isinstance(value, bytes) else str(value))
def test_a_stop_at_any_step_leaves_the_old_or_the_new(tmp_path, change, step, old):
    server = begin(tmp_path, old)
    key = key_of(server, change)
    assert server.stop() == 0

    server.settings["CRASH_AT"] = step
    server.start()
    act, new = CHANGES[change]
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
def test_a_stop_during_background_work_loses_nothing(tmp_path, step):
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


@pytest.mark.parametrize("step", ["checkpoint-noted", "checkpoint-made", "journal-emptied"])
def test_a_stop_in_a_checkpoint_leaves_an_index_that_is_trusted(tmp_path, step):
    server = Hangar(tmp_path, {"HANGAR_LOG": "warn"}).start()
    s3_client(server).put_object(Bucket=BUCKET, Key="kept", Body=SHORT_NEW)
    server.kill()
    server.settings["CRASH_AT"] = step
    # What a kill left in the journal is moved into the database by the start.
    server.launch()
    assert server.process.wait(20) == -signal.SIGABRT
    del server.settings["CRASH_AT"]
    server.start()
    assert state(server, "kept") == digest(SHORT_NEW)
    assert "damaged" not in server.said()
    assert server.stop() == 0
