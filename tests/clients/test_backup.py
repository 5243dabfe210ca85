"""Everything copied to another folder while a server runs, and put back."""

import json
import shutil

import pytest

import pictures
from clients import s3_client
from server import Hangar, run

LARGE = pictures.filled(3_000_000, "large")
SMALL = pictures.filled(20_000, "small")


@pytest.fixture
def filled(start_hangar):
    hangar = start_hangar(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    keys = json.loads((hangar.data / "@hangar/keys").read_text())
    hangar.access_key, hangar.secret_key = keys["access_key_id"], keys["secret_access_key"]
    s3 = s3_client(hangar)
    s3.put_object(Bucket="uploads", Key="large", Body=LARGE)
    s3.put_object(Bucket="uploads", Key="small", Body=SMALL)
    return hangar


def backup(hangar, to, code=0):
    done = run("backup", to, "--data-dir", hangar.data, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def restore(source, folder):
    done = run("restore", source, "--data-dir", folder / "data", "--json")
    assert done.returncode == 0, done.stderr
    checked = run("fsck", "--data-dir", folder / "data", "--json")
    assert checked.returncode == 0, checked.stdout
    return json.loads(done.stdout)


def restored(hangar, folder):
    """A server over a restored folder, which has the keys of the one that was backed up."""
    again = Hangar(folder, {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})
    again.access_key, again.secret_key = hangar.access_key, hangar.secret_key
    return again.start()


def body(server, key):
    return s3_client(server).get_object(Bucket="uploads", Key=key)["Body"].read()


def keys(server):
    return [found["Key"] for found in s3_client(server).list_objects_v2(Bucket="uploads").get("Contents", [])]


def test_a_backup_of_a_running_server_is_put_back_with_its_tokens_and_keys(filled, tmp_path):
    token = filled.make_token()["token"]
    first = backup(filled, tmp_path / "backup")
    assert (first["blobs"], first["kept"], first["damages"]) == (1, 0, 0)
    s3_client(filled).put_object(Bucket="uploads", Key="later", Body=SMALL)
    assert filled.stop() == 0
    restore(tmp_path / "backup", tmp_path / "restored")
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["large", "small"], "as at the moment of the backup"
        assert (body(again, "large"), body(again, "small")) == (LARGE, SMALL)
        assert again.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == 200
    finally:
        assert again.stop() == 0, again.said()


def test_the_next_backup_copies_what_is_new_and_drops_what_is_gone(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    s3 = s3_client(filled)
    s3.put_object(Bucket="uploads", Key="larger", Body=LARGE + LARGE)
    second = backup(filled, tmp_path / "backup")
    assert (second["blobs"], second["kept"], second["removed"]) == (1, 1, 0)
    assert second["bytes"] < 2 * len(LARGE) + 100_000
    s3.delete_object(Bucket="uploads", Key="larger")
    assert filled.stop() == 0
    assert run("gc", "--data-dir", filled.data).returncode == 0
    third = backup(filled, tmp_path / "backup")
    assert (third["blobs"], third["kept"], third["removed"]) == (0, 1, 1)
    restore(tmp_path / "backup", tmp_path / "restored")
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["large", "small"]
        assert body(again, "large") == LARGE
    finally:
        assert again.stop() == 0
    filled.start()


def test_nothing_of_a_backup_is_linked_to_the_folder(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    files = [path for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert files and all(path.stat().st_nlink == 1 and path.stat().st_mode & 0o077 == 0 for path in files)


def test_a_backup_that_was_cut_off_goes_on_and_is_none_until_then(filled, tmp_path):
    whole = tmp_path / "backup"
    backup(filled, whole)
    cut = tmp_path / "cut"
    shutil.copytree(whole, cut)
    # As a backup stands that was cut off before its end: no snapshot, half of a file, half of the log.
    for snapshot in (cut / "@hangar").glob("snapshot-*.db"):
        snapshot.unlink()
    (blob,) = (cut / "@hangar/blobs").iterdir()
    blob.rename(blob.with_suffix(".new"))
    (log,) = (cut / "@hangar/log").iterdir()
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    refused = run("restore", cut, "--data-dir", tmp_path / "no/data")
    assert refused.returncode == 1 and "no backup that is whole" in refused.stderr
    assert not (tmp_path / "no").exists()
    backup(filled, cut)
    restore(cut, tmp_path / "restored")


def test_what_is_damaged_is_named_and_the_rest_is_backed_up(filled, tmp_path):
    (blob,) = (filled.data / "@hangar/blobs").iterdir()
    damaged = bytearray(blob.read_bytes())
    damaged[2_000_000] ^= 1
    blob.write_bytes(damaged)
    copies = backup(filled, tmp_path / "backup", code=1)
    (finding,) = copies["findings"]
    assert (finding["damage"], finding["hurts"]) == ("changed", ["uploads/large"])
    restored_with_damage = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "restored/data")
    assert restored_with_damage.returncode == 1
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["small"], "what has no bytes is not there"
        assert body(again, "small") == SMALL
        assert run("fsck", "--data-dir", again.data).returncode == 0
    finally:
        assert again.stop() == 0


@pytest.mark.parametrize("place", ["data folder", "another backup", "itself"])
def test_a_folder_that_holds_something_else_is_no_place_for_a_backup(filled, start_hangar, tmp_path, place):
    other = start_hangar()
    to = other.data if place == "data folder" else filled.data
    if place == "another backup":
        to = tmp_path / "backup"
        backup(other, to)
    refused = run("backup", to, "--data-dir", filled.data)
    assert refused.returncode == 1 and "name a folder of its own" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_folder_that_holds_data_is_not_restored_over(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    refused = run("restore", tmp_path / "backup", "--data-dir", filled.data)
    assert refused.returncode == 1 and "holds data already" in refused.stderr


def test_a_restore_that_was_cut_off_starts_no_server_and_goes_on(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    home = tmp_path / "restored/data/@hangar"
    home.mkdir(parents=True)
    (home / "restoring").touch()
    refused = run("serve", "--data-dir", tmp_path / "restored/data", "--listen", "127.0.0.1:0")
    assert refused.returncode == 1 and "was cut off" in refused.stderr
    restore(tmp_path / "backup", tmp_path / "restored")


def test_a_database_is_made_again_from_a_snapshot_or_from_the_log_alone(filled):
    refused = run("rebuild", "--data-dir", filled.data)
    assert refused.returncode == 1 and "stop it" in refused.stderr
    assert filled.stop() == 0
    for arguments, from_snapshot in ((), True), (("--from-log",), False):
        done = run("rebuild", *arguments, "--data-dir", filled.data, "--json")
        assert done.returncode == 0, done.stderr
        assert (json.loads(done.stdout)["snapshot"] is not None) == from_snapshot
        assert run("fsck", "--data-dir", filled.data).returncode == 0
    filled.start()
    assert (body(filled, "large"), body(filled, "small")) == (LARGE, SMALL)
