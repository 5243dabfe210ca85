"""Starting and stopping: wrong settings, taken ports and folders, signals, and permissions of the files."""

import os
import signal
import socket
import stat
import time

import pytest

from clients import s3_client
from commands import assert_one_sentence
from policy import BOUNDARY, Form, multipart
from server import Hangar, free_port, run, wait_until


WRONG = [
    ("HANGAR_LISTEN", "nowhere"),
    ("HANGAR_LISTEN", "127.0.0.1"),
    ("HANGAR_LISTEN", "127.0.0.1:99999"),
    ("HANGAR_PUBLIC_URL", "files.example.com"),
    ("HANGAR_PUBLIC_URL", "ftp://files.example.com"),
    ("HANGAR_PUBLIC_URL", "https://files.example.com/path"),
    ("HANGAR_LOG", "loud"),
    ("HANGAR_LOG", "info,yaml"),
    ("HANGAR_TRUSTED_PROXIES", "everybody"),
    ("HANGAR_TRUSTED_PROXIES", "10.0.0.0/33"),
    ("HANGAR_VERIFY_CONTENT", "perhaps"),
    ("FILE_SIZE_LIMIT", "lots"),
    ("FILE_SIZE_LIMIT", "-1"),
    ("FILE_SIZE_LIMIT", "5 MiBs"),
    ("FILE_SIZE_LIMIT", "99999999999999999999999"),
    ("SIGNED_URL_EXPIRATION", "soon"),
    ("SIGNED_URL_EXPIRATION", "1y2"),
    ("SIGNED_URL_EXPIRATION", "-60"),
    ("API_KEY_RATE_LIMIT", "fast"),
    ("API_KEY_RATE_LIMIT", "60/fortnight"),
    ("AWS_S3_BUCKET_NAME", "Uploads!"),
    ("AWS_S3_BUCKET_NAME", "api"),
]


@pytest.mark.parametrize("name, value", WRONG, ids=lambda text: text)
def test_a_wrong_value_is_one_sentence_that_names_the_setting(tmp_path, name, value):
    settings = {"HANGAR_LISTEN": f"127.0.0.1:{free_port()}", "HANGAR_DATA_DIR": tmp_path / "data"} | {name: value}
    ended = run("serve", **settings)
    assert_one_sentence(ended, 2, name)
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "data").exists(), "a wrong setting leaves nothing behind"


@pytest.mark.parametrize(
    "half, other",
    [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"),
        ("MINIO_ROOT_PASSWORD", "MINIO_ROOT_USER"),
    ],
)
def test_half_of_a_key_pair_is_refused_without_its_value(tmp_path, half, other):
    secret = "half-of-a-secret-pair"
    for missing in ({}, {other: ""}):
        settings = {"HANGAR_LISTEN": f"127.0.0.1:{free_port()}", "HANGAR_DATA_DIR": tmp_path / "data", half: secret} | missing
        last = assert_one_sentence(run("serve", **settings), 2, other)
        assert secret not in last


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["no-such-command"], ["serve", "--no-such-flag"], ["token"], ["token", "create"], ["server"]])
def test_a_wrong_command_line_exits_with_2(arguments):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert ended.stdout == "" and ended.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["server", "--help"], ["token", "--help"], ["upload", "--help"], ["demo", "--help"], ["--version"]])
def test_help_and_version_exit_with_0(arguments):
    ended = run(*arguments)
    assert ended.returncode == 0
    assert "hangar" in ended.stdout and ended.stderr == ""


def test_an_empty_value_counts_as_unset(start_hangar):
    empty = {name: "" for name, _ in WRONG if name != "HANGAR_LISTEN"}
    server = start_hangar(**empty, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", MINIO_ROOT_USER="", MINIO_ROOT_PASSWORD="", AWS_REGION="")
    made = server.ask(server.make_token()["token"], entity_type="USER_AVATAR")
    assert made["upload_data"]["url"] == f"{server.url}/uploads"


def test_a_key_pair_is_read_from_files(start_hangar, tmp_path):
    (tmp_path / "user").write_text("user-from-file\n")
    (tmp_path / "password").write_text("password-from-file\n")
    server = start_hangar(
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
        MINIO_ROOT_USER_FILE=tmp_path / "user",
        MINIO_ROOT_PASSWORD_FILE=tmp_path / "password",
    )
    s3_client(server, "user-from-file", "password-from-file").head_bucket(Bucket="uploads")


def test_minios_names_go_before_awss_and_hangars_before_both(start_hangar):
    pair = {"MINIO_ROOT_USER": "minio-user", "MINIO_ROOT_PASSWORD": "minio-password"}
    own = {"HANGAR_ACCESS_KEY_ID": "own-user", "HANGAR_SECRET_ACCESS_KEY": "own-password"}
    s3_client(start_hangar(**pair), "minio-user", "minio-password").head_bucket(Bucket="uploads")
    s3_client(start_hangar(**pair, **own), "own-user", "own-password").head_bucket(Bucket="uploads")


def test_flags_go_before_the_environment(start_hangar, tmp_path):
    port = free_port()
    start_hangar(
        command=["serve", "--listen", f"127.0.0.1:{port}", "--data-dir", tmp_path / "flagged"],
        port=port,
        HANGAR_LISTEN="127.0.0.1:1",
        HANGAR_DATA_DIR="/proc/no-such-folder",
    )
    assert (tmp_path / "flagged/@hangar").is_dir()


def test_a_taken_port_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("serve", HANGAR_LISTEN=address, HANGAR_DATA_DIR=tmp_path / "data")
    assert_one_sentence(ended, 1, "HANGAR_LISTEN")


def test_a_second_server_on_the_same_folder_is_refused_and_the_first_keeps_running(start_hangar):
    first = start_hangar()
    ended = run("serve", HANGAR_LISTEN=f"127.0.0.1:{free_port()}", HANGAR_DATA_DIR=first.data)
    assert_one_sentence(ended, 1, "HANGAR_DATA_DIR")
    assert first.is_ready()


@pytest.mark.parametrize("below", ["", "/below"])
def test_a_folder_that_is_a_file_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("kept")
    ended = run("serve", HANGAR_LISTEN=f"127.0.0.1:{free_port()}", HANGAR_DATA_DIR=f"{tmp_path}/file{below}")
    assert_one_sentence(ended, 1, "HANGAR_DATA_DIR")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_that_cannot_be_made_is_refused():
    ended = run("serve", HANGAR_LISTEN=f"127.0.0.1:{free_port()}", HANGAR_DATA_DIR="/proc/no-such-folder")
    assert_one_sentence(ended, 1, "HANGAR_DATA_DIR")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_it_starts_again(tmp_path, by):
    server = Hangar(tmp_path).start()
    try:
        token = server.make_token()["token"]
        assert server.stop(by) == 0, server.said()
        assert not (server.data / "@hangar/run").exists(), "a clean stop leaves no word of a running server"
        server.start()
        assert server.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == 200
    finally:
        assert server.stop(by) == 0, server.said()


def test_requests_in_flight_are_finished_before_the_server_ends(tmp_path):
    """Half of an upload is sent, then the signal, then the rest: it is answered and kept."""
    server = Hangar(tmp_path).start()
    form = Form(server, "in-flight")
    body = multipart(form.signed() + [("file", b"hello" * 1000)])
    head = (
        f"POST /{server.bucket} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head)
        # The interim answer tells that the request is under way.
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(body[:2000])
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(body[2000:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 204 "), answer
    assert server.wait_for_its_end() == 0, server.said()
    server.start()
    assert s3_client(server).get_object(Bucket=server.bucket, Key="in-flight")["Body"].read() == b"hello" * 1000
    assert server.stop() == 0, server.said()


def test_a_request_that_never_ends_is_cut_off_before_a_container_would_be_killed(tmp_path):
    """A signal that comes twice, as shells and process managers deliver it, is one."""
    server = Hangar(tmp_path).start()
    head = (
        f"POST /{server.bucket} HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping" in server.said(), server.process, server.said)
        assert server.stop() == 0, server.said()
    assert time.monotonic() - begun < 10


def test_only_its_owner_may_read_what_it_writes(start_hangar):
    before = os.umask(0o022)
    try:
        server = start_hangar(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    finally:
        os.umask(before)
    server.make_token()
    inside = server.data / "@hangar"

    def mode(path):
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(server.data) == 0o700
    assert mode(inside) == 0o700
    for name in ("keys", "run", "hangar.db"):
        assert mode(inside / name) == 0o600, name
    open_to_others = [path for path in inside.rglob("*") if mode(path) & 0o077]
    assert not open_to_others


def test_keys_that_it_made_are_kept_and_those_of_the_environment_are_never_written(start_hangar):
    made = start_hangar(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    token = made.make_token()["token"]

    def credential():
        return made.ask(token, entity_type="USER_AVATAR")["upload_data"]["fields"]["x-amz-credential"].split("/")[0]

    first = credential()
    assert made.stop() == 0
    made.start()
    assert credential() == first
    given = start_hangar()
    for path in (given.data / "@hangar").rglob("*"):
        if path.is_file():
            assert given.secret_key.encode() not in path.read_bytes(), path


def test_no_secret_is_printed_where_stdout_is_not_a_terminal(start_hangar):
    server = start_hangar(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    assert "plane_api_" not in server.said()
    assert "token create" in server.said()


def test_files_of_other_programs_in_the_folder_are_not_touched(tmp_path):
    server = Hangar(tmp_path)
    (server.data / "uploads").mkdir(parents=True)
    (server.data / "uploads/a.txt").write_text("kept")
    server.start()
    assert server.stop() == 0, server.said()
    assert (server.data / "uploads/a.txt").read_text() == "kept"
    assert sorted(path.name for path in server.data.iterdir()) == ["@hangar", "uploads"]
