"""Bits of the index flip on the disk, under a real server: no wrong byte, no wrong header, no key that is not found, and
after a moment the server has made everything as it was, by itself.

`--rounds N` flips N times as many bits, `--seed N` repeats a run; each prints its own.
"""

import json
import random
import shutil
import time

import botocore.exceptions
import pytest
import requests

from clients import s3_client
from server import PATIENCE_SECONDS, Hangar, flip, run, wait_until

KEYS = 60
FLIPS = 15


@pytest.fixture(scope="module")
def chance(request):
    seed = request.config.getoption("--seed")
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    print(f"--seed {seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def flips(request):
    return FLIPS * request.config.getoption("--rounds")


ERRORS = (botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError)


def is_honest(error):
    """Whether an answer says that there is trouble, and not that there is nothing; or there is no answer."""
    answered = getattr(error, "response", None)
    return not answered or answered["ResponseMetadata"]["HTTPStatusCode"] >= 500


class Filled:
    """A server with objects and assets, and what each of them is."""

    def __init__(self, folder):
        self.server = Hangar(folder, {"HANGAR_LOG": "warn"}).start()
        self.s3 = s3_client(self.server)
        self.home = self.server.data / "@hangar"
        self.token = self.server.make_token()["token"]
        asset = self.server.ask(self.token, name="a.png", type="image/png", size=100, entity_type="USER_AVATAR")
        self.asset = asset["asset_id"]
        path = f"/api/v1/assets/user-assets/{self.asset}/"
        self.asset_status = self.server.request("GET", path, headers={"X-API-Key": self.token}).status_code
        assert self.asset_status < 500
        self.known = {}
        for number in range(KEYS):
            self.put(number)

    def put(self, number):
        body = b"object number %d " % number * (1 + number % 5 * 400)
        metadata = {"number": str(number), "long": "x" * (number % 7 * 250)}
        kept = self.s3.put_object(
            Bucket="uploads", Key=f"key {number}", Body=body, Metadata=metadata, ContentType=f"text/{number}"
        )
        self.known[f"key {number}"] = (body, kept["ETag"], metadata, f"text/{number}")

    def look(self):
        """Reads everything. Answers how many answers were errors; whatever is no error must be right."""
        errors = 0
        for key, known in self.known.items():
            try:
                got = self.s3.get_object(Bucket="uploads", Key=key)
                assert (got["Body"].read(), got["ETag"], got["Metadata"], got["ContentType"]) == known, key
            except ERRORS as error:
                assert is_honest(error), f"{key}: {error}"
                errors += 1
        try:
            listed = self.s3.list_objects_v2(Bucket="uploads")["Contents"]
            assert {it["Key"]: it["ETag"] for it in listed} == {key: known[1] for key, known in self.known.items()}
        except ERRORS as error:
            assert is_honest(error), error
            errors += 1
        try:
            headers = {"X-API-Key": self.token}
            person = self.server.request("GET", "/api/v1/users/me/", headers=headers)
            asset = self.server.request("GET", f"/api/v1/assets/user-assets/{self.asset}/", headers=headers)
        except requests.ConnectionError:
            return errors + 1
        for answer, right in ((person, 200), (asset, self.asset_status)):
            assert answer.status_code == right or answer.status_code >= 500, answer.text
            errors += answer.status_code >= 500
        return errors

    def look_until_right(self):
        """Answers how many errors there were until then."""
        errors, until = 0, time.monotonic() + PATIENCE_SECONDS
        while more := self.look():
            errors += more
            assert time.monotonic() < until, self.server.said()
        return errors

    def wait_until(self, holds):
        wait_until(holds, self.server.process, self.server.said)

    def file(self, pattern):
        return max(self.home.glob(pattern))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    filled = Filled(tmp_path_factory.mktemp("rot"))
    yield filled
    assert filled.server.stop() == 0, filled.server.said()
    assert "panicked" not in filled.server.said()


def flip_one(path, chance):
    at, bit = chance.randrange(path.stat().st_size), chance.randrange(8)
    flip(path, at, bit)
    return f"{path.name}, byte {at}, bit {bit}"


def fsck(filled):
    done = run("fsck", "--data-dir", filled.server.data, "--json")
    return done.returncode, json.loads(done.stdout)


def test_a_bit_that_flips_while_the_server_is_stopped_is_found_by_its_start(filled, chance, flips):
    for _ in range(flips):
        assert filled.server.stop() == 0
        what = flip_one(filled.file("hangar.db"), chance)
        filled.server.start()
        assert filled.look() == 0, what
    assert "differs from what was written" in filled.server.said()


def test_a_bit_that_flips_under_a_running_server_is_made_right_by_itself(filled, chance, flips):
    for _ in range(flips):
        # What is in memory is not read again.
        assert filled.server.stop() == 0
        filled.server.start()
        process = filled.server.process
        before = filled.server.said().count("the server restarts")
        with filled.file("hangar.db").open("r+b") as file:
            whole = bytearray(file.read())
            for at in range(chance.randrange(4096), len(whole), 4096):
                whole[at] ^= 1 << chance.randrange(8)
            file.seek(0)
            file.write(whole)
        filled.look_until_right()
        assert filled.server.process is process and process.poll() is None
        filled.wait_until(lambda: filled.server.said().count("the server restarts") == before + 1)
        filled.server.wait_until_ready()
        assert filled.look() == 0
    assert "the damaged index was made again" in filled.server.said()


def test_a_bit_that_flips_in_the_journal_of_a_killed_server_hurts_no_key(filled, chance, flips):
    for _ in range(flips):
        for number in chance.sample(range(KEYS), 5):
            filled.put(number)
        filled.server.kill()
        what = flip_one(filled.file("hangar.db-wal"), chance)
        filled.server.start()
        assert filled.look() == 0, what


def test_a_bit_that_flips_in_a_snapshot_hurts_no_key(filled, chance, flips):
    for _ in range(flips):
        filled.put(chance.randrange(KEYS))
        assert filled.server.stop() == 0
        what = flip_one(filled.file("snapshot-*.db"), chance)
        flip_one(filled.file("hangar.db"), chance)
        filled.server.start()
        assert filled.look() == 0, what


def test_a_bit_that_flips_in_the_snapshot_of_a_backup_hurts_no_key(filled, chance, flips, tmp_path):
    made = filled.server.command_line("backup", tmp_path / "backup")
    assert made.returncode == 0, made.stderr
    (snapshot,) = (tmp_path / "backup/@hangar").glob("snapshot-*.db")
    whole = snapshot.read_bytes()
    for number in range(flips):
        snapshot.write_bytes(whole)
        what = flip_one(snapshot, chance)
        restored = Hangar(tmp_path / f"restored-{number}", {"HANGAR_LOG": "warn"})
        done = run("restore", tmp_path / "backup", "--data-dir", restored.data)
        assert done.returncode == 0, f"{what}: {done.stderr}"
        other = object.__new__(Filled)
        other.server, other.known, other.token = restored, filled.known, filled.token
        other.asset, other.asset_status = filled.asset, filled.asset_status
        restored.start()
        other.s3, other.home = s3_client(restored), restored.data / "@hangar"
        try:
            assert other.look() == 0, what
        finally:
            assert restored.stop() == 0
        shutil.rmtree(restored.folder)


def test_fsck_finds_a_flipped_bit_without_a_server_and_beside_one(filled, chance):
    assert filled.server.stop() == 0
    flip_one(filled.file("hangar.db"), chance)
    code, checked = fsck(filled)
    assert (code, checked["damages"]) == (1, 1)
    (finding,) = checked["findings"]
    assert (finding["damage"], finding["file"]) == ("index", "hangar.db")
    assert fsck(filled) == (1, checked), "looking changes nothing"
    assert run("fsck", "--repair", "--data-dir", filled.server.data).returncode == 0
    assert fsck(filled) == (0, checked | {"damages": 0, "findings": []})

    flip_one(filled.file("snapshot-*.db"), chance)
    code, checked = fsck(filled)
    assert (code, checked["damages"]) == (1, 1)
    assert checked["findings"][0]["file"].startswith("snapshot-")

    flip_one(filled.file("hangar.db"), chance)
    done = run("fsck", "--repair", "--data-dir", filled.server.data)
    assert done.returncode == 0, done.stderr
    assert "the index was damaged and was rebuilt from the log" in done.stdout

    filled.server.start()
    assert filled.look() == 0
    before = filled.server.said().count("the server restarts")
    flip_one(filled.file("hangar.db"), chance)
    code, checked = fsck(filled)
    assert (code, checked["damages"]) == (1, 1)
    filled.wait_until(lambda: filled.server.said().count("the server restarts") == before + 1)
    filled.server.wait_until_ready()
    assert filled.look() == 0
    assert fsck(filled)[0] == 0
