"""Commands that fail name the cause, and the setting, file or line to change."""

import contextlib
import datetime
import fcntl
import http.server
import json
import os
import ssl
import subprocess
import threading

import pytest
import trustme

import pictures
from commands import CHANGING, LOOKING, OTHER_USER, as_other_user, name
from server import Hangar, flip, free_port, run

TOKEN = "plane_api_" + "0" * 32


# hangar upload


class Scripted:
    """A server that answers each path with a status, a type and a body."""

    def __init__(self, answers, context=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, headers, body = answers(self.path)
                self.send_response(status)
                for field, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(field, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                """A client that does not trust the certificate goes away."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


HTML = {"Content-Type": "text/html"}
PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr><center>nginx</center></body></html>"


def page(status, **headers):
    return status, HTML | headers, PAGE.format(status)


def says(status, **body):
    return status, {"Content-Type": "application/json"}, json.dumps(body)


def s3_error(status, code):
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>The reason.</Message></Error>'
    return status, {"Content-Type": "application/xml"}, body


def reserved(url):
    return says(200, upload_data={"url": url, "fields": {"key": "a"}}, asset_id="ID", asset_url="/api/assets/v2/static/ID/")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "me.png"
    path.write_bytes(pictures.png())
    return path


def refusal(file, url, **settings):
    """The one sentence of an upload that fails."""
    done = run("upload", file, "--token", TOKEN, "--url", url, **settings)
    assert (done.returncode, done.stdout) == (1, ""), done
    (sentence,) = done.stderr.strip().splitlines()
    assert sentence.startswith("hangar: ") and TOKEN not in sentence
    return sentence


OF_THE_API = [
    (page(413), ["413", "proxy", "client_max_body_size"], ["FILE_SIZE_LIMIT"]),
    (page(502), ["502", "proxy_pass", "runs"], ["no server answers"]),
    (page(503), ["503", "proxy_pass"], []),
    (page(504), ["504", "proxy_pass"], []),
    (page(301, Location="https://files.example.com/api/v1/assets/user-assets/"), ["https://files.example.com:", "--url"], []),
    (page(401, **{"WWW-Authenticate": "Basic"}), ["401", "proxy"], ["HANGAR_TOKEN"]),
    (page(403), ["403", "firewall"], ["HANGAR_TOKEN"]),
    (says(401, detail="no"), ["HANGAR_TOKEN"], []),
    (says(403, detail="Given API token is not valid"), ["HANGAR_TOKEN", "Given API token is not valid"], []),
    (page(404), ["404", "--url"], []),
    (page(200), ["200", "--url"], []),
    (says(413, error="too large"), ["413"], ["client_max_body_size"]),
    (page(400) [:2] + ("The plain HTTP request was sent to HTTPS port",), ["https://", "--url"], []),
]


@pytest.mark.parametrize("answer, named, unnamed", OF_THE_API, ids=lambda value: str(value[0]) if isinstance(value, tuple) else "")
def test_a_refused_upload_request_names_the_cause(file, answer, named, unnamed):
    with Scripted(lambda _: answer) as server:
        sentence = refusal(file, f"http://127.0.0.1:{server.port}")
    assert all(word in sentence for word in named), sentence
    assert not any(word in sentence for word in unnamed), sentence


OF_THE_FORM = [
    (page(413), ["413", "proxy", "client_max_body_size"], ["FILE_SIZE_LIMIT"]),
    ((413, {}, ""), ["413", "proxy"], ["FILE_SIZE_LIMIT"]),
    (s3_error(400, "EntityTooLarge"), ["FILE_SIZE_LIMIT"], ["proxy"]),
    (s3_error(413, "EntityTooLarge"), ["FILE_SIZE_LIMIT"], ["proxy"]),
    (page(502), ["502", "proxy_pass"], []),
    (page(503), ["503", "proxy_pass"], []),
    (s3_error(503, "SlowDown"), ["look at its log"], ["proxy_pass"]),
    (page(504), ["504", "proxy_pass"], []),
    (s3_error(501, "NotImplemented"), ["501", "POST Object", "AWS_S3_ENDPOINT_URL"], []),
    (page(501), ["501", "POST Object"], []),
    (s3_error(405, "MethodNotAllowed"), ["405", "POST Object"], []),
    (page(405), ["405", "POST Object"], []),
    (page(403), ["403", "proxy"], []),
    (page(404), ["404", "HANGAR_PUBLIC_URL"], []),
    (page(308, Location="https://files.example.com/uploads"), ["https://files.example.com:", "HANGAR_PUBLIC_URL"], ["--url"]),
    (s3_error(403, "SignatureDoesNotMatch"), ["HANGAR_PUBLIC_URL", "proxy_set_header Host $http_host"], []),
]


@pytest.mark.parametrize("answer, named, unnamed", OF_THE_FORM, ids=lambda value: str(value[0]) if isinstance(value, tuple) else "")
def test_a_refused_upload_names_the_cause(file, answer, named, unnamed):
    port = None

    def answers(path):
        return reserved(f"http://127.0.0.1:{port}/uploads") if path.startswith("/api/") else answer

    with Scripted(answers) as server:
        port = server.port
        sentence = refusal(file, f"http://127.0.0.1:{port}")
    assert all(word in sentence for word in named), sentence
    assert not any(word in sentence for word in unnamed), sentence


@pytest.mark.parametrize(
    "address, named",
    [
        ("http://127.0.0.1:{closed}", "no server answers at http://127.0.0.1:{closed}"),
        ("http://files.invalid", "the name in http://files.invalid is not known"),
    ],
)
def test_an_unreachable_upload_address_is_not_reported_as_a_dead_server(file, address, named):
    closed = free_port()
    with Scripted(lambda _: reserved(address.format(closed=closed) + "/uploads")) as server:
        url = f"http://127.0.0.1:{server.port}"
        sentence = refusal(file, url)
    assert f"{url} sends uploads to" in sentence and named.format(closed=closed) in sentence
    assert "HANGAR_PUBLIC_URL" in sentence and "AWS_S3_ENDPOINT_URL" in sentence
    assert "start one" not in sentence and "--url" not in sentence


def test_a_missing_server_is_reported(file):
    port = free_port()
    sentence = refusal(file, f"http://127.0.0.1:{port}")
    assert f"no server answers at http://127.0.0.1:{port}" in sentence and "hangar serve" in sentence and "--url" in sentence
    sentence = refusal(file, "http://files.invalid")
    assert "the name in http://files.invalid is not known" in sentence and "--url" in sentence
    with Scripted(lambda _: page(200)) as server:
        sentence = refusal(file, f"https://127.0.0.1:{server.port}")
    assert "does not speak TLS" in sentence and "http://" in sentence


def context_of(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def test_a_refused_certificate_is_reported_with_the_reason(file, tmp_path):
    authority = trustme.CA()
    root = tmp_path / "root.pem"
    authority.cert_pem.write_to_path(str(root))
    now = datetime.datetime.now()
    day = datetime.timedelta(days=1)
    cases = [
        (authority.issue_cert("127.0.0.1"), {}, ["authority", "SSL_CERT_FILE"]),
        (authority.issue_cert("127.0.0.1", not_before=now - 9 * day, not_after=now - day), {"SSL_CERT_FILE": root}, ["has expired", "HANGAR_TLS_CERT"]),
        (authority.issue_cert("127.0.0.1", not_before=now + day, not_after=now + 9 * day), {"SSL_CERT_FILE": root}, ["not valid yet", "clock"]),
        (authority.issue_cert("files.example.com"), {"SSL_CERT_FILE": root}, ["another name", "--url"]),
    ]
    for certificate, settings, named in cases:
        with Scripted(lambda _: says(403, detail="no"), context_of(certificate)) as server:
            sentence = refusal(file, f"https://127.0.0.1:{server.port}", **settings)
        assert all(word in sentence for word in named), sentence
        assert "no server answers" not in sentence
    with Scripted(lambda _: says(403, detail="no"), context_of(authority.issue_cert("127.0.0.1"))) as server:
        assert "HANGAR_TOKEN" in refusal(file, f"https://127.0.0.1:{server.port}", SSL_CERT_FILE=root)


def test_a_refused_certificate_of_the_upload_address_is_reported(file):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    with Scripted(lambda _: page(200), context_of(certificate)) as uploads:
        address = f"https://127.0.0.1:{uploads.port}"
        with Scripted(lambda _: reserved(f"{address}/uploads")) as server:
            sentence = refusal(file, f"http://127.0.0.1:{server.port}")
    assert address in sentence and "SSL_CERT_FILE" in sentence


def test_plain_http_to_a_tls_server_is_reported(file, tmp_path, authority):
    hangar = Hangar(tmp_path / "tls", authority=authority).start()
    try:
        sentence = refusal(file, f"http://127.0.0.1:{hangar.port}")
        assert "speaks HTTPS" in sentence and "https://" in sentence
        wrong = refusal(file, hangar.url, SSL_CERT_FILE=authority.root)
        assert "HANGAR_TOKEN" in wrong and "token create" in wrong
    finally:
        assert hangar.stop() == 0


def test_an_address_with_a_path_is_a_wrong_use_that_says_so(file):
    done = run("upload", file, "--token", TOKEN, "--url", "http://127.0.0.1:9000/minio")
    assert done.returncode == 2 and "without a path" in done.stderr and "http://127.0.0.1:9000/minio" in done.stderr


def test_upload_finds_the_server_by_its_own_settings(start_hangar, file):
    hangar = start_hangar()
    token = hangar.make_token()["token"]
    done = run("upload", file, HANGAR_TOKEN=token, HANGAR_LISTEN=f":{hangar.port}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(hangar.url)


# Commands and their folder


COMMANDS = LOOKING + CHANGING
SOME = [["fsck"], ["token", "list"], ["token", "create", "--user", "ada@example.com"], ["gc", "--dry-run"], ["gc"]]


@pytest.fixture
def stopped(start_hangar):
    hangar = start_hangar()
    assert hangar.stop() == 0
    return hangar.data


def fails(data, command, *words, code=1, by=run):
    """It ends with one sentence that names the folder and these."""
    done = by(*command, "--json" if command[0] in ("fsck", "gc") else "--quiet", HANGAR_DATA_DIR=data)
    assert (done.returncode, done.stdout) == (code, ""), (command, done)
    sentence = done.stderr.strip().splitlines()[-1]
    for word in (str(data), *words):
        assert word in sentence, f"{name(command)}: {sentence}"
    return sentence


@pytest.mark.parametrize("command", COMMANDS, ids=name)
def test_a_data_folder_that_is_not_a_folder_is_reported(tmp_path, command):
    (tmp_path / "file").write_text("")
    assert "is not a folder" in fails(tmp_path / "file", command, "HANGAR_DATA_DIR")
    assert "is not a folder" in fails(tmp_path / "file/below", command, "HANGAR_DATA_DIR")
    assert "there is no folder" in fails(tmp_path / "none", command, "HANGAR_DATA_DIR")


@pytest.fixture
def theirs(open_folder):
    """A stopped folder that belongs to root, where others can reach it."""
    hangar = Hangar(open_folder / "hangar").start()
    assert hangar.stop() == 0
    os.chmod(hangar.folder, 0o755)
    return hangar.data


@pytest.mark.parametrize("command", COMMANDS, ids=name)
def test_a_data_folder_without_permission_is_reported_with_its_owner(theirs, command):
    words = ["permission denied", "user 0", f"user {OTHER_USER}"]
    sentence = fails(theirs, command, *words, by=as_other_user)
    assert "no data" not in sentence and "as the user that owns it" in sentence


@pytest.mark.parametrize("file", ["hangar.db", "lock", "log", "a segment", "checkpoint"])
@pytest.mark.parametrize("command", SOME + [["rebuild"], ["serve", "--listen", "127.0.0.1:0"]], ids=name)
def test_a_file_in_the_folder_that_is_closed_to_this_user_is_named(theirs, command, file):
    home = theirs / "@hangar"
    for path in [theirs, *theirs.rglob("*")]:
        os.chown(path, OTHER_USER, OTHER_USER)
    path = min((home / "log").iterdir()) if file == "a segment" else home / file
    os.chown(path, 0, 0)
    os.chmod(path, 0o700 if path.is_dir() else 0o600)
    done = as_other_user(*command, HANGAR_DATA_DIR=theirs)
    assert done.returncode == 1, done
    sentence = done.stderr.strip().splitlines()[-1]
    assert str(path) in sentence and "user 0" in sentence and f"user {OTHER_USER}" in sentence, sentence
    assert "chown" in sentence or "as the user that owns it" in sentence


@pytest.mark.parametrize("run_file", ["nothing", "stale", "of another program"])
def test_a_locked_data_folder_without_a_reachable_server_is_reported(stopped, run_file):
    file = stopped / "@hangar/run"
    with Scripted(lambda _: page(404)) as server, (stopped / "@hangar/lock").open() as lock:
        if run_file != "nothing":
            port = free_port() if run_file == "stale" else server.port
            file.write_text(json.dumps({"address": f"127.0.0.1:{port}", "secret": "x"}))
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["token", "list"], ["token", "create", "--user", "ada@example.com"]):
            sentence = fails(stopped, command, str(file), "docker exec")
            assert (f"127.0.0.1:{port}" in sentence) if run_file != "nothing" else ("is missing" in sentence)
        sentence = fails(stopped, ["rebuild"], "stop it")


def test_a_run_file_without_permission_is_reported(theirs):
    for path in [theirs, *theirs.rglob("*")]:
        os.chown(path, OTHER_USER, OTHER_USER)
    hangar = Hangar(theirs.parent / "server", {"HANGAR_DATA_DIR": theirs}).start()
    try:
        file = theirs / "@hangar/run"
        os.chown(file, 0, 0)
        sentence = fails(theirs, ["token", "list"], str(file), by=as_other_user)
        assert "as the server's user" in sentence
    finally:
        assert hangar.stop() == 0


@contextlib.contextmanager
def mounted(*arguments, at):
    try:
        done = subprocess.run(["mount", *map(str, arguments), str(at)], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount on this machine")
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def test_a_folder_on_a_read_only_disk_can_be_read_and_a_write_is_reported(stopped):
    with mounted("--bind", stopped, at=stopped):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(stopped)], check=True)
        for command in LOOKING:
            done = run(*command, HANGAR_DATA_DIR=stopped)
            assert done.returncode == 0, done
        for command in CHANGING:
            assert "read-only" in fails(stopped, command)


def test_a_backup_to_a_read_only_or_full_disk_or_a_file_is_reported(stopped, tmp_path):
    to = tmp_path / "to"
    to.mkdir()
    with mounted("-t", "tmpfs", "-o", "ro", "tmpfs", at=to):
        done = run("backup", to / "backup", HANGAR_DATA_DIR=stopped)
        assert done.returncode == 1 and str(to / "backup") in done.stderr and "read-only" in done.stderr
    with mounted("-t", "tmpfs", "-o", "size=64k", "tmpfs", at=to):
        done = run("backup", to / "backup", HANGAR_DATA_DIR=stopped)
        assert done.returncode == 1 and str(to / "backup") in done.stderr and "full" in done.stderr, done.stderr
    (tmp_path / "file").write_text("")
    done = run("backup", tmp_path / "file", HANGAR_DATA_DIR=stopped)
    assert done.returncode == 1 and f"{tmp_path / 'file'} is not a folder" in done.stderr


def test_a_full_disk_is_reported(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=48m", "tmpfs", at=disk):
        hangar = Hangar(tmp_path / "server", {"HANGAR_DATA_DIR": disk / "data"}).start()
        assert hangar.stop() == 0
        with pytest.raises(OSError), (disk / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(1 << 16))
                filler.flush()
        for command in LOOKING:
            done = run(*command, HANGAR_DATA_DIR=disk / "data")
            assert done.returncode == 0, done
        # What was kept for this goes first: deleting must be possible.
        for at in range(2000):
            done = run("access-key", "create", "--name", "x" * 200, HANGAR_DATA_DIR=disk / "data")
            if done.returncode:
                break
            with contextlib.suppress(OSError), (disk / "filler").open("ab") as filler:
                filler.write(bytes(1 << 20))
        assert done.returncode == 1 and "full" in done.stderr, done


@pytest.mark.parametrize("command", [["fsck"], ["token", "list"], ["rebuild"]], ids=name)
def test_a_damaged_log_is_reported_with_its_folder(stopped, command):
    (log,) = (stopped / "@hangar/log").iterdir()
    flip(log, 3)
    for path in (stopped / "@hangar").glob("*.db"):
        path.unlink()
    assert "restore" in fails(stopped, command)


def test_a_refused_restore_names_the_cause(tmp_path, start_hangar):
    hangar = start_hangar()
    assert run("backup", tmp_path / "backup", HANGAR_DATA_DIR=hangar.data).returncode == 0
    (tmp_path / "file").write_text("")
    for source, to, words in (
        (tmp_path / "none", tmp_path / "new", [str(tmp_path / "none"), "hangar backup"]),
        (tmp_path / "backup", tmp_path / "file", [str(tmp_path / "file"), "not a folder"]),
        (tmp_path / "backup", hangar.data, [str(hangar.data), "holds data already", "--data-dir"]),
    ):
        done = run("restore", source, "--data-dir", to)
        assert (done.returncode, done.stdout) == (1, "")
        assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "new").exists()
