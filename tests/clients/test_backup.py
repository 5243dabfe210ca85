"""Everything copied to another folder while a server runs, and put back."""

import json
import shutil

import pytest

from bodies import IN_A_BLOB, IN_THE_LOG
from clients import s3_client
from server import Hangar, flip, run



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
    s3_client(filled).put_object(Bucket="uploads", Key="later", Body=IN_THE_LOG)
    assert filled.stop() == 0
    restore(tmp_path / "backup", tmp_path / "restored")
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["large", "small"], "as at the moment of the backup"
        assert (body(again, "large"), body(again, "small")) == (IN_A_BLOB, IN_THE_LOG)
        assert again.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == 200
    finally:
        assert again.stop() == 0, again.said()


def test_the_next_backup_copies_new_bodies_and_drops_deleted_ones(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    s3 = s3_client(filled)
    s3.put_object(Bucket="uploads", Key="larger", Body=IN_A_BLOB + IN_A_BLOB)
    second = backup(filled, tmp_path / "backup")
    assert (second["blobs"], second["kept"], second["removed"]) == (1, 1, 0)
    assert second["bytes"] < 2 * len(IN_A_BLOB) + 100_000
    s3.delete_object(Bucket="uploads", Key="larger")
    assert filled.stop() == 0
    assert run("gc", "--data-dir", filled.data).returncode == 0
    third = backup(filled, tmp_path / "backup")
    assert (third["blobs"], third["kept"], third["removed"]) == (0, 1, 1)
    restore(tmp_path / "backup", tmp_path / "restored")
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["large", "small"]
        assert body(again, "large") == IN_A_BLOB
    finally:
        assert again.stop() == 0
    filled.start()


def test_nothing_of_a_backup_is_linked_to_the_folder(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    files = [path for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert files and all(path.stat().st_nlink == 1 and path.stat().st_mode & 0o077 == 0 for path in files)


def test_an_interrupted_backup_can_be_continued_and_is_no_backup_until_then(filled, tmp_path):
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
    assert refused.returncode == 1 and "no complete backup" in refused.stderr
    assert not (tmp_path / "no").exists()
    (cut / "@hangar/backing-up").touch()
    backup(filled, cut)
    restore(cut, tmp_path / "restored")


def test_a_backup_names_damaged_bodies_and_copies_the_rest(filled, tmp_path):
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
        assert body(again, "small") == IN_THE_LOG
        assert run("fsck", "--data-dir", again.data).returncode == 0
    finally:
        assert again.stop() == 0


def test_a_backup_stays_where_the_log_has_rotted_since(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    s3_client(filled).put_object(Bucket="uploads", Key="damaged", Body=IN_THE_LOG)
    s3_client(filled).put_object(Bucket="uploads", Key="after it", Body=IN_A_BLOB)
    segment = filled.data / "@hangar/log/00000000000000000001.log"
    flip(segment, segment.read_bytes().index(b"damaged"))
    for _ in range(2):
        done = filled.command_line("backup", tmp_path / "backup")
        assert done.returncode == 1 and "stays the backup that it was" in done.stderr
    restore(tmp_path / "backup", tmp_path / "restored")
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["large", "small"]
        assert body(again, "large") == IN_A_BLOB and body(again, "small") == IN_THE_LOG
    finally:
        assert again.stop() == 0


@pytest.mark.parametrize("place", ["data folder", "another backup", "itself", "in itself"])
def test_a_backup_into_a_folder_with_other_files_is_refused(filled, start_hangar, tmp_path, place):
    other = start_hangar()
    to = other.data if place == "data folder" else filled.data
    if place == "in itself":
        to = filled.data / "@hangar/blobs/new"
    if place == "another backup":
        to = tmp_path / "backup"
        backup(other, to)
        before = sorted(to.rglob("*"))
    refused = run("backup", to, "--data-dir", filled.data)
    assert refused.returncode == 1 and "name a folder of its own" in refused.stderr
    if place == "another backup":
        assert sorted(to.rglob("*")) == before
    assert "Traceback" not in refused.stderr


def test_a_folder_that_holds_data_is_not_restored_over(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    refused = run("restore", tmp_path / "backup", "--data-dir", filled.data)
    assert refused.returncode == 1 and "holds data already" in refused.stderr


def test_an_interrupted_restore_starts_no_server_and_can_be_continued(filled, tmp_path):
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
    assert (body(filled, "large"), body(filled, "small")) == (IN_A_BLOB, IN_THE_LOG)


def everything(folder):
    """Each file and folder, with its bytes and the times that change with them."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }


def test_a_command_that_only_reads_changes_nothing_in_a_backup_and_the_next_backup_succeeds(filled, tmp_path):
    backup(filled, tmp_path / "backup")
    before = everything(tmp_path / "backup")
    checked = run("fsck", "--data-dir", tmp_path / "backup", "--json")
    assert checked.returncode == 0, checked.stderr
    told = json.loads(checked.stdout)
    assert (told["objects"], told["damages"]) == (2, 0)
    for command in (["fsck", "--repair"], ["token", "list"], ["gc", "--dry-run"], ["rebuild"], ["serve", "--listen", "127.0.0.1:0"]):
        refused = run(*command, "--data-dir", tmp_path / "backup")
        assert refused.returncode == 1 and "holds a backup" in refused.stderr, command
    assert everything(tmp_path / "backup") == before
    assert backup(filled, tmp_path / "backup")["kept"] == 1


def test_rotted_files_of_a_backup_are_found_and_copied_again_by_the_next_backup(filled, tmp_path):
    to = tmp_path / "backup"
    s3_client(filled).put_object(Bucket="uploads", Key="empty", Body=b"")
    backup(filled, to)
    (blob,) = (to / "@hangar/blobs").iterdir()
    (log,) = (to / "@hangar/log").iterdir()
    flip(blob, 2_000_000)
    flip(log, log.read_bytes().index(IN_THE_LOG) + 5)
    checked = run("fsck", "--data-dir", to, "--json")
    assert checked.returncode == 1 and json.loads(checked.stdout)["damages"] == 2
    quick = json.loads(run("backup", to, "--quick", "--data-dir", filled.data, "--json").stdout)
    assert (quick["renewed"], quick["kept"]) == (0, 1) and quick["unverified"] >= 2, "it says what it did not read"
    again = backup(filled, to)
    assert (again["renewed"], again["damages"], again["unverified"]) == (2, 0, 0)
    assert run("fsck", "--data-dir", to).returncode == 0
    # A record's head, which no body has.
    flip(log, log.read_bytes().index(b'"small"') + 2)
    assert run("fsck", "--data-dir", to).returncode == 1
    assert backup(filled, to)["renewed"] == 1
    restore(to, tmp_path / "restored")


@pytest.mark.parametrize("ended", ["stopped", "killed"])
def test_a_plain_copy_is_restored_up_to_where_its_log_ends(filled, tmp_path, ended):
    filled.stop()
    filled.start()
    s3 = s3_client(filled)
    s3.put_object(Bucket="uploads", Key="after the snapshot", Body=IN_THE_LOG)
    s3.put_object(Bucket="uploads", Key="large after the snapshot", Body=IN_A_BLOB[::-1])
    s3.delete_object(Bucket="uploads", Key="small")
    if ended == "killed":
        filled.kill()
    else:
        assert filled.stop() == 0
    shutil.copytree(filled.data, tmp_path / "copy")
    before = everything(tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "restored")
    assert everything(tmp_path / "copy") == before
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["after the snapshot", "large", "large after the snapshot"]
        assert body(again, "large after the snapshot") == IN_A_BLOB[::-1]
        assert body(again, "after the snapshot") == IN_THE_LOG
    finally:
        assert again.stop() == 0
    filled.start()


def test_a_copy_whose_log_is_damaged_is_not_restored_in_part(filled, tmp_path):
    assert filled.stop() == 0
    shutil.copytree(filled.data, tmp_path / "copy")
    (log,) = (tmp_path / "copy/@hangar/log").iterdir()
    flip(log, log.read_bytes().index(b'"large"') + 2)
    refused = run("restore", tmp_path / "copy", "--data-dir", tmp_path / "restored/data")
    assert refused.returncode == 1 and "is damaged" in refused.stderr
    assert not (tmp_path / "restored").exists()
    filled.start()


def test_a_backup_that_was_cut_off_after_another_is_restored_as_the_other(filled, tmp_path):
    to = tmp_path / "backup"
    backup(filled, to)
    s3_client(filled).put_object(Bucket="uploads", Key="later", Body=IN_THE_LOG)
    (source,), (log,) = (list((folder / "@hangar/log").iterdir()) for folder in (filled.data, to))
    log.write_bytes(source.read_bytes())
    (to / "@hangar/backing-up").touch()
    restore(to, tmp_path / "restored")
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["large", "small"]
    finally:
        assert again.stop() == 0


@pytest.mark.parametrize("part", ["log", "blobs", "a segment", "a blob", "the snapshot", "keys"])
def test_a_link_in_a_backup_leads_nowhere(filled, tmp_path, part):
    to = tmp_path / "backup"
    backup(filled, to)
    home = to / "@hangar"
    path = {
        "a segment": next((home / "log").iterdir()),
        "a blob": next((home / "blobs").iterdir()),
        "the snapshot": next(home.glob("snapshot-*.db")),
    }.get(part, home / part)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    done = run("restore", to, "--data-dir", tmp_path / "restored/data")
    assert done.returncode == 1, done.stdout
    found = [path for path in (tmp_path / "restored").rglob("*") if path.is_symlink()]
    assert not found
    if part == "a blob":
        assert "cannot be read" in done.stdout
    else:
        assert not (tmp_path / "restored/data/@hangar/hangar.db").exists()


def test_a_restore_continues_over_the_files_of_an_interrupted_one(filled, start_hangar, tmp_path):
    other = start_hangar()
    for at in range(20):
        s3_client(other).put_object(Bucket="uploads", Key=f"other {at}", Body=IN_THE_LOG)
    backup(other, tmp_path / "other")
    backup(filled, tmp_path / "backup")
    # As the restore of another backup stands that was cut off before its end.
    shutil.copytree(tmp_path / "other", tmp_path / "restored/data")
    home = tmp_path / "restored/data/@hangar"
    (home / "backup").unlink()
    (home / "restoring").touch()
    restore(tmp_path / "backup", tmp_path / "restored")
    again = restored(filled, tmp_path / "restored")
    try:
        assert keys(again) == ["large", "small"]
    finally:
        assert again.stop() == 0
