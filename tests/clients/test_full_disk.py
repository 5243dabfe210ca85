"""A disk that fills up: uploads are refused with 507, and it can be emptied by deleting through the API."""

import json
import shutil
import subprocess
import time

import botocore.exceptions
import pytest

from clients import s3_client
from server import Hangar, run, wait_until

DISK_MIB = 48
PATIENCE_SECONDS = 20


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own for the data folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount on this machine, so no small disk can be made")
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def body(number, size):
    return number.to_bytes(4, "big") * (size // 4)


def put_until_full(s3, size, first):
    """Puts objects of one size until the disk takes no more; answers those that it took."""
    taken = []
    for number in range(first, first + 2000):
        try:
            s3.put_object(Bucket="uploads", Key=f"{size}/{number}", Body=body(number, size))
        except botocore.exceptions.ClientError as refusal:
            assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] == 507
            assert refusal.response["Error"]["Code"] == "InsufficientStorage"
            return taken
        taken.append(number)
    raise AssertionError("the disk never filled up")


def assert_whole(s3, size, numbers):
    listed = [item["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="uploads", Prefix=f"{size}/")
              for item in page.get("Contents", [])]
    assert sorted(listed) == sorted(f"{size}/{number}" for number in numbers)
    for number in numbers:
        assert s3.get_object(Bucket="uploads", Key=f"{size}/{number}")["Body"].read() == body(number, size)


@pytest.mark.parametrize("size", [1024 * 1024, 100 * 1024], ids=["blobs", "in-the-log"])
@pytest.mark.parametrize("min_free", ["0", "4MiB"], ids=["to-the-last-byte", "with-some-kept-free"])
def test_a_full_disk_is_emptied_by_deleting_through_the_api(small_disk, size, min_free):
    hangar = Hangar(small_disk, {"HANGAR_GRACE": "1s", "HANGAR_MIN_FREE": min_free}).start()
    s3 = s3_client(hangar)
    taken = put_until_full(s3, size, 0)
    assert len(taken) > DISK_MIB // 2
    if min_free == "0" and size < 256 * 1024:
        # The log found the disk full. Smaller ones are refused too: what the reserve gave is for deletes.
        with pytest.raises(botocore.exceptions.ClientError, match="InsufficientStorage"):
            s3.put_object(Bucket="uploads", Key="small", Body=b"x" * 60_000)
    assert_whole(s3, size, taken)
    ready = hangar.request("GET", "/-/health/ready")
    if min_free == "0" and size > 256 * 1024:
        # Less is left than such an upload takes, and smaller ones are still taken.
        assert ready.status_code in (200, 503)
        assert ready.json()["warnings"]
    else:
        assert ready.status_code == 503
        assert "uploads are refused" in ready.json()["reason"]
    kept, gone = taken[::2], taken[1::2]
    for number in gone:
        s3.delete_object(Bucket="uploads", Key=f"{size}/{number}")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            s3.put_object(Bucket="uploads", Key=f"{size}/9999", Body=body(9999, size))
            break
        except botocore.exceptions.ClientError as refusal:
            assert refusal.response["Error"]["Code"] == "InsufficientStorage"
            assert time.monotonic() < deadline, hangar.said()
            time.sleep(0.2)
    assert_whole(s3, size, [*kept, 9999])
    assert hangar.stop() == 0
    hangar.start()
    assert_whole(s3_client(hangar), size, [*kept, 9999])
    assert hangar.stop() == 0
    assert "panicked" not in hangar.said()


def fill(path, leave):
    """Writes a file until so many bytes are left on its disk, as another program may."""
    with open(path, "wb", buffering=0) as filler:
        for size in (1 << 20, 4096):
            while shutil.disk_usage(path.parent).free - leave >= size:
                filler.write(bytes(size))


def states(hangar):
    """What each health address answers."""
    paths = ("/-/health/live", "/-/health/ready", "/minio/health/live", "/minio/health/ready", "/minio/health/cluster", "/minio/health/cluster/read")
    return {path: hangar.request("GET", path).status_code for path in paths}


def wait_for_readiness(hangar, status, word):
    """Waits for this status with this word in what is warned of, and answers the body."""
    answer = None

    def is_so():
        nonlocal answer
        answer = hangar.request("GET", "/-/health/ready")
        return answer.status_code == status and any(word in warning for warning in answer.json()["warnings"] or [""])

    wait_until(is_so, hangar.process, lambda: f"{answer.status_code} {answer.text}\n{hangar.said()}")
    return answer.json()


def test_a_disk_that_fills_up_is_warned_of_before_uploads_are_refused(small_disk, tmp_path):
    settings = {"HANGAR_DATA_DIR": small_disk / "data", "HANGAR_MIN_FREE": "8MiB"}
    hangar = Hangar(tmp_path / "server", settings).start()
    s3, filler = s3_client(hangar), small_disk / "filler"
    s3.put_object(Bucket="uploads", Key="before", Body=b"x")
    assert hangar.request("GET", "/-/health/ready").json() == {"status": "ready", "warnings": []}

    fill(filler, 12 << 20)
    told = wait_for_readiness(hangar, 200, "the disk is nearly full")
    assert told["status"] == "ready"
    s3.put_object(Bucket="uploads", Key="taken", Body=b"x")
    beside = run("gc", "--dry-run", "--data-dir", small_disk / "data", HANGAR_MIN_FREE="8MiB")
    assert "MiB are free on the disk; below 8 MiB (HANGAR_MIN_FREE) uploads are refused" in beside.stderr

    fill(filler, 4 << 20)
    told = wait_for_readiness(hangar, 503, "uploads are refused")
    assert told["status"] == "failed"
    assert told["reason"] == "less than 8 MiB are free on the disk: uploads are refused, deletes are not"
    assert states(hangar) == {
        "/-/health/live": 200, "/-/health/ready": 503, "/minio/health/live": 200,
        "/minio/health/ready": 503, "/minio/health/cluster": 503, "/minio/health/cluster/read": 200,
    }
    with pytest.raises(botocore.exceptions.ClientError, match="InsufficientStorage"):
        s3.put_object(Bucket="uploads", Key="refused", Body=b"x")
    assert s3.get_object(Bucket="uploads", Key="taken")["Body"].read() == b"x"

    filler.unlink()
    wait_for_readiness(hangar, 200, "")
    assert set(states(hangar).values()) == {200}
    s3.put_object(Bucket="uploads", Key="again", Body=b"x")
    assert hangar.stop() == 0
    # An upload that the server's own disk does not take is no fault of the program's.
    assert "ERROR" not in hangar.said()


def test_a_disk_that_another_program_filled_is_not_ready_even_before_an_upload_fails(small_disk, tmp_path):
    settings = {"HANGAR_DATA_DIR": small_disk / "data", "HANGAR_MIN_FREE": "0"}
    hangar = Hangar(tmp_path / "server", settings).start()
    s3, filler = s3_client(hangar), small_disk / "filler"
    fill(filler, 0)
    wait_for_readiness(hangar, 503, "the disk is full")
    with pytest.raises(botocore.exceptions.ClientError, match="InsufficientStorage"):
        s3.put_object(Bucket="uploads", Key="refused", Body=b"x" * 100_000)
    # The reserve is gone now, and is made again by itself once there is room.
    wait_for_readiness(hangar, 503, "the disk is full")
    wait_until(lambda: "the disk is full, or a quota is" in hangar.said(), hangar.process, hangar.said)
    filler.unlink()
    wait_for_readiness(hangar, 200, "")
    s3.put_object(Bucket="uploads", Key="taken", Body=b"x")
    assert hangar.stop() == 0


def test_a_server_starts_on_a_full_disk(small_disk):
    hangar = Hangar(small_disk, {"HANGAR_GRACE": "1s", "HANGAR_MIN_FREE": "0"}).start()
    s3 = s3_client(hangar)
    taken = put_until_full(s3, 100 * 1024, 0)
    hangar.process.kill()
    hangar.process.wait()
    with open(small_disk / "filler", "wb", buffering=0) as filler:
        while True:
            try:
                filler.write(bytes(4096))
            except OSError:
                break
    (small_disk / "filler").unlink()
    hangar.start()
    assert_whole(s3_client(hangar), 100 * 1024, taken)
    assert hangar.stop() == 0


@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_a_server_starts_on_a_disk_without_a_free_byte(small_disk, tmp_path, ends):
    """What the start needs comes from the reserve."""
    settings = {"HANGAR_DATA_DIR": small_disk / "data", "HANGAR_MIN_FREE": "0"}
    hangar = Hangar(tmp_path / "server", settings).start()
    for number in range(3):
        s3_client(hangar).put_object(Bucket="uploads", Key=f"1000/{number}", Body=body(number, 1000))
    getattr(hangar, ends)()
    with open(small_disk / "filler", "wb", buffering=0) as filler:
        for size in (1 << 20, 4096, 1):
            try:
                while filler.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
    hangar.start()
    assert_whole(s3_client(hangar), 1000, range(3))
    s3_client(hangar).delete_object(Bucket="uploads", Key="1000/0")
    assert_whole(s3_client(hangar), 1000, [1, 2])
    assert hangar.stop() == 0


def test_gc_reports_and_frees_beside_a_server_and_without_one(start_hangar):
    hangar = start_hangar(HANGAR_GRACE="1h")
    s3 = s3_client(hangar)
    for number in range(3):
        s3.put_object(Bucket="uploads", Key=f"{number}", Body=body(number, 1024 * 1024))
    for number in range(2):
        s3.delete_object(Bucket="uploads", Key=f"{number}")

    def gc(*arguments):
        done = run("gc", "--data-dir", hangar.data, "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    beside = gc()
    assert beside["by_age"] is False
    assert beside["freed"]["bodies"] == 0
    assert beside["freed"]["waiting"] == 2
    assert hangar.stop() == 0
    told = gc("--dry-run")
    assert told["dry_run"] is True
    assert (told["freed"]["bodies"], told["freed"]["bytes"]) == (2, 2 * 1024 * 1024)
    blobs = hangar.data / "@hangar" / "blobs"
    assert len(list(blobs.iterdir())) == 3
    assert gc()["freed"]["bodies"] == 2
    assert len(list(blobs.iterdir())) == 1
    assert gc()["freed"] == dict.fromkeys(gc()["freed"], 0)
    said = run("gc", "--data-dir", hangar.data)
    assert said.stdout.startswith("Deleted:")
    hangar.start()
    assert s3_client(hangar).get_object(Bucket="uploads", Key="2")["Body"].read() == body(2, 1024 * 1024)
