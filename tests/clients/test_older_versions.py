"""Data folders that one version of hangar filled and another one opens.

`older/everything.tar.xz` was made by `older/make.py` with the version of 2026-12-01. Where OLDER_BINARY names a binary of an
older version, folders go both ways between it and the tested one.
"""

import json
import os
import pathlib
import tarfile

import pytest

from everything import answers, fill, go_on, make_key, server_of
from server import binary

OLDER_FOLDER = pathlib.Path(__file__).with_name("older") / "everything.tar.xz"
# What a folder may lose and make again.
LOSSES = {
    "nothing": [],
    "the database": ["hangar.db*"],
    "the database and its snapshots": ["hangar.db*", "snapshot-*"],
}


def fsck_finds_nothing(server):
    done = server.command_line("fsck", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    checked = json.loads(done.stdout)
    assert (checked["damages"], checked["findings"]) == (0, [])
    # A check of an empty folder would find nothing either.
    assert checked["objects"] > 20 and checked["bodies"] > 20


def stop(server):
    assert server.stop() == 0, server.said()
    assert "panicked" not in server.said()


@pytest.mark.parametrize("lost", LOSSES.values(), ids=LOSSES.keys())
def test_a_folder_of_an_older_version_gives_the_answers_that_it_gave_there(tmp_path, lost):
    with tarfile.open(OLDER_FOLDER) as archive:
        archive.extractall(tmp_path, filter="data")
    kept = json.loads((tmp_path / "kept.json").read_text())
    server = server_of(tmp_path)
    for pattern in lost:
        paths = list((server.data / "@hangar").glob(pattern))
        assert paths, f"the folder has no {pattern}"
        for path in paths:
            path.unlink()
    server.start()
    try:
        assert answers(server, kept["known"]) == kept["answers"]
        fsck_finds_nothing(server)
        go_on(server, kept["known"])
        changed = answers(server, kept["known"])
    finally:
        stop(server)
    fsck_finds_nothing(server)
    server.start()
    try:
        assert answers(server, kept["known"]) == changed
    finally:
        stop(server)


@pytest.mark.parametrize("direction", ["from the older to the newer", "from the newer to the older"])
def test_a_folder_goes_to_another_version_and_back(tmp_path, direction):
    older = os.environ.get("OLDER_BINARY")
    if older is None:
        pytest.skip("OLDER_BINARY names no binary of an older version")
    programs = [older, binary()]
    if direction == "from the newer to the older":
        programs.reverse()
    make_key(tmp_path)
    first, second = (server_of(tmp_path, program) for program in programs)
    first.start()
    try:
        known = fill(first)
        made = answers(first, known)
    finally:
        stop(first)
    fsck_finds_nothing(second)
    second.start()
    try:
        assert answers(second, known) == made
        go_on(second, known)
        changed = answers(second, known)
        assert changed != made
    finally:
        stop(second)
    fsck_finds_nothing(first)
    first.start()
    try:
        assert answers(first, known) == changed
    finally:
        stop(first)
