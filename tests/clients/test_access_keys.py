"""Access keys: what each may do, how they are made and ended beside a running server and without one, and how their secrets lie on the disk."""

import json
import os
import re
import stat

import pytest
import requests
from botocore.exceptions import ClientError

from server import Hangar, run
from commands import assert_one_sentence


def make_key(server, *arguments):
    """A fresh key, as `access-key create --json` prints it."""
    made = server.command_line("access-key", "create", *arguments, "--json")
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


def list_keys(server):
    listed = server.command_line("access-key", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return {key["id"]: key for key in json.loads(listed.stdout)["access_keys"]}


def client(connect, server, made):
    return connect(server, made["id"], made["secret"])


def code_of(call, **parameters):
    """The error's code; it must be one."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"]


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key-file"
    path.write_text(os.urandom(32).hex() + "\n")
    return path


# What a key may do


def test_a_key_without_limits_reads_and_writes(hangar, connect, s3):
    made = make_key(hangar, "--name", "backup")
    mine = client(connect, hangar, made)
    mine.put_object(Bucket=hangar.bucket, Key="keys/a", Body=b"by a key")
    assert s3.get_object(Bucket=hangar.bucket, Key="keys/a")["Body"].read() == b"by a key"
    assert mine.get_object(Bucket=hangar.bucket, Key="keys/a")["Body"].read() == b"by a key"
    url = mine.generate_presigned_url("get_object", Params={"Bucket": hangar.bucket, "Key": "keys/a"})
    assert requests.get(url, timeout=20).content == b"by a key"
    mine.delete_object(Bucket=hangar.bucket, Key="keys/a")


def test_a_wrong_secret_is_refused(hangar, connect):
    made = make_key(hangar)
    assert code_of(connect(hangar, made["id"], "wrong").list_buckets) == "SignatureDoesNotMatch"
    assert code_of(connect(hangar, "A" * 20, made["secret"]).list_buckets) == "InvalidAccessKeyId"


def test_a_read_only_key_reads_lists_and_changes_nothing(hangar, connect, s3):
    s3.put_object(Bucket=hangar.bucket, Key="read/a", Body=b"kept")
    mine = client(connect, hangar, make_key(hangar, "--read-only"))
    assert mine.get_object(Bucket=hangar.bucket, Key="read/a")["Body"].read() == b"kept"
    assert [found["Key"] for found in mine.list_objects_v2(Bucket=hangar.bucket, Prefix="read/")["Contents"]] == ["read/a"]
    for call, parameters in (
        (mine.put_object, {"Bucket": hangar.bucket, "Key": "read/a", "Body": b"changed"}),
        (mine.put_object, {"Bucket": hangar.bucket, "Key": "read/b", "Body": b"new"}),
        (mine.delete_object, {"Bucket": hangar.bucket, "Key": "read/a"}),
        (mine.create_bucket, {"Bucket": "made-by-a-reader"}),
    ):
        assert code_of(call, **parameters) == "AccessDenied", parameters
    assert s3.get_object(Bucket=hangar.bucket, Key="read/a")["Body"].read() == b"kept"


def test_a_key_for_one_bucket_reaches_no_other(hangar, connect, s3):
    s3.create_bucket(Bucket="other-bucket")
    s3.put_object(Bucket="other-bucket", Key="a", Body=b"not yours")
    mine = client(connect, hangar, make_key(hangar, "--bucket", hangar.bucket))
    mine.put_object(Bucket=hangar.bucket, Key="limited/a", Body=b"mine")
    assert mine.get_object(Bucket=hangar.bucket, Key="limited/a")["Body"].read() == b"mine"
    assert code_of(mine.get_object, Bucket="other-bucket", Key="a") == "AccessDenied"
    assert code_of(mine.put_object, Bucket="other-bucket", Key="b", Body=b"") == "AccessDenied"
    assert code_of(mine.list_objects_v2, Bucket="other-bucket") == "AccessDenied"


def test_a_key_for_a_prefix_reaches_nothing_else_of_the_bucket(hangar, connect, s3):
    s3.put_object(Bucket=hangar.bucket, Key="secret/a", Body=b"not yours")
    mine = client(connect, hangar, make_key(hangar, "--bucket", hangar.bucket, "--prefix", "open/"))
    mine.put_object(Bucket=hangar.bucket, Key="open/a", Body=b"mine")
    assert mine.get_object(Bucket=hangar.bucket, Key="open/a")["Body"].read() == b"mine"
    listed = mine.list_objects_v2(Bucket=hangar.bucket, Prefix="open/")
    assert [found["Key"] for found in listed["Contents"]] == ["open/a"]
    assert code_of(mine.get_object, Bucket=hangar.bucket, Key="secret/a") == "AccessDenied"
    assert code_of(mine.put_object, Bucket=hangar.bucket, Key="open", Body=b"") == "AccessDenied"
    assert code_of(mine.list_objects_v2, Bucket=hangar.bucket) == "AccessDenied"


# Making, listing, ending


def test_a_revoked_key_is_refused_by_the_next_request_presigned_ones_too(hangar, connect, s3):
    s3.put_object(Bucket=hangar.bucket, Key="revoked/a", Body=b"a")
    made, other = make_key(hangar), make_key(hangar)
    mine = client(connect, hangar, made)
    url = mine.generate_presigned_url("get_object", Params={"Bucket": hangar.bucket, "Key": "revoked/a"})
    for _ in range(3):
        mine.get_object(Bucket=hangar.bucket, Key="revoked/a")
    assert requests.get(url, timeout=20).status_code == 200
    ended = hangar.command_line("access-key", "revoke", made["id"], "--json")
    told = {"id": made["id"], "revoked": True, "data_dir": str(hangar.data)}
    assert (ended.returncode, json.loads(ended.stdout)) == (0, told)
    assert code_of(mine.get_object, Bucket=hangar.bucket, Key="revoked/a") == "InvalidAccessKeyId"
    assert requests.get(url, timeout=20).status_code == 403
    client(connect, hangar, other).get_object(Bucket=hangar.bucket, Key="revoked/a")
    assert hangar.command_line("access-key", "revoke", made["id"]).stdout == f"Revoked {made['id']}\n"
    assert list_keys(hangar)[made["id"]]["revoked_at"]


def test_access_key_commands_print_these_shapes(hangar):
    made = make_key(hangar, "--name", "phone", "--read-only", "--bucket", hangar.bucket, "--prefix", "a/")
    assert re.fullmatch("[A-Z0-9]{20}", made["id"])
    assert re.fullmatch("[A-Za-z0-9]{40}", made["secret"])
    shown = {name: made[name] for name in ("name", "read_only", "bucket", "prefix")}
    assert shown == {"name": "phone", "read_only": True, "bucket": hangar.bucket, "prefix": "a/"}
    listed = list_keys(hangar)
    assert listed[made["id"]] == shown | {"id": made["id"], "created_at": made["created_at"], "revoked_at": None}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created_at"])
    free = make_key(hangar)
    assert (free["name"], free["read_only"], free["bucket"], free["prefix"]) == ("", False, None, None)
    for keys in (hangar.command_line("access-key", "list"), hangar.command_line("access-key", "list", "--json")):
        assert made["id"] in keys.stdout
        assert made["secret"] not in keys.stdout + keys.stderr


def test_a_key_for_people_comes_with_what_to_do_next(hangar):
    made = hangar.command_line("access-key", "create", "--bucket", hangar.bucket)
    assert (made.returncode, made.stderr) == (0, f"Data folder: {hangar.data}\n")
    key, secret = re.search(r"AWS_ACCESS_KEY_ID=(\w{20}) AWS_SECRET_ACCESS_KEY=(\w{40})", made.stdout).groups()
    assert made.stdout.splitlines()[0].split() == ["ID", key]
    assert made.stdout.splitlines()[1].split() == ["Secret", secret]
    assert f"s3 ls s3://{hangar.bucket}" in made.stdout


def test_a_bucket_that_is_not_there_is_a_warning(hangar):
    made = hangar.command_line("access-key", "create", "--bucket", "not-there-yet", "--json")
    assert made.returncode == 0
    assert "not-there-yet" in made.stderr
    assert "not-there-yet" in json.loads(made.stdout)["warning"]
    assert "warning" not in make_key(hangar, "--bucket", hangar.bucket)


@pytest.mark.parametrize(
    "arguments, code",
    [
        (["create", "--prefix", "a/"], 2),
        (["create", "--bucket", "No Bucket"], 2),
        (["create", "--bucket="], 2),
        (["create", "--bucket", "uploads", "--prefix="], 2),
        (["create", "--name", "a\x1b[2J"], 1),
        (["revoke", "A" * 20], 1),
        (["revoke", "hangar-judge"], 1),
        (["revoke"], 2),
    ],
    ids=str,
)
def test_a_wrong_order_is_one_sentence(hangar, arguments, code):
    before = list_keys(hangar)
    assert_one_sentence(hangar.command_line("access-key", *arguments), code)
    assert list_keys(hangar) == before


def test_keys_are_managed_without_a_server_too(start_hangar, connect):
    server = start_hangar()
    early = make_key(server)
    assert server.stop() == 0
    made, gone = make_key(server), make_key(server)
    assert server.command_line("access-key", "revoke", gone["id"]).returncode == 0
    assert set(list_keys(server)) == {early["id"], made["id"], gone["id"]}
    server.start()
    for key in (early, made):
        client(connect, server, key).list_objects_v2(Bucket=server.bucket)
    assert code_of(client(connect, server, gone).list_buckets) == "InvalidAccessKeyId"
    server.kill()
    server.start()
    client(connect, server, made).list_objects_v2(Bucket=server.bucket)
    assert code_of(client(connect, server, gone).list_buckets) == "InvalidAccessKeyId"


def test_listing_keys_creates_no_folder(tmp_path):
    ended = run("access-key", "list", "--data-dir", tmp_path / "none")
    assert_one_sentence(ended, 1, "none")
    assert not (tmp_path / "none").exists()


def test_no_secret_of_a_key_reaches_the_log(start_hangar, connect, key_file):
    server = start_hangar(HANGAR_LOG="trace", HANGAR_KEY_FILE=key_file)
    made = make_key(server)
    client(connect, server, made).list_objects_v2(Bucket=server.bucket)
    assert code_of(connect(server, made["id"], "guess").list_buckets) == "SignatureDoesNotMatch"
    assert server.command_line("access-key", "revoke", made["id"]).returncode == 0
    said = server.said()
    assert made["secret"] not in said
    assert key_file.read_text().strip() not in said


# Secrets at rest


def on_disk(server, needle):
    files = [path for path in server.data.rglob("*") if path.is_file()]
    assert files
    return any(needle.encode() in path.read_bytes() for path in files)


def root_pair(server):
    return json.loads((server.data / "@hangar/keys").read_text())


def test_with_a_key_file_no_secret_lies_in_the_folder(start_hangar, connect, key_file):
    server = start_hangar(HANGAR_KEY_FILE=key_file, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    assert set(root_pair(server)["secret_access_key"]) == {"sealed"}
    made = make_key(server)
    mine = client(connect, server, made)
    mine.put_object(Bucket=server.bucket, Key="a", Body=b"a")
    assert not on_disk(server, made["secret"])
    assert server.stop() == 0
    offline = make_key(server)
    assert on_disk(server, offline["id"])
    for secret in (made["secret"], offline["secret"], key_file.read_text().strip()):
        assert not on_disk(server, secret)
    server.start()
    for key in (made, offline):
        assert client(connect, server, key).get_object(Bucket=server.bucket, Key="a")["Body"].read() == b"a"
    assert not on_disk(server, made["secret"])


@pytest.mark.parametrize("root", [True, False], ids=["root pair", "access key"])
def test_a_missing_or_wrong_key_file_stops_the_start(start_hangar, tmp_path, key_file, root):
    pair = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None} if root else {}
    server = start_hangar(HANGAR_KEY_FILE=key_file, **pair)
    made = None if root else make_key(server)
    assert server.stop() == 0
    other = tmp_path / "other"
    other.write_text(os.urandom(32).hex())
    for wrong in ({}, {"HANGAR_KEY_FILE": other}):
        settings = {name: value for name, value in server.settings.items() if name != "HANGAR_KEY_FILE"} | wrong
        assert_one_sentence(run("serve", **settings), 1, "HANGAR_KEY_FILE", *([made["id"]] if made else []))
    # Without the key file a command seals nothing, so it makes nothing.
    settings.pop("HANGAR_KEY_FILE")
    assert_one_sentence(run("access-key", "create", **settings), 1, "HANGAR_KEY_FILE")
    if made:
        assert run("access-key", "revoke", made["id"], **settings).returncode == 0
    server.start()


@pytest.mark.parametrize("content", ["", "short", "00" * 16, "0" * 5000], ids=["empty", "short", "half", "long"])
def test_an_invalid_key_file_is_refused_with_the_command_that_makes_one(tmp_path, content):
    path = tmp_path / "key"
    path.write_text(content)
    for ended in (
        run("serve", HANGAR_DATA_DIR=tmp_path / "data", HANGAR_KEY_FILE=path),
        run("access-key", "create", HANGAR_DATA_DIR=tmp_path / "data", HANGAR_KEY_FILE=path),
        run("serve", HANGAR_DATA_DIR=tmp_path / "data", HANGAR_KEY_FILE=tmp_path / "missing"),
    ):
        assert_one_sentence(ended, 2, "HANGAR_KEY_FILE", "head -c 32 /dev/urandom | base64")
    assert not (tmp_path / "data").exists()


def test_plain_secrets_are_sealed_by_the_next_start_and_a_key_file_can_be_replaced(tmp_path, connect, key_file):
    server = Hangar(tmp_path / "server", {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}).start()
    made = make_key(server)
    pair = root_pair(server)
    old = key_file.read_text()
    new = os.urandom(32).hex()
    # Sealed at all, then by the first of two keys, then that one is enough.
    for content in (old, f"{new}\n{old}", new):
        assert server.stop() == 0
        key_file.write_text(content)
        server.settings["HANGAR_KEY_FILE"] = key_file
        server.start()
        kept = server.data / "@hangar/keys"
        assert pair["secret_access_key"] not in kept.read_text()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert sorted(path.name for path in kept.parent.glob("keys*")) == ["keys"]
        client(connect, server, made).list_objects_v2(Bucket=server.bucket)
        connect(server, pair["access_key_id"], pair["secret_access_key"]).list_buckets()
    assert server.stop() == 0, server.said()
    assert made["id"] in server.said(), "the log says which secret stays readable in older records"


def test_a_key_file_in_the_data_folder_is_warned_of(start_hangar, tmp_path):
    data = tmp_path / "hangar-0" / "data"
    data.mkdir(parents=True)
    (data / "key").write_text(os.urandom(32).hex())
    server = start_hangar(HANGAR_KEY_FILE=data / "key")
    assert "HANGAR_KEY_FILE lies in the data folder" in server.said()


# In MinIO's place


def test_minios_other_settings_are_named_with_what_does_their_work(start_hangar):
    server = start_hangar(MINIO_DOMAIN="s3.example.com", MINIO_SERVER_URL="https://a.example", MINIO_BROWSER="off")
    said = server.said()
    for name in ("HANGAR_S3_DOMAIN", "HANGAR_PUBLIC_URL", "no console"):
        assert name in said


def test_in_minios_place_the_start_says_how_plane_finds_it(tmp_path, start_hangar):
    server = start_hangar(command=["server", tmp_path / "export", "--console-address", ":9090"])
    said = server.said()
    assert f"AWS_S3_ENDPOINT_URL=http://HOST:{server.port}" in said
    assert "no key pair is set" not in said
