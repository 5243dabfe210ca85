"""Damage of every kind, made by hand, and found by `hangar fsck`."""

import json

import botocore.exceptions
import pytest

from clients import s3_client
from server import flip, run

LARGE = bytes(range(256)) * 4096 * 3
SMALL = b"a small body, in the log" * 1000


@pytest.fixture
def filled(start_hangar):
    hangar = start_hangar()
    s3 = s3_client(hangar)
    s3.put_object(Bucket="uploads", Key="large", Body=LARGE)
    s3.put_object(Bucket="uploads", Key="small", Body=SMALL)
    s3.put_object(Bucket="uploads", Key="gone", Body=SMALL)
    s3.copy_object(Bucket="uploads", Key="copy", CopySource="uploads/large")
    s3.delete_object(Bucket="uploads", Key="gone")
    return hangar


def fsck(hangar, *arguments):
    done = run("fsck", *arguments, "--data-dir", hangar.data, "--json")
    checked = json.loads(done.stdout)
    assert done.returncode == (1 if checked["damages"] else 0), done.stderr
    assert len(checked["findings"]) == checked["damages"]
    return checked


def read_is_refused(hangar):
    """The code of the error that a read of the large object gets."""
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        s3_client(hangar).get_object(Bucket="uploads", Key="large")
    return refused.value.response["Error"]["Code"]


def blob(hangar):
    (path,) = (hangar.data / "@hangar" / "blobs").iterdir()
    return path


def log(hangar):
    (path,) = (hangar.data / "@hangar" / "log").iterdir()
    return path


def test_an_undamaged_folder_is_reported_so_beside_a_server_and_without_one(filled):
    beside = fsck(filled)
    assert filled.stop() == 0
    assert fsck(filled) == beside
    assert beside["damages"] == 0
    assert (beside["objects"], beside["bodies"], beside["bytes"]) == (3, 3, len(LARGE) + 2 * len(SMALL))
    filled.start()


@pytest.mark.parametrize("at", [0, len(LARGE) // 2, len(LARGE) - 1])
def test_a_flipped_byte_of_a_blob_is_found_and_named(filled, at):
    flip(blob(filled), at)
    (finding,) = fsck(filled)["findings"]
    assert finding["damage"] == "changed"
    assert finding["file"] == f"blobs/{blob(filled).name}"
    assert finding["offset"] == at - at % (1 << 20)
    assert sorted(finding["hurts"]) == ["uploads/copy", "uploads/large"]
    if at < 1 << 20:
        assert read_is_refused(filled) == "InternalError"
    else:
        # What is whole before the damage was sent already.
        got = s3_client(filled).get_object(Bucket="uploads", Key="large")
        with pytest.raises(botocore.exceptions.ResponseStreamingError):
            got["Body"].read()


def test_a_missing_and_a_truncated_blob_are_found(filled):
    path = blob(filled)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    (finding,) = fsck(filled)["findings"]
    assert finding["damage"] == "truncated"
    path.unlink()
    (finding,) = fsck(filled)["findings"]
    assert finding["damage"] == "missing"
    assert read_is_refused(filled) == "InternalError"
    path.write_bytes(whole)
    assert fsck(filled)["damages"] == 0


def test_a_flipped_byte_of_a_body_in_the_log_is_found(filled):
    at = log(filled).read_bytes().index(SMALL)
    flip(log(filled), at + 100)
    (finding,) = fsck(filled)["findings"]
    assert (finding["damage"], finding["offset"], finding["hurts"]) == ("changed", at, ["uploads/small"])


def test_a_flipped_byte_of_a_record_is_found_and_the_server_keeps_running(filled):
    at = log(filled).read_bytes().index(b'"small"')
    flip(log(filled), at + 2)
    (finding,) = fsck(filled)["findings"]
    assert finding["damage"] == "record"
    assert s3_client(filled).get_object(Bucket="uploads", Key="small")["Body"].read() == SMALL
    # Its start would stop at it, and be right to, were the index not past it.
    assert filled.stop() == 0
    filled.start()


def test_a_leftover_file_is_counted_and_is_not_damage(filled):
    (blob(filled).parent / ("0" * 32)).write_bytes(b"cut off")
    checked = fsck(filled)
    assert (checked["left_over"], checked["damages"]) == (1, 0)


@pytest.mark.parametrize("harm", ["flipped", "missing", "truncated"])
def test_a_damaged_blob_is_made_whole_by_another_object_of_the_same_bytes(filled, harm):
    before = blob(filled)
    s3_client(filled).put_object(Bucket="uploads", Key="twin", Body=LARGE)
    if harm == "flipped":
        flip(before, len(LARGE) // 2)
    elif harm == "missing":
        before.unlink()
    else:
        before.write_bytes(LARGE[:-1])
    assert fsck(filled)["damages"] == 1
    repaired = fsck(filled, "--repair")
    assert (repaired["mended"], repaired["damages"]) == (1, 0)
    assert fsck(filled)["damages"] == 0
    assert s3_client(filled).get_object(Bucket="uploads", Key="large")["Body"].read() == LARGE


def test_damage_without_another_copy_is_repaired_from_a_backup_or_left_as_it_is(filled, tmp_path):
    assert run("backup", tmp_path / "backup", "--data-dir", filled.data).returncode == 0
    s3 = s3_client(filled)
    s3.put_object(Bucket="uploads", Key="later", Body=LARGE[::-1])
    # Both records of these bytes.
    first = log(filled).read_bytes().index(SMALL)
    second = log(filled).read_bytes().index(SMALL, first + len(SMALL))
    for at in (first, second):
        flip(log(filled), at + 5)
    for path in (filled.data / "@hangar/blobs").iterdir():
        flip(path, 7)
    alone = fsck(filled, "--repair")
    assert (alone["mended"], alone["damages"]) == (0, 4)
    repaired = fsck(filled, "--repair", "--from", tmp_path / "backup")
    assert (repaired["mended"], repaired["damages"]) == (3, 1)
    (finding,) = repaired["findings"]
    assert finding["hurts"] == ["uploads/later"]
    assert s3.get_object(Bucket="uploads", Key="small")["Body"].read() == SMALL
    assert s3.get_object(Bucket="uploads", Key="large")["Body"].read() == LARGE
