"""A folder is copied file by file, slowly and in any order, while it is written: the copy starts, and nothing of what was
answered before the copy began is missing in it; nothing that was deleted before it is there again.
"""

import json
import pathlib
import random
import shutil
import subprocess
import time

import pytest

import load
from server import Hangar, run

SHORT = 3
WORKERS = 4
# A folder is copied a few times before it is this large.
LARGE_BYTES = 400 << 20


class Copied:
    """A server whose folder is copied round after round; when that has grown large, another one begins."""

    def __init__(self, tmp_path_factory):
        self.tmp_path_factory = tmp_path_factory
        self.server = None

    def serve(self):
        if self.server and size_bytes(self.server.data) > LARGE_BYTES:
            self.end()
        if self.server is None:
            self.server = Hangar(self.tmp_path_factory.mktemp("copied"), {"HANGAR_LOG": "warn"}).start()
            self.server.keys = load.Keys()
            self.server.token = self.server.make_token()["token"]
        return self.server

    def end(self):
        server, self.server = self.server, None
        assert server.stop() == 0, server.said()
        assert "panicked" not in server.said()
        shutil.rmtree(server.folder)


def size_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    copied = Copied(tmp_path_factory)
    yield copied
    copied.end()


@pytest.fixture
def copied(source):
    return source.serve()


def slow_copy(source, target, chance):
    """`cp -a`, in any order, with pauses between files and within them."""
    files = []
    # The folders are listed at different moments, too.
    for folder in sorted([source, *(path for path in source.rglob("*") if path.is_dir())], key=lambda _: chance.random()):
        (target / folder.relative_to(source)).mkdir(parents=True, exist_ok=True)
        files += [path for path in folder.iterdir() if path.is_file()]
        time.sleep(chance.uniform(0, 0.05))
    chance.shuffle(files)
    for path in files:
        try:
            with path.open("rb") as read, (target / path.relative_to(source)).open("wb") as write:
                while piece := read.read(chance.randrange(1, 4 << 20)):
                    write.write(piece)
                    if chance.random() < 0.02:
                        time.sleep(chance.uniform(0, 0.1))
        except FileNotFoundError:
            # It was removed meanwhile, as `cp` would say.
            (target / path.relative_to(source)).unlink(missing_ok=True)


def test_a_copy_of_a_live_folder_holds_all_that_was_answered_before_it(copied, chance, round_number, tmp_path):
    workers = [
        load.Worker(copied, copied.keys, copied.token, number, random.Random(chance.random())) for number in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    time.sleep(chance.uniform(0.1, 1))
    marks = copied.keys.marks()
    slow_copy(copied.data, tmp_path / "backup", chance)
    for worker in workers:
        worker.stopped.set()
    for worker in workers:
        worker.join(60)
        assert worker.trouble is None, worker.trouble

    # As Plane's restore script does: dot files stay behind.
    copy = Hangar(tmp_path / "restored")
    copy.data.mkdir(parents=True)
    subprocess.run(f"mv '{tmp_path}/backup'/* '{copy.data}'", shell=True, check=True)
    copy.start()
    try:
        judged = load.judge(copy, copied.keys, marks)
        assert "the database was made again" in copy.said(), "the start says what it did"
        print(f"{judged} keys judged; {[line for line in copy.said().splitlines() if 'made again' in line]}")
    finally:
        assert copy.stop() == 0, copy.said()
    checked = run("fsck", "--data-dir", copy.data, "--json")
    assert json.loads(checked.stdout)["damages"] == 0, checked.stdout
    shutil.rmtree(pathlib.Path(tmp_path))
    for key in list(copied.keys.known):
        if copied.keys.sure(key) is ... or key.startswith("/"):
            del copied.keys.known[key]
