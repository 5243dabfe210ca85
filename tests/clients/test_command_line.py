"""What a person types: tokens, uploads and the demonstration."""

import json
import os
import re
import signal
import subprocess

import pytest
import requests

import pictures
from server import PATIENCE_SECONDS, bare_environment, binary, free_port, run, wait_until

STATIC = r"http://127\.0\.0\.1:\d+/api/assets/v2/static/[0-9a-f-]{36}/"


# Tokens


def test_a_token_is_made_listed_and_revoked_beside_the_running_server(hangar):
    made = hangar.make_token("ada@example.com", "--name", "laptop", "--scope", "assets:read", "--expires", "90d")
    assert re.fullmatch("plane_api_[0-9a-f]{32}", made["token"])
    assert (made["user"], made["name"], made["scopes"]) == ("ada@example.com", "laptop", ["assets:read"])
    assert re.match(r"\d{4}-\d\d-\d\dT", made["expires_at"])
    listed = json.loads(hangar.command_line("token", "list", "--json").stdout)["tokens"]
    entry = next(entry for entry in listed if entry["id"] == made["id"])
    assert (entry["user"], entry["name"], entry["revoked_at"]) == ("ada@example.com", "laptop", None)
    assert made["token"] not in json.dumps(listed)
    assert hangar.command_line("token", "revoke", made["id"]).returncode == 0
    listed = json.loads(hangar.command_line("token", "list", "--json").stdout)["tokens"]
    assert next(entry for entry in listed if entry["id"] == made["id"])["revoked_at"]


def test_a_token_has_the_default_scopes_and_no_end_unless_told(hangar):
    made = hangar.make_token("grace@example.com")
    assert (made["scopes"], made["expires_at"]) == (["assets:read", "assets:write"], None)


def test_tokens_are_managed_without_a_server_too(start_hangar):
    server = start_hangar()
    assert server.stop() == 0
    made = server.make_token("offline@example.com")
    gone = server.make_token("offline@example.com")
    assert server.command_line("token", "revoke", gone["id"]).returncode == 0
    listed = json.loads(server.command_line("token", "list", "--json").stdout)["tokens"]
    assert {made["id"], gone["id"]} <= {entry["id"] for entry in listed}
    server.start()
    for token, status in ((made["token"], 200), (gone["token"], 403)):
        assert server.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == status


def test_a_token_for_people_is_printed_once_and_the_list_hides_it(hangar):
    made = hangar.command_line("token", "create", "--user", "people@example.com")
    assert made.returncode == 0, made.stderr
    token = re.search("plane_api_[0-9a-f]{32}", made.stdout)[0]
    listed = hangar.command_line("token", "list")
    assert listed.returncode == 0
    assert "people@example.com" in listed.stdout and token not in listed.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--user", "no email"],
        ["create", "--user", "ada@example.com", "--scope", "assets:everything"],
        ["create", "--user", "ada@example.com", "--expires", "soon"],
        ["revoke", "no-such-token"],
    ],
    ids=" ".join,
)
def test_a_wrong_order_is_one_sentence(hangar, arguments):
    ended = hangar.command_line("token", *arguments)
    assert ended.returncode in (1, 2)
    assert ended.stdout == ""
    assert ended.stderr and "panicked" not in ended.stderr


# hangar upload


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "me & ż.png"
    path.write_bytes(pictures.png())
    return path


def test_upload_prints_an_address_that_opens(hangar, token, file):
    ended = hangar.command_line("upload", file, "--token", token, "--url", hangar.url)
    assert ended.returncode == 0, ended.stderr
    address = re.search(STATIC, ended.stdout)[0]
    answer = requests.get(address, timeout=20)
    assert (answer.content, answer.headers["Content-Type"]) == (pictures.png(), "image/png")


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "image/webp", "image/gif"])
def test_upload_detects_the_type_from_the_bytes_and_prints_json(hangar, token, tmp_path, content_type):
    path = tmp_path / "picture"
    path.write_bytes(pictures.of(content_type))
    ended = hangar.command_line("upload", path, "--token", token, "--url", hangar.url, "--json")
    assert ended.returncode == 0, ended.stderr
    made = json.loads(ended.stdout)
    assert made["url"] == f"{hangar.url}{made['asset_url']}"
    assert made["asset_url"] == f"/api/assets/v2/static/{made['asset_id']}/"
    assert (made["size"], made["content_type"]) == (len(pictures.of(content_type)), content_type)
    assert requests.get(made["url"], timeout=20).content == pictures.of(content_type)


def test_upload_reads_its_token_and_address_from_the_environment(hangar, token, file):
    ended = run("upload", file, "--entity-type", "USER_COVER", "--json", HANGAR_TOKEN=token, HANGAR_URL=hangar.url)
    assert ended.returncode == 0, ended.stderr
    assert requests.get(json.loads(ended.stdout)["url"], timeout=20).content == pictures.png()


def test_upload_reports_a_failure_in_one_sentence(hangar, token, file, tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(pictures.filled(5242881, 1))
    text = tmp_path / "text.txt"
    text.write_text("no picture")
    for arguments, named in (
        ([file, "--token", "plane_api_" + "0" * 32, "--url", hangar.url], "token"),
        ([file, "--url", hangar.url], "HANGAR_TOKEN"),
        ([tmp_path / "none.png", "--token", token, "--url", hangar.url], "none.png"),
        ([file, "--token", token, "--url", f"http://127.0.0.1:{free_port()}"], "127.0.0.1"),
        ([large, "--token", token, "--url", hangar.url], ""),
        ([text, "--token", token, "--url", hangar.url], ""),
        ([text, "--token", token, "--url", hangar.url, "--type", "image/png"], "image"),
    ):
        ended = run("upload", *arguments)
        assert ended.returncode in (1, 2), ended
        assert ended.stdout == ""
        sentence = ended.stderr.strip()
        assert sentence.startswith("hangar: ") and "panicked" not in sentence
        assert named in sentence
        assert token not in sentence


# hangar demo


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_the_demonstration_shows_a_picture_and_leaves_nothing(tmp_path, by):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    listen = f"127.0.0.1:{free_port()}"
    said = tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [binary(), "demo"],
            env=bare_environment(HANGAR_LISTEN=listen) | {"TMPDIR": str(scratch)},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: re.search(STATIC, said.read_text()), process, said.read_text)
        address = re.search(STATIC, said.read_text())[0]
        assert address.startswith(f"http://{listen}/")
        answer = requests.get(address, timeout=20)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] in ("image/png", "image/jpeg")
        assert os.listdir(scratch), "its folder is a temporary one"
        process.send_signal(by)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    assert os.listdir(scratch) == []
    assert sorted(os.listdir(tmp_path)) == ["said", "scratch"]
    assert not re.search("plane_api_[0-9a-f]{32}", said.read_text()), "tokens are shown shortened"
    assert "\x1b" not in said.read_text(), "colours are for terminals"


def test_a_demonstration_with_a_folder_keeps_it(tmp_path):
    said = tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [binary(), "demo", "--data-dir", str(tmp_path / "kept"), "--listen", f"127.0.0.1:{free_port()}"],
            env=bare_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: re.search(STATIC, said.read_text()), process, said.read_text)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "kept/@hangar").is_dir()
