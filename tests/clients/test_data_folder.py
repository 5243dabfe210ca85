"""What commands do to folders: looking changes nothing, none is made by the way, and what root makes belongs to the folder's owner."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time

import pytest

from bodies import IN_A_BLOB, IN_THE_LOG
from clients import s3_client
from commands import CHANGING, LOOKING, OTHER_USER, PROJECT, as_other_user, name
from server import Hangar, bare_environment, binary, flip, run

def everything(folder):
    """Each file and folder: what it is, whose, its times, and its bytes."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        stat = path.lstat()
        about = (stat.st_ino, stat.st_mode, stat.st_uid, stat.st_gid, stat.st_nlink, stat.st_mtime_ns, stat.st_ctime_ns)
        found[str(path.relative_to(folder))] = (about, path.read_bytes() if path.is_file() else None)
    return found


@pytest.fixture
def filled(filled):
    """With a token, an access key, a workspace and an anchor too."""
    hangar = filled
    for command in (
        ["token", "create", "--user", "ada@example.com"],
        ["access-key", "create", "--name", "backup"],
        ["workspace", "create", "acme", "--member", "ada@example.com:admin"],
        ["anchor", "create", "--workspace", "acme", "--project", PROJECT],
    ):
        assert hangar.command_line(*command).returncode == 0
    return hangar


def look(data, settings=None):
    """What each command that looks says about a folder, after it was seen to change nothing there."""
    said = {}
    for command in LOOKING:
        before = everything(data)
        done = run(*command, "--json", **(settings or {}) | {"HANGAR_DATA_DIR": data})
        assert everything(data) == before, name(command)
        assert done.returncode == 0, f"{name(command)}: {done.stderr}"
        said[name(command)] = json.loads(done.stdout)
        assert said[name(command)].pop("data_dir") == str(data)
        text = run(*command, HANGAR_DATA_DIR=data)
        assert text.returncode == 0 and str(data) in text.stderr
        assert everything(data) == before, name(command)
    said["gc --dry-run"].pop("by_age")
    return said


# Looking


def test_a_command_that_only_reads_changes_nothing_in_a_stopped_folder_and_reports_what_the_server_reports(filled):
    beside = {}
    for command in LOOKING:
        beside[name(command)] = json.loads(filled.command_line(*command, "--json").stdout)
        assert beside[name(command)].pop("data_dir") == str(filled.data)
    assert filled.stop() == 0
    alone = look(filled.data)
    for command in LOOKING:
        if command[0] not in ("gc", "fsck"):
            assert alone[name(command)] == beside[name(command)]
    assert alone["fsck"]["objects"] == beside["fsck"]["objects"] == 2
    assert len(alone["token list"]["tokens"]) == 2
    filled.start()
    assert s3_client(filled).get_object(Bucket="uploads", Key="large")["Body"].read() == IN_A_BLOB
    assert "made again" not in filled.said()


@pytest.mark.parametrize("state", ["killed", "copied", "copied while it ran", "without its database", "without blobs"])
def test_a_command_that_only_reads_changes_nothing_in_any_other_folder_and_reports_the_same(filled, tmp_path, state):
    s3 = s3_client(filled)
    if state == "without blobs":
        s3.delete_object(Bucket="uploads", Key="large")
        assert filled.stop() == 0
        assert run("gc", "--data-dir", filled.data).returncode == 0
        filled.start()
    assert filled.stop() == 0
    filled.start()
    # A record that no snapshot has.
    s3_client(filled).put_object(Bucket="uploads", Key="after the snapshot", Body=IN_THE_LOG)
    tokens = json.loads(filled.command_line("token", "list", "--json").stdout)["tokens"]
    data = filled.data
    if state == "copied while it ran":
        data = tmp_path / "copy"
        shutil.copytree(filled.data, data)
    filled.kill()
    if state == "copied":
        data = tmp_path / "copy"
        shutil.copytree(filled.data, data)
    if state == "without its database":
        for path in (data / "@hangar").glob("hangar.db*"):
            path.unlink()
    if state == "without blobs":
        (data / "@hangar/blobs").rmdir()
    said = look(data)
    assert said["token list"]["tokens"] == tokens
    assert said["fsck"]["objects"] == (2 if state == "without blobs" else 3)
    assert said["fsck"]["damages"] == 0
    assert [row["slug"] for row in said["workspace list"]["workspaces"]] == ["acme"]
    if data == filled.data:
        filled.start()
        assert s3_client(filled).get_object(Bucket="uploads", Key="after the snapshot")["Body"].read() == IN_THE_LOG
    else:
        again = Hangar(tmp_path / "again", {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})
        again.data.parent.mkdir(exist_ok=True)
        shutil.copytree(data, again.data)
        again.access_key, again.secret_key = filled.access_key, filled.secret_key
        again.start()
        assert s3_client(again).get_object(Bucket="uploads", Key="large")["Body"].read() == IN_A_BLOB
        assert again.stop() == 0


def test_a_command_that_only_reads_reports_what_the_next_start_reports_or_names_its_source(filled, tmp_path):
    assert filled.stop() == 0
    assert run("backup", tmp_path / "backup", "--data-dir", filled.data).returncode == 0
    shutil.rmtree(filled.data)
    assert run("restore", tmp_path / "backup", "--data-dir", filled.data).returncode == 0
    filled.start()
    s3 = s3_client(filled)
    for key in ("damaged", "after it"):
        s3.put_object(Bucket="uploads", Key=key, Body=IN_THE_LOG)
    filled.kill()
    # A record that the index knows already: the start does not read it.
    segment = filled.data / "@hangar/log/00000000000000000001.log"
    flip(segment, segment.read_bytes().index(b"damaged"))
    for command in (["fsck"], ["token", "list"]):
        done = run(*command, "--data-dir", filled.data)
        assert done.returncode == 1 and done.stdout == ""
        assert "this look went by the log alone" in done.stderr
    filled.start()
    found = json.loads(filled.command_line("fsck", "--json").stdout)
    assert (found["objects"], found["damages"]) == (4, 1)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_only_reads_leaves_nothing_when_it_is_stopped(filled, tmp_path, by):
    filled.kill()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    settings = bare_environment(HANGAR_DATA_DIR=filled.data, TMPDIR=temporary)
    look = subprocess.Popen([binary(), "fsck"], env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while look.poll() is None and not any(temporary.iterdir()):
        time.sleep(0.0005)
    modes = [oct(path.stat().st_mode & 0o777) for path in temporary.iterdir()]
    look.send_signal(by)
    said = look.communicate(timeout=20)[1]
    assert not any(temporary.iterdir())
    # It may have been done already.
    assert look.returncode == 0 or f"stopped by {by.name}" in said
    assert set(modes) <= {"0o700"}
    assert modes or look.returncode == 0, "the command was stopped before it made anything"


def test_a_command_that_only_reads_changes_nothing_in_a_backup_and_the_next_backup_succeeds(filled, tmp_path):
    to = tmp_path / "backup"
    assert run("backup", to, "--data-dir", filled.data).returncode == 0
    before = everything(to)
    assert run("fsck", "--data-dir", to).returncode == 0
    for command in LOOKING[1:] + CHANGING:
        refused = run(*command, HANGAR_DATA_DIR=to)
        assert refused.returncode == 1 and f"{to} holds a backup" in refused.stderr, f"{name(command)}: {refused.stderr}"
    assert everything(to) == before
    assert run("backup", to, "--data-dir", filled.data).returncode == 0
    assert not (tmp_path / "BACKUP").exists()


@pytest.mark.parametrize("part", ["hangar.db", "snapshot"])
def test_fsck_finds_a_damaged_index_of_a_stopped_folder_and_leaves_it_to_the_next_start(filled, part):
    assert filled.stop() == 0
    home = filled.data / "@hangar"
    path = home / "hangar.db" if part == "hangar.db" else max(home.glob("snapshot-*.db"))
    flip(path, path.stat().st_size // 2)
    before = everything(filled.data)
    for _ in range(2):
        found = run("fsck", "--data-dir", filled.data)
        assert found.returncode == 1 and path.name in found.stdout
        assert "the next start of the server rebuilds it" in found.stderr
    for command in LOOKING[1:]:
        assert run(*command, "--data-dir", filled.data).returncode == 0, name(command)
    assert everything(filled.data) == before
    assert run("fsck", "--repair", "--data-dir", filled.data).returncode == 0
    assert run("fsck", "--data-dir", filled.data).returncode == 0
    filled.start()


def test_fsck_of_a_backup_with_a_damaged_snapshot_says_how_to_repair_it(filled, tmp_path):
    to = tmp_path / "backup"
    assert run("backup", to, "--data-dir", filled.data).returncode == 0
    (snapshot,) = (to / "@hangar").glob("snapshot-*.db")
    whole = snapshot.read_bytes()
    # A page in the middle, and what makes it a database at all.
    for at in (len(whole) // 2, 0, 30):
        snapshot.write_bytes(whole)
        flip(snapshot, at)
        before = everything(to)
        found = run("fsck", "--data-dir", to, "--json")
        checked = json.loads(found.stdout)
        assert (found.returncode, checked["damages"], checked["objects"]) == (1, 1, 2), checked
        assert checked["findings"][0]["file"] == snapshot.name
        assert "the next `hangar backup` to this folder replaces the snapshot" in found.stderr
        assert "by itself" not in found.stderr
        assert everything(to) == before
        s3_client(filled).put_object(Bucket="uploads", Key=f"later {at}", Body=IN_THE_LOG)
        assert run("backup", to, "--data-dir", filled.data).returncode == 0
        assert run("fsck", "--data-dir", to).returncode == 0
        snapshot.unlink(missing_ok=True)
        for path in (to / "@hangar").glob("snapshot-*.db"):
            path.unlink()
        s3_client(filled).delete_object(Bucket="uploads", Key=f"later {at}")
        shutil.rmtree(to)
        assert run("backup", to, "--data-dir", filled.data).returncode == 0
        (snapshot,) = (to / "@hangar").glob("snapshot-*.db")
        whole = snapshot.read_bytes()


def test_a_backup_without_its_mark_is_read_and_stays_a_backup(filled, tmp_path):
    to = tmp_path / "backup"
    assert run("backup", to, "--data-dir", filled.data).returncode == 0
    s3_client(filled).put_object(Bucket="uploads", Key="later", Body=IN_THE_LOG)
    (source,), (log,) = (list((folder / "@hangar/log").iterdir()) for folder in (filled.data, to))
    log.write_bytes(source.read_bytes())
    (to / "@hangar/backup").unlink()
    before = everything(to)
    assert run("fsck", "--data-dir", to).returncode == 0
    assert everything(to) == before
    assert run("backup", to, "--data-dir", filled.data).returncode == 0


# Folders


@pytest.mark.parametrize("there", ["nothing", "an empty folder", "an empty @hangar"])
@pytest.mark.parametrize("command", LOOKING + CHANGING, ids=name)
def test_a_command_in_a_wrong_place_makes_nothing_and_names_the_place(tmp_path, command, there):
    place = tmp_path / "place"
    if there != "nothing":
        place.mkdir()
    if there == "an empty @hangar":
        (place / "@hangar").mkdir()
    before = everything(tmp_path)
    for how in (["--data-dir", str(place)], ["--data-dir", "place"], []):
        settings = {} if how else {"HANGAR_DATA_DIR": "place"}
        refused = subprocess.run(
            [binary(), *command, *how], cwd=tmp_path, env=bare_environment(**settings), capture_output=True, text=True
        )
        assert (refused.returncode, refused.stdout) == (1, ""), refused
        (sentence,) = refused.stderr.strip().splitlines()
        assert str(place) in sentence and "--data-dir" in sentence and "HANGAR_DATA_DIR" in sentence
        assert everything(tmp_path) == before


def test_each_command_names_the_folder_that_it_used(filled, tmp_path):
    def told(*command):
        text = filled.command_line(*command)
        assert text.returncode == 0, f"{command}: {text.stderr}"
        assert str(filled.data) in text.stderr and str(filled.data) not in text.stdout
        return text.stdout

    def field(*command):
        made = filled.command_line(*command, "--json")
        assert made.returncode == 0, f"{command}: {made.stderr}"
        value = json.loads(made.stdout)
        assert value["data_dir"] == str(filled.data), command
        return value

    for beside in (True, False):
        if not beside:
            assert filled.stop() == 0
        for command in LOOKING:
            told(*command)
            field(*command)
        for at, say in enumerate((told, field)):
            user = f"{beside}{at}@example.com".lower()
            slug = f"acme-{beside}-{at}".lower()
            say("token", "create", "--user", user)
            token = field("token", "create", "--user", user)
            say("token", "revoke", token["id"])
            say("access-key", "create")
            key = field("access-key", "create")
            say("access-key", "revoke", key["id"])
            say("workspace", "create", slug)
            say("workspace", "member", "add", slug, f"{user}:admin")
            say("workspace", "member", "remove", slug, user)
            anchor = say("anchor", "create", "--workspace", slug, "--project", PROJECT)
            text = anchor["anchor"] if say is field else anchor.strip()
            assert re.fullmatch("[0-9a-f]{32}", text), "stdout holds the result alone"
            say("anchor", "revoke", text)
            say("user", "remove", user)
            say("gc")
            say("fsck", "--repair")
            say("backup", tmp_path / "backup")
            if not beside:
                say("rebuild")
    done = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "restored", "--json")
    assert json.loads(done.stdout)["data_dir"] == str(tmp_path / "restored")
    done = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "again")
    assert f"restored to {tmp_path / 'again'}" in done.stdout


@pytest.mark.parametrize("folder", ["data", "my files", "it's", "two\nlines", "$HOME"])
def test_the_hint_at_the_first_start_is_typed_anywhere(tmp_path, folder):
    hangar = Hangar(tmp_path / "server", {"HANGAR_DATA_DIR": tmp_path / folder})
    hangar.start()
    try:
        (hint,) = re.findall("make a token with: (hangar token create .*)", hangar.stderr.read_text())
        hint = re.sub("\x1b\\[[0-9;]*m", "", hint).replace("hangar", binary(), 1)
        done = subprocess.run(["sh", "-c", hint], cwd="/", env=bare_environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{hint}: {done.stderr}"
        token = re.search("plane_api_[0-9a-f]{32}", done.stdout)[0]
        assert hangar.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == 200
    finally:
        assert hangar.stop() == 0


# Owners


@pytest.fixture
def of_other_user(open_folder):
    """A stopped folder whose server runs as another user."""
    data = open_folder / "data"
    data.mkdir()
    os.chown(data, OTHER_USER, OTHER_USER)
    start_and_stop(data)
    return data


def start_and_stop(data):
    """A server of the other user over this folder: it must become ready."""
    process = subprocess.Popen(
        [binary(), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data)],
        env=bare_environment(),
        user=OTHER_USER,
        group=OTHER_USER,
        extra_groups=[],
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if "hangar is ready" in line:
                break
        else:
            raise AssertionError("".join(said))
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def owners(folder):
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in [folder, *folder.rglob("*")]}


THEIRS = {(OTHER_USER, OTHER_USER)}


def test_files_that_root_makes_in_a_stopped_folder_belong_to_the_folders_owner(of_other_user, open_folder):
    data = of_other_user
    for command in (
        ["token", "create", "--user", "ada@example.com"],
        ["access-key", "create"],
        ["workspace", "create", "acme"],
        ["fsck"],
        ["fsck", "--repair"],
        ["gc"],
        ["rebuild"],
        ["rebuild", "--from-log"],
        ["token", "list"],
        ["backup", open_folder / "backup"],
    ):
        done = run(*command, "--data-dir", data)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert owners(data) == THEIRS, command
        start_and_stop(data)
    assert not [path for path in data.rglob("*") if path.stat().st_mode & 0o077]


def test_a_server_that_root_starts_once_leaves_a_folder_to_its_owner(of_other_user):
    # Without its own files, which are made anew.
    for path in (of_other_user / "@hangar").iterdir():
        if path.is_file():
            path.unlink()
    hangar = Hangar(of_other_user.parent / "server", {"HANGAR_DATA_DIR": of_other_user}).start()
    s3_client(hangar).put_object(Bucket="uploads", Key="large", Body=IN_A_BLOB)
    assert hangar.stop() == 0
    assert owners(of_other_user) == THEIRS
    start_and_stop(of_other_user)


def test_a_backup_by_root_is_gone_on_with_by_the_servers_user_and_restored_for_it(of_other_user, open_folder):
    to = open_folder / "backup"
    assert run("backup", to, "--data-dir", of_other_user).returncode == 0
    assert owners(to) == THEIRS
    again = as_other_user("backup", to, "--data-dir", of_other_user)
    assert again.returncode == 0, again.stderr
    done = run("restore", to, "--data-dir", open_folder / "restored")
    assert done.returncode == 0 and "chown" not in done.stderr
    assert owners(open_folder / "restored") == THEIRS
    assert not [path for path in (open_folder / "restored").rglob("*") if path.stat().st_mode & 0o077]
    start_and_stop(open_folder / "restored")


def test_a_restore_into_a_folder_that_is_there_belongs_to_its_owner(filled, open_folder):
    assert run("backup", open_folder / "backup", "--data-dir", filled.data).returncode == 0
    data = open_folder / "data"
    data.mkdir()
    os.chown(data, OTHER_USER, OTHER_USER)
    done = run("restore", open_folder / "backup", "--data-dir", data)
    assert done.returncode == 0 and "chown" not in done.stderr
    assert owners(data) == THEIRS
    start_and_stop(data)


def test_a_restore_that_belongs_to_root_says_what_to_run(filled, open_folder):
    assert run("backup", open_folder / "backup", "--data-dir", filled.data).returncode == 0
    data = open_folder / "my data"
    done = run("restore", open_folder / "backup", "--data-dir", data)
    assert done.returncode == 0
    (command,) = re.findall("`(chown -R USER:GROUP .*)`", done.stderr)
    subprocess.run(["sh", "-c", command.replace("USER:GROUP", f"{OTHER_USER}:{OTHER_USER}")], check=True)
    start_and_stop(data)


def test_a_restore_into_a_folder_that_only_root_can_enter_says_what_to_run(filled, open_folder):
    assert run("backup", open_folder / "backup", "--data-dir", filled.data).returncode == 0
    os.chown(open_folder / "backup/@hangar", OTHER_USER, OTHER_USER)
    data = open_folder / "data"
    data.mkdir(mode=0o700)
    done = run("restore", open_folder / "backup", "--data-dir", data)
    assert done.returncode == 0 and f"`chown -R USER:GROUP {data}`" in done.stderr


def test_a_restore_of_a_folder_that_is_missing_says_so(tmp_path):
    done = run("restore", tmp_path / "none", "--data-dir", tmp_path / "data")
    assert done.returncode == 1 and f"there is no folder {tmp_path / 'none'}" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_backup_that_a_server_wrote_to_another_file_system_fails(filled, tmp_path):
    """A server in a container has other folders by the same names. Here the command has them."""
    hidden = tmp_path / "mnt"
    hidden.mkdir()
    command = [binary(), "backup", str(hidden / "backup"), "--data-dir", str(filled.data)]
    in_another_mount = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    mounted = f"mount -t tmpfs none {shlex.quote(str(hidden))}"
    if subprocess.run([*in_another_mount, mounted], capture_output=True).returncode != 0:
        pytest.skip("mounts are not allowed here")
    # The command's folder is empty, and then it holds a backup that is not the one of today.
    for before in ("true", f"cp -a {shlex.quote(str(tmp_path / 'former'))} {shlex.quote(str(hidden / 'backup'))}"):
        script = f"{mounted} && {before} && exec {shlex.join(command)}"
        done = subprocess.run([*in_another_mount, script], env=bare_environment(), capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert "container" in done.stderr and str(hidden / "backup") in done.stderr
        shutil.copytree(hidden / "backup", tmp_path / "former", dirs_exist_ok=True)
    assert run(*command[1:]).returncode == 0, "the folder that both see"


def test_a_clean_restore_is_calm(filled, tmp_path):
    assert run("backup", tmp_path / "backup", "--data-dir", filled.data).returncode == 0
    done = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "restored")
    assert done.returncode == 0
    assert "WARN" not in done.stderr and "fell back" not in done.stderr
    shutil.copytree(filled.data, tmp_path / "copy")
    done = run("restore", tmp_path / "copy", "--data-dir", tmp_path / "of copy")
    assert done.returncode == 0
    assert "WARN" not in done.stderr, done.stderr


# Cron


def test_commands_for_cron_say_nothing_when_all_is_well(filled, tmp_path):
    for beside in (True, False):
        if not beside:
            assert filled.stop() == 0
        for quiet in (["--quiet"], ["-q"], ["--log", "error"], []):
            settings = {} if quiet else {"HANGAR_LOG": "error"}
            for command in (["backup", tmp_path / "backup"], ["fsck"], ["gc"], ["gc", "--dry-run"], ["fsck", "--repair"]):
                done = run(*command, *quiet, HANGAR_DATA_DIR=filled.data, **settings)
                assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), (command, done)
    done = run("rebuild", "--quiet", "--data-dir", filled.data)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run("restore", tmp_path / "backup", "--quiet", "--data-dir", tmp_path / "restored")
    assert (done.returncode, done.stdout) == (0, "")
    made = run("token", "create", "--user", "ada@example.com", "--quiet", "--data-dir", filled.data)
    assert made.stderr == "" and "plane_api_" in made.stdout, "a result is printed all the same"


def test_commands_for_cron_report_damage_on_stderr(filled, tmp_path):
    (blob,) = (filled.data / "@hangar/blobs").iterdir()
    flip(blob, 2_000_000)
    for command in (["fsck"], ["backup", tmp_path / "backup"]):
        done = run(*command, HANGAR_DATA_DIR=filled.data, HANGAR_LOG="error")
        assert (done.returncode, done.stdout) == (1, ""), command
        assert "uploads/large" in done.stderr and blob.name in done.stderr
    done = run("backup", tmp_path / "backup", HANGAR_DATA_DIR=tmp_path / "none", HANGAR_LOG="error")
    assert (done.returncode, done.stdout) == (1, "") and str(tmp_path / "none") in done.stderr


# Key files


@pytest.mark.parametrize("command", [["access-key", "create"], ["access-key", "list"], ["serve"]], ids=name)
@pytest.mark.parametrize("what", ["open to others", "in the data folder", "closed"])
def test_a_key_file_that_other_users_may_read_causes_a_warning(filled, tmp_path, command, what):
    key = filled.data / "key" if what == "in the data folder" else tmp_path / "key"
    key.write_text(os.urandom(32).hex())
    key.chmod(0o644 if what == "open to others" else 0o600)
    if command == ["serve"]:
        other = Hangar(tmp_path / "other", {"HANGAR_KEY_FILE": key, "HANGAR_DATA_DIR": filled.data})
        assert filled.stop() == 0
        other.start()
        assert other.stop() == 0
        said = other.said()
    else:
        said = run(*command, HANGAR_DATA_DIR=filled.data, HANGAR_KEY_FILE=key).stderr
    expected = {"open to others": "chmod 600", "in the data folder": "lies in the data folder", "closed": None}[what]
    if expected:
        assert str(key) in said and expected in said
    else:
        assert "HANGAR_KEY_FILE names" not in said and "HANGAR_KEY_FILE lies" not in said


def test_a_lifetime_without_a_unit_is_refused(filled):
    for text in ("90", "0", " 7 "):
        refused = filled.command_line("token", "create", "--user", "ada@example.com", "--expires", text)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert f"{text.strip()}d" in refused.stderr
    assert filled.command_line("token", "create", "--user", "ada@example.com", "--expires", "90d").returncode == 0
