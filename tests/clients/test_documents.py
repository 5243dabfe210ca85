"""README.md and docs/: every command in them is run, in the order of the page, as a reader would run it.

A block of `sh` is run unless a comment before it says otherwise:

    <!-- test: server -->              it is a server, which runs until the next one or the end of the page
    <!-- test: not run, needs … -->    it cannot be run here, and why

Each page has a folder of its own, with a running server until the page starts one. Addresses, folders outside of it and
placeholders (`plane_api_…`, `TOKEN_ID`) stand for real ones. What a block exports, the next blocks have.
"""

import configparser
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

import boto3
import pytest
import requests
import urllib3
import yaml

import pictures
from clients import s3_client
from server import REPOSITORY, Hangar, binary, free_port, wait_until
from compose_files import TODAY
from tools import tool

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PATIENCE_SECONDS = 60
# A fence in any other language would be a command that is not run.
LANGUAGES = {"sh", "cron", "yaml", "ini", "nginx"}
# Why a block may stay unrun, and how many do.
NEEDS = {
    "docker": 10,
    "root and systemd": 4,
    "Rust and root": 1,
    "the whole test environment": 1,
    "mc, which no package registry has": 1,
}
SECOND_SERVER = "127.0.0.1:9001"


@dataclasses.dataclass
class Block:
    page: pathlib.Path
    line: int
    language: str
    text: str
    marker: str | None

    @property
    def reason(self):
        """Why it is not run."""
        found = re.fullmatch("not run, needs (.+)", self.marker or "")
        return found and found[1]


def blocks_of(page):
    """All fenced blocks; an unclosed one fails."""
    marker, block, found = None, None, []
    for at, line in enumerate(page.read_text().splitlines(), 1):
        if block is None:
            if fence := re.fullmatch(r"( *)```(\S*)", line):
                block, indent = Block(page, at, fence[2], "", marker), len(fence[1])
            if comment := re.fullmatch(r" *<!-- test: (.+) -->", line):
                assert marker is None, f"{page.name}:{at}: a marker without a block before it"
                marker = comment[1]
            elif block or line.strip():
                assert marker is None or block, f"{page.name}:{at}: a marker must stand right before a block"
                marker = None
        elif line.strip() == "```":
            found.append(block)
            block = None
        else:
            block.text += line[indent:] + "\n"
    assert block is None and marker is None, page
    return found


ALL = [block for page in PAGES for block in blocks_of(page)]


class Reader:
    """One who reads a page and types what it says."""

    def __init__(self, root):
        self.root = root
        self.folder = root / "home"
        self.port = free_port()
        self.second_port = free_port()
        self.server = None
        self.token = None
        self.exports = root / "exports"
        self.exports.touch()
        self.prepare()
        programs = root / "bin"
        programs.mkdir()
        (programs / "hangar").symlink_to(binary())
        path = f"{programs}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {
            "PATH": path,
            "HOME": str(root),
            "LANG": "C.UTF-8",
            "HANGAR_LISTEN": f"127.0.0.1:{self.port}",
            "HANGAR_URL": f"http://127.0.0.1:{self.port}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def prepare(self):
        """What the reader has: a picture, hangar's source with a built binary, Plane's folder."""
        for folder in ("home/plane-app", "hangar/target/release", "hangar/packaging/plane", "mnt/backup", "srv", "etc"):
            (self.root / folder).mkdir(parents=True)
        (self.folder / "me.png").write_bytes(pictures.png())
        built = self.root / "hangar/target/release/hangar"
        built.write_text(f'#!/bin/sh\nexec {shlex.quote(binary())} "$@"\n')
        built.chmod(0o755)
        (self.root / "hangar/packaging/plane/hangar-compose").symlink_to(REPOSITORY / "packaging/plane/hangar-compose")
        (self.folder / "plane-app/docker-compose.yaml").write_text(TODAY)

    def made_real(self, text):
        """Addresses, folders and placeholders of the page as they are here."""
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{self.port}").replace(SECOND_SERVER, f"127.0.0.1:{self.second_port}")
        # It would build the binary that is under test.
        text = text.replace("cargo run --release -- ", "hangar ")
        text = text.replace("/var/lib/hangar", str(self.folder / "data"))
        text = re.sub(r"(?<![\w./])/(mnt|srv|etc)/", rf"{self.root}/\1/", text)
        if "plane_api_…" in text:
            text = text.replace("plane_api_…", self.token or self.hangar("token", "create", "--user", "reader@example.com")["token"])
        for name, command, items, key in (
            ("TOKEN_ID", "token", "tokens", "id"),
            ("KEY_ID", "access-key", "access_keys", "id"),
            ("ANCHOR", "anchor", "anchors", "anchor"),
        ):
            if re.search(rf"\b{name}\b", text):
                text = re.sub(rf"\b{name}\b", self.hangar(command, "list")[items][-1][key], text)
                self.token = None
        assert "…" not in text, f"there is a placeholder that stands for nothing:\n{text}"
        return text

    def hangar(self, *arguments):
        ended = subprocess.run([binary(), *arguments, "--json"], cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def run(self, text):
        """Types a block, and answers what was printed."""
        script = f". {self.exports}\n{self.made_real(text)}\nexport -p > {self.exports}\n"
        ended = subprocess.run(
            ["sh", "-eu", "-c", script], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE_SECONDS,
        )
        told = f"{text}\nexit code {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        assert ended.returncode == 0, f"{told}\n{self.server_said()}"
        assert "panicked" not in ended.stderr, told
        if printed := re.findall("plane_api_[0-9a-f]{32}", ended.stdout):
            self.token = printed[-1]
        return told

    def exported(self, name):
        return subprocess.run(["sh", "-c", f'. {self.exports}; printf %s "${name}"'], capture_output=True, text=True).stdout

    def serve(self, text):
        """Types a block in another terminal, and waits until it answers."""
        self.stop()
        with (self.root / "server.log").open("ab") as log:
            # The shell outlives the signal that ends its command, so that its end is the server's end.
            script = f"trap : TERM\n{self.made_real(text)}"
            self.server = subprocess.Popen(
                ["sh", "-c", script], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self.is_ready, self.server, self.server_said)

    def is_ready(self):
        for scheme in ("http", "https"):
            try:
                address = f"{scheme}://127.0.0.1:{self.port}/-/health/ready"
                if requests.get(address, verify=False, timeout=PATIENCE_SECONDS).status_code == 200:
                    return True
            except requests.ConnectionError:
                continue
        return False

    def server_said(self):
        log = self.root / "server.log"
        return log.read_text() if log.exists() else ""

    def stop(self):
        if self.server:
            os.killpg(self.server.pid, signal.SIGTERM)
            self.server.wait(PATIENCE_SECONDS)
            self.server = None
        assert "panicked" not in self.server_said()


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    reader.stop()


@pytest.fixture
def second_server(reader):
    """The server that files are copied from."""
    keys = {"AWS_ACCESS_KEY_ID": "access-key", "AWS_SECRET_ACCESS_KEY": "secret-key"}
    server = Hangar(reader.root / "second", keys, port=reader.second_port)
    server.access_key, server.secret_key = keys.values()
    server.start()
    s3 = s3_client(server)
    s3.put_object(Bucket="uploads", Key="acme/spec 1.bin", Body=b"a file", ContentType="application/pdf", Metadata={"by": "ada"})
    yield server
    assert server.stop() == 0


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("page", [page for page in PAGES if any(block.page == page for block in ALL)], ids=lambda page: page.stem)
def test_every_command_of_the_page_works(reader, page, request):
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    blocks = [block for block in ALL if block.page == page]
    if SECOND_SERVER in page.read_text():
        request.getfixturevalue("second_server")
    for name in ("jq", "openssl"):
        if any(re.search(rf"\b{name} ", block.text) for block in blocks):
            tool(name)
    for block in blocks:
        if block.reason:
            continue
        if block.marker == "server":
            reader.serve(block.text)
            continue
        if block.language not in ("sh", "cron"):
            continue
        if reader.server is None:
            reader.serve("hangar serve\n")
        if block.language == "sh":
            reader.run(block.text)
        if "rclone copy" in block.text:
            assert_types_and_metadata_came_along(reader)
        for line in block.text.splitlines() if block.language == "cron" else ():
            *_, command = line.split(maxsplit=6)
            reader.run(command)


def assert_types_and_metadata_came_along(reader):
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{reader.port}",
        aws_access_key_id=reader.exported("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=reader.exported("AWS_SECRET_ACCESS_KEY"),
        region_name="us-east-1",
    )
    copied = s3.head_object(Bucket="uploads", Key="acme/spec 1.bin")
    assert (copied["ContentType"], copied["Metadata"]["by"]) == ("application/pdf", "ada")


def test_every_block_is_run_or_says_why_not():
    for block in ALL:
        place = f"{block.page.name}:{block.line}"
        assert block.language in LANGUAGES, f"{place}: a block in {block.language or 'no language'}"
        assert block.marker is None or block.reason or block.marker == "server", f"{place}: {block.marker}"
        assert block.marker is None or block.language == "sh", place
        if block.language == "sh":
            read = subprocess.run(["sh", "-n", "-c", block.text.replace("…", "x")], capture_output=True, text=True)
            assert read.returncode == 0, f"{place}: {read.stderr}"
    reasons = [block.reason for block in ALL if block.reason]
    assert set(reasons) <= set(NEEDS), reasons
    for reason, most in NEEDS.items():
        assert reasons.count(reason) <= most, reason


def test_commands_and_options_that_the_text_names_exist():
    usage = {}

    def help_of(*command):
        if command not in usage:
            ended = subprocess.run([binary(), *command, "--help"], capture_output=True, text=True)
            usage[command] = ended.stdout if ended.returncode == 0 else None
        return usage[command]

    for page in PAGES:
        spans = re.findall(r"`(hangar [^`]+)`", page.read_text())
        assert page.name != "README.md" or spans
        for span in spans:
            words = span.split()
            assert words[1].startswith("-") or help_of(words[1]), f"{page.name}: {span}"
            shown = help_of(words[1]) or help_of()
            for option in re.findall(r"(?<=\s)--[a-z-]+", span):
                deeper = len(words) > 2 and re.fullmatch("[a-z-]+", words[2]) and help_of(words[1], words[2])
                assert option in (deeper or shown) or option == "--help", f"{page.name}: {span}"


def anchors_of(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors_of(there), target


def test_readme_is_short_and_names_every_page():
    text = (REPOSITORY / "README.md").read_text()
    assert len(text.splitlines()) <= 160
    for page in PAGES[1:]:
        assert f"(docs/{page.name})" in text


def test_the_edit_that_the_guide_shows_is_what_the_script_makes(reader):
    (shown,) = (block.text for block in ALL if block.page.name == "plane.md" and block.language == "yaml")
    reader.run("cp ~/hangar/target/release/hangar plane-app/\n~/hangar/packaging/plane/hangar-compose plane-app/docker-compose.yaml")
    changed = (reader.folder / "plane-app/docker-compose.yaml").read_text()
    assert shown in changed
    assert yaml.safe_load(changed)["services"]["plane-minio"]["volumes"][-1] == "uploads:/export"


def test_the_lines_for_nginx_let_signed_requests_and_links_pass(tmp_path):
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("nginx is not on this machine (Debian: nginx)")
    (shown,) = (block.text for block in ALL if block.language == "nginx")
    server, port = Hangar(tmp_path / "hangar").start(), free_port()
    shown = re.sub("ssl_certificate.*", "", shown.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};"))
    temporary = " ".join(f"{one}_temp_path {tmp_path}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; {'user root;' if os.getuid() == 0 else ''} pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{shown.replace('127.0.0.1:9000', f'127.0.0.1:{server.port}')} }}\n"
    )
    nginx = subprocess.Popen([program, "-p", tmp_path, "-c", config], stderr=subprocess.DEVNULL)
    try:
        direct, server.url = server.url, f"http://127.0.0.1:{port}"
        wait_until(server.is_ready, nginx, lambda: (tmp_path / "error.log").read_text())
        s3 = s3_client(server)
        body = bytes(3 << 20)
        s3.put_object(Bucket="uploads", Key="by proxy.bin", Body=body)
        link = s3.generate_presigned_url("get_object", Params={"Bucket": "uploads", "Key": "by proxy.bin"})
        assert link.startswith(server.url)
        assert requests.get(link, timeout=PATIENCE_SECONDS).content == body
        asked = server.ask(server.make_token()["token"], entity_type="USER_AVATAR", name="me.png", type="image/png", size=1000)
        assert asked["upload_data"]["url"].startswith(server.url), "clients are sent to the proxy"
        form = asked["upload_data"]
        assert requests.post(form["url"], data=form["fields"], files={"file": pictures.png()}, timeout=PATIENCE_SECONDS).status_code == 204
    finally:
        nginx.terminate()
        nginx.wait(PATIENCE_SECONDS)
        server.url = direct
        assert server.stop() == 0


def test_the_unit_names_real_settings_and_a_real_command():
    (shown,) = (block.text for block in ALL if block.language == "ini")
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(shown)
    program, command = unit["Service"]["ExecStart"].split()
    assert program == "/usr/local/bin/hangar"
    assert subprocess.run([binary(), command, "--help"], capture_output=True).returncode == 0
    settings = (REPOSITORY / "docs/settings.md").read_text()
    for name in re.findall(r"^Environment=(\w+)=", shown, re.M):
        assert f"`{name}`" in settings
