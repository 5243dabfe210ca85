"""The power goes at any moment: what was answered is there, and everything else whole or not at all.

The data folder lies on a file system of our own (`power`), in memory, which keeps apart what was not synced. At a cut it
drops it, or part of it, torn or in another order, as the seed says; the server, or the command that has the folder, sees
no call return after it. Needs /dev/fuse; POWERCUT_BINARY names the file system's program.
"""

import collections
import json
import os
import pathlib
import random
import subprocess
import time

import botocore.exceptions
import pytest

import load
import pictures
from clients import s3_client
from server import BUCKET, PATIENCE_SECONDS, REPOSITORY, Hangar, bare_environment, binary, run

SHORT = 12
WORKERS = 6
FSCK_EVERY = 25
# `wal_autocheckpoint`, in pages with their heads.
WAL_CHECKPOINT_BYTES = 8000 * (4096 + 24)
SETTINGS = {"HANGAR_ALLOW_UNSAFE_FS": "true", "HANGAR_GRACE": "1s", "HANGAR_LOG": "warn"}

pytestmark = pytest.mark.skipif(
    not os.path.exists("/dev/fuse"), reason="/dev/fuse is not there: no file system of our own can be mounted"
)


class Disk:
    """A disk that is mounted at `mount` until it is closed."""

    def __init__(self, folder):
        self.mount = pathlib.Path(folder) / "disk"
        self.mount.mkdir(parents=True)
        program = os.environ.get("POWERCUT_BINARY", REPOSITORY / "target/power/debug/powercut")
        self.process = subprocess.Popen(
            [program, self.mount], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.cuts = collections.Counter()
        self.unsynced = self.lost = 0
        if not self.process.stdout.readline():
            _, complaint = self.process.communicate(timeout=PATIENCE_SECONDS)
            pytest.skip(f"no file system of our own can be mounted: {complaint.strip().rsplit(': ', 1)[-1]}")

    def tell(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        assert answer, f"the disk ended at {words}: {self.process.stderr.read()}"
        return json.loads(answer)

    def kill(self, process):
        """Ends a process that works on the disk: no call returns to it, and no sync ends any more."""
        self.tell("freeze")
        process.kill()
        self.tell("fail")
        process.wait(PATIENCE_SECONDS)

    def cut(self, process, seed, *fate):
        """Cuts the power of the disk and of a process that works on it."""
        self.kill(process)
        return self.restart(seed, *fate)

    def restart(self, seed, *fate):
        """The power goes while nobody works on it, and comes back."""
        done = self.tell("restart", seed, *fate)
        self.cuts[done["fate"]] += 1
        self.unsynced += done["unsynced"]
        self.lost += done["lost"]
        return done

    def close(self):
        _, complaint = self.process.communicate(timeout=PATIENCE_SECONDS)
        assert (self.process.returncode, complaint) == (0, "")


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """One for all rounds, so that each starts on what the former cut left."""
    disk = Disk(tmp_path_factory.mktemp("power"))
    yield disk
    disk.close()
    print(f"{disk.cuts.total()} cuts, {dict(disk.cuts)}; of {disk.unsynced} changes not synced {disk.lost} were lost")


def on_disk(disk, name):
    """A server, not started, whose data folder does not exist yet."""
    data = disk.mount / name
    server = Hangar(disk.mount.parent / f"said-of-{name}", SETTINGS | {"HANGAR_DATA_DIR": data})
    server.data = data
    return server


def cut(server, disk, seed, *fate):
    process, server.process = server.process, None
    return disk.cut(process, seed, *fate)


def is_whole(server):
    checked = run("fsck", "--data-dir", server.data, "--json", HANGAR_ALLOW_UNSAFE_FS="true")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return json.loads(checked.stdout)


@pytest.fixture(scope="module")
def cut_off(disk):
    server = on_disk(disk, "data").start()
    server.keys = load.Keys()
    server.token = server.make_token()["token"]
    server.tokens = {}
    try:
        yield server
        assert server.stop() == 0, server.said()
        assert "panicked" not in server.said()
        # Nothing is left behind: what no row names is cleared away.
        assert run("gc", "--data-dir", server.data, HANGAR_ALLOW_UNSAFE_FS="true").returncode == 0
        checked = is_whole(server)
        assert (checked["damages"], checked["left_over"]) == (0, 0), checked
        # The cuts were some.
        assert disk.lost > 0
    finally:
        if server.process:
            server.kill()


def at_work(server, chance, end):
    """Lets the workers change their keys for a while, and ends that."""
    workers = [load.Worker(server, server.keys, server.token, number, random.Random(chance.random())) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    moment = chance.uniform(0.05, 1.5)
    time.sleep(moment / 2)
    made = server.make_token(f"{chance.random()}@example.com") if chance.random() < 0.2 else None
    time.sleep(moment / 2)
    done = end()
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive()
        assert worker.trouble is None, worker.trouble
    if made:
        server.tokens[made["token"]] = 200
    print(f"{moment:.2f} s and {sum(worker.answers for worker in workers)} answers under load")
    return done


def under_load(server, disk, chance, seed):
    return at_work(server, chance, lambda: cut(server, disk, seed))


def after_a_kill(server, disk, chance, seed):
    """What was not synced is still to be read after a kill, and what was read stays."""

    def kill():
        process, server.process = server.process, None
        disk.kill(process)
        disk.tell("go-on")

    at_work(server, chance, kill)
    server.start()
    load.judge(server, server.keys)
    return cut(server, disk, seed)


def while_starting(server, disk, chance, seed):
    assert server.stop() == 0
    return cut_at_start(server, disk, chance, seed)


def cut_at_start(server, disk, chance, seed):
    server.launch()
    # A start is short: most of the cuts come in its first moments.
    time.sleep(0.2 * chance.random() ** 2)
    return cut(server, disk, seed)


def while_stopping(server, disk, chance, seed):
    server.process.terminate()
    time.sleep(chance.uniform(0, 0.3))
    return cut(server, disk, seed)


def while_freeing(server, disk, chance, seed):
    assert server.stop() == 0
    gc = subprocess.Popen(
        [binary(), "gc", "--data-dir", server.data],
        env=bare_environment(HANGAR_ALLOW_UNSAFE_FS="true"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(chance.uniform(0, 0.3))
    return disk.cut(gc, seed)


def test_answered_changes_survive_a_power_cut(cut_off, disk, chance, round_number):
    way = chance.choice((under_load, under_load, under_load, after_a_kill, while_starting, while_stopping, while_freeing))
    print(way.__name__, way(cut_off, disk, chance, chance.randrange(1 << 63)))
    # And again before it has recovered.
    while chance.random() < 0.3:
        print("again", cut_at_start(cut_off, disk, chance, chance.randrange(1 << 63)))
    cut_off.start()
    judged = load.judge(cut_off, cut_off.keys)
    print(f"{judged} keys judged")
    for token, status in cut_off.tokens.items():
        assert cut_off.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == status
    if round_number % FSCK_EVERY == FSCK_EVERY - 1:
        is_whole(cut_off)
    # Assets would make each round longer than the one before it.
    for key in [key for key in cut_off.keys.known if key.startswith("/")][:-40]:
        del cut_off.keys.known[key]


def test_a_first_start_that_the_power_cut_off_can_be_repeated(tmp_path, chance, round_number):
    disk = Disk(tmp_path)
    server = on_disk(disk, "data")
    try:
        print(cut_at_start(server, disk, chance, chance.randrange(1 << 63)))
        server.start()
        s3_client(server).put_object(Bucket=BUCKET, Key="key", Body=b"body")
        assert s3_client(server).get_object(Bucket=BUCKET, Key="key")["Body"].read() == b"body"
        assert server.stop() == 0
        is_whole(server)
    finally:
        if server.process:
            server.kill()
        disk.close()


def test_a_cut_after_a_clean_stop_does_not_make_the_folder_look_like_a_copy(tmp_path):
    disk = Disk(tmp_path)
    server = on_disk(disk, "data").start()
    try:
        s3 = s3_client(server)
        # SQLite syncs the folder with the first sync of its journal, and not with later ones: let that one pass.
        rules = [
            {"ID": str(number), "Status": "Enabled", "Expiration": {"Days": 9}, "Filter": {"Prefix": f"{number:01000}"}}
            for number in range(1000)
        ]
        while (server.data / "@hangar/hangar.db-wal").stat().st_size < WAL_CHECKPOINT_BYTES:
            s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
        s3.put_object(Bucket=BUCKET, Key="key", Body=b"body")
        assert server.stop() == 0
        disk.restart(0, "lost")
        server.start()
        assert s3_client(server).get_object(Bucket=BUCKET, Key="key")["Body"].read() == b"body"
        assert "was copied or restored" not in server.said()
        assert server.stop() == 0
    finally:
        if server.process:
            server.kill()
        disk.close()


@pytest.mark.parametrize("about", ["files", "folders"])
def test_a_disk_that_lies_about_its_syncs_is_found_out(tmp_path, about):
    disk = Disk(tmp_path)
    server = on_disk(disk, "data").start()
    try:
        s3, keys = s3_client(server), load.Keys()
        disk.tell("lie", about)
        for number in range(4):
            body = pictures.filled(700_000, number)
            keys.begins(f"{number}", load.digest(body))
            s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=body)
            keys.answered(f"{number}")
        load.judge(server, keys)
        cut(server, disk, 0, "lost")
        with pytest.raises((AssertionError, botocore.exceptions.ClientError)) as found:
            server.start()
            load.judge(server, keys)
        print(found.value)
    finally:
        if server.process:
            server.kill()
        disk.close()
