"""A data folder of which a part is missing or another's, and what a start of the real program makes of it."""

import os
import shutil

import pytest

from clients import s3_client
from server import Hangar, run, wait_until

SMALL = b"a small body, in the log" * 100
LARGE = bytes(range(256)) * 4096


def keys(server):
    return [found["Key"] for found in s3_client(server).list_objects_v2(Bucket="uploads").get("Contents", [])]


@pytest.fixture
def crashed(start_hangar):
    """A server that was killed after its second start, with a journal beside its database."""
    hangar = start_hangar()
    s3_client(hangar).put_object(Bucket="uploads", Key="first", Body=SMALL)
    s3_client(hangar).put_object(Bucket="uploads", Key="large", Body=LARGE)
    assert hangar.stop() == 0
    hangar.start()
    s3_client(hangar).put_object(Bucket="uploads", Key="second", Body=SMALL)
    hangar.kill()
    return hangar


def start_is_refused(hangar):
    done = run("serve", **hangar.settings)
    assert done.returncode == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("part", ["hangar.db", "hangar.db-wal", "hangar.db-shm", "run"])
def test_the_files_of_the_index_may_be_missing(crashed, part):
    (crashed.data / "@hangar" / part).unlink()
    crashed.start()
    assert keys(crashed) == ["first", "large", "second"]
    assert crashed.command_line("gc").returncode == 0
    assert crashed.stop() == 0
    assert run("fsck", "--data-dir", crashed.data).returncode == 0
    crashed.start()
    assert keys(crashed) == ["first", "large", "second"]


def test_a_killed_server_starts_from_the_index_that_it_left(crashed):
    crashed.start()
    assert keys(crashed) == ["first", "large", "second"]
    assert "made again" not in crashed.said() and "set aside" not in crashed.said()


def test_without_its_log_a_folder_is_not_begun_anew(crashed):
    home = crashed.data / "@hangar"
    for path in home.glob("hangar.db*"):
        path.unlink()
    shutil.rmtree(home / "log")
    assert "the log in the data folder is missing" in start_is_refused(crashed)
    (blob,) = (home / "blobs").iterdir()
    assert blob.read_bytes() == LARGE


def test_a_log_that_is_shorter_than_its_index_is_reported_and_can_be_accepted(crashed):
    (log,) = (crashed.data / "@hangar/log").iterdir()
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    assert "`hangar rebuild` makes do with what is left" in start_is_refused(crashed)
    assert run("rebuild", "--data-dir", crashed.data).returncode == 0
    crashed.start()
    assert "second" not in keys(crashed)


@pytest.mark.parametrize("part", ["reserve", "lock", "run", "hangar.db", "hangar.db-wal", "keys", "log", "blobs"])
@pytest.mark.parametrize("what", ["link", "pipe"])
def test_links_and_pipes_in_the_folder_are_neither_followed_nor_waited_for(crashed, tmp_path, part, what):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path = crashed.data / "@hangar" / part
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(victim)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del crashed.settings[name]
    if part == "reserve":
        crashed.launch()
        wait_until(crashed.is_ready, crashed.process, crashed.said)
        assert path.is_file() and not path.is_symlink(), "it is made anew"
    else:
        refusal = start_is_refused(crashed)
        assert str(path) in refusal and "is not a" in refusal
    assert victim.read_bytes() == b"precious"


def test_the_data_folder_and_its_parts_may_be_symbolic_links(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "server").mkdir()
    (tmp_path / "server/data").mkdir()
    (tmp_path / "server/data/@hangar").symlink_to(tmp_path / "disk", target_is_directory=True)
    hangar = Hangar(tmp_path / "server").start()
    try:
        s3_client(hangar).put_object(Bucket="uploads", Key="a", Body=LARGE)
        assert keys(hangar) == ["a"]
    finally:
        assert hangar.stop() == 0
    assert run("fsck", "--data-dir", hangar.data).returncode == 0
