"""The servers that are measured: each is started on a free port of loopback with a fresh folder, and ended again."""

import contextlib
import importlib.util
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

import requests

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/clients"))

import policy  # noqa: E402
import server  # noqa: E402

WORK = REPOSITORY / "target/bench"
PEERS = WORK / "peers"
CORES = os.cpu_count()
KILOBYTES_50 = 50 * 1024
PNG = b"\x89PNG\r\n\x1a\n"


class Absent(Exception):
    """A peer that cannot be had here, and why."""


def fresh_folder(name):
    """On the disk that is measured, whatever lay there before."""
    folder = WORK / "work" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def picture(size=KILOBYTES_50):
    return PNG + os.urandom(size - len(PNG))


def process_tree(pid):
    """A process and all that it started, so that the workers of a server count."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [each for child in children for each in process_tree(int(child))]


def memory(pid):
    """VmRSS, VmHWM and RssAnon of a process, in bytes. proc_pid_status(5)."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(told[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM", "RssAnon")}


@contextlib.contextmanager
def chosen(binary):
    """`tests/clients/server.py` finds its binary in the environment."""
    before = os.environ.get("CLIENTS_BINARY")
    os.environ["CLIENTS_BINARY"] = str(binary)
    try:
        yield
    finally:
        if before is None:
            del os.environ["CLIENTS_BINARY"]
        else:
            os.environ["CLIENTS_BINARY"] = before


class Hangar(server.Hangar):
    """One build of hangar; several may run beside each other."""

    def __init__(self, name, binary, settings=None):
        self.name = name
        self.binary = binary
        super().__init__(fresh_folder(name), settings=settings)

    def launch(self):
        with chosen(self.binary):
            super().launch()

    def command_line(self, *arguments):
        with chosen(self.binary):
            return super().command_line(*arguments)

    @property
    def pids(self):
        return [self.process.pid]

    def upload_asset(self, token, content, name="me.png"):
        """As Plane does it: ask, then post the form. Answers where the picture is served."""
        made = self.ask(token, entity_type="USER_AVATAR", name=name, type="image/png", size=len(content))
        fields = list(made["upload_data"]["fields"].items())
        form = policy.multipart(fields + [("file", content)], filename=name, file_type="image/png")
        answer = policy.post(self, f"/{self.bucket}", form)
        assert answer.status_code == 204, answer.text
        return made["asset_url"]


class Process:
    """A server that is no hangar."""

    name = None
    process = None

    def __init__(self):
        self.folder = fresh_folder(self.name)
        self.port = server.free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        log = (self.folder / "log").open("wb")
        with log:
            self.process = subprocess.Popen(
                list(map(str, self.command())),
                cwd=self.folder,
                env=server.bare_environment() | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        server.wait_until(self.is_ready, self.process, lambda: (self.folder / "log").read_text(errors="replace"))
        return self

    def environment(self):
        return {}

    def is_ready(self):
        try:
            requests.get(self.url, timeout=5)
            return True
        except requests.ConnectionError:
            return False

    def request(self, method, path, **how):
        return requests.request(method, self.url + path, timeout=20, allow_redirects=False, **how)

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    @property
    def pids(self):
        return process_tree(self.process.pid)


class Bare(Process):
    """An actix handler that answers from memory what hangar answered, and writes uploads as the floor does."""

    name = "bare actix"

    def __init__(self, program, answer=None, not_modified=None):
        super().__init__()
        self.program = program
        self.answer = self.folder / "answer.json"
        self.body = self.folder / "body"
        headers = captured(answer) if answer is not None else [("etag", '"none"')]
        self.answer.write_text(
            json.dumps({
                "headers": headers,
                "not_modified_headers": captured(not_modified) if not_modified is not None else headers,
            })
        )
        self.body.write_bytes(answer.content if answer is not None else b"nothing")

    def command(self):
        return [self.program, "bare", "--port", self.port, "--answer", self.answer, "--body", self.body,
                "--folder", self.folder / "files"]


def captured(answer):
    """The headers of an answer, less those that every server makes itself."""
    own = ("date", "content-length", "connection", "keep-alive")
    return [(name, value) for name, value in answer.raw.headers.items() if name.lower() not in own]


class Nginx(Process):
    """Debian's, with sendfile and an open file cache: what a static server in C can do here."""

    name = "nginx"

    def __init__(self, answer=None):
        super().__init__()
        self.program = shutil.which("nginx") or installed_from_debian("nginx-light", "nginx")
        self.files = self.folder / "files"
        self.files.mkdir()
        given = {} if answer is None else dict(captured(answer))
        # What nginx makes of the file itself.
        made = ("etag", "last-modified", "accept-ranges", "content-type")
        headers = "\n".join(
            f"        add_header {name} {json.dumps(value)};" for name, value in given.items() if name.lower() not in made
        )
        kind = {name.lower(): value for name, value in given.items()}.get("content-type", "application/octet-stream")
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = 100_000 if files == resource.RLIM_INFINITY else files
        (self.folder / "nginx.conf").write_text(f"""\
daemon off;
{"user root;" if os.getuid() == 0 else ""}
worker_processes {CORES};
worker_rlimit_nofile {files};
pid {self.folder}/pid;
error_log {self.folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    open_file_cache max={max(files - 4096, files // 2)} inactive=600s;
    open_file_cache_valid 600s;
    server_tokens off;
    types {{ }}
    default_type {kind};
    {" ".join(f"{one}_temp_path {self.folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
    server {{
        listen 127.0.0.1:{self.port};
        root {self.files};
{headers}
    }}
}}
""")

    def command(self):
        return [self.program, "-p", self.folder, "-c", self.folder / "nginx.conf"]

    def put(self, name, content):
        (self.files / name).write_bytes(content)
        return f"/{name}"


class S3Peer(Process):
    """Somebody else's S3 server, with a bucket and a key pair as hangar's judges have them."""

    bucket = server.BUCKET
    access_key = server.ACCESS_KEY
    secret_key = server.SECRET_KEY
    region = "us-east-1"

    def __init__(self):
        super().__init__()
        self.program = self.installed()
        self.files = self.folder / "files"
        self.files.mkdir()


class S3sFs(S3Peer):
    name = "s3s-fs"
    # The last that builds with the Rust that hangar is built with.
    version = "0.14.1"

    def installed(self):
        return installed(
            PEERS / "bin/s3s-fs",
            ["cargo", "install", f"s3s-fs@{self.version}", "--features", "binary", "--locked", "--quiet",
             "--root", PEERS, "--target-dir", WORK / "build"],
        )

    def command(self):
        (self.files / self.bucket).mkdir()
        return [self.program, "--host", "127.0.0.1", "--port", self.port, "--access-key", self.access_key,
                "--secret-key", self.secret_key, self.files]

    def environment(self):
        return {"RUST_LOG": "off"}


class S3rver(S3Peer):
    name = "s3rver"
    version = "3.7.1"
    # Its own, which cannot be changed on its command line.
    access_key = secret_key = "S3RVER"

    def installed(self):
        return installed(
            PEERS / "node_modules/.bin/s3rver",
            ["npm", "install", "--prefix", PEERS, "--no-audit", "--no-fund", "--loglevel=error", f"s3rver@{self.version}"],
        )

    def command(self):
        return [self.program, "--directory", self.files, "--address", "127.0.0.1", "--port", self.port, "--silent",
                "--configure-bucket", self.bucket]


class Moto(S3Peer):
    """It keeps objects in memory, and looks at no signature."""

    name = "moto"

    def installed(self):
        if importlib.util.find_spec("moto") is None:
            raise Absent("this Python has no moto: tests/bench/run makes one that has")
        return sys.executable

    def command(self):
        return [self.program, "-c", QUIET_MOTO, "-H", "127.0.0.1", "-p", self.port]

    def environment(self):
        return {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}

    def start(self):
        super().start()
        made = requests.put(f"{self.url}/{self.bucket}", timeout=20)
        assert made.status_code == 200, made.text
        return self


# A line for each request is no part of what is measured.
QUIET_MOTO = "import logging, moto.server; logging.getLogger('werkzeug').setLevel(logging.ERROR); moto.server.main()"


def installed(program, command):
    """Runs what installs a program, unless it is there."""
    if not program.exists():
        if shutil.which(command[0]) is None:
            raise Absent(f"{command[0]}, which installs it, is not here")
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode != 0 or not program.exists():
            raise Absent(f"{' '.join(map(str, command))} failed: {done.stderr.strip()[-300:]}")
    return program


def installed_from_debian(package, program):
    if shutil.which("apt-get") is None or os.getuid() != 0:
        raise Absent(f"{program} is not here, and only root can install Debian's {package}")
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", package]):
        done = subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, text=True)
        if done.returncode != 0:
            raise Absent(f"{program} is not here, and {' '.join(command)} failed: {done.stderr.strip()[-200:]}")
    return shutil.which(program)


def quiet(seconds=5):
    """Waits until the disk has nothing to do, so that one measurement does not pay for the one before."""
    os.sync()
    ends = time.monotonic() + seconds
    before = written()
    while time.monotonic() < ends:
        time.sleep(0.2)
        now = written()
        if now - before < 128:
            return
        before = now


def written():
    """Sectors written to all disks so far. proc_diskstats(5)."""
    lines = pathlib.Path("/proc/diskstats").read_text().splitlines()
    return sum(int(line.split()[9]) for line in lines if not line.split()[2].startswith(("loop", "ram")))
