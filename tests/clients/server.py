"""The real release binary, started, asked and stopped as a person would."""

import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess

import requests

PATIENCE_SECONDS = 20
ACCESS_KEY = "hangar-judge"
SECRET_KEY = "judge-secret-key-5a7c31e09bd4"
BUCKET = "uploads"
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def binary():
    path = pathlib.Path(os.environ.get("CLIENTS_BINARY", REPOSITORY / "target/release/hangar"))
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: run tests/run clients, or set CLIENTS_BINARY")
    return str(path)


def free_port():
    """A port below those that the system lends to clients, so that none of them takes it while a server is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def bare_environment(**settings):
    """Nothing of the caller's environment but what any process needs: the judges' settings are the only ones."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {name: str(value) for name, value in settings.items()}


def run(*arguments, program=None, **settings):
    """Runs a command to its end, of another program than `binary()` if one is named."""
    return subprocess.run(
        [program or binary(), *map(str, arguments)],
        env=bare_environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


class Hangar:
    """A server on a free port of loopback, with a data folder and a known key pair."""

    def __init__(self, folder, settings=None, command=None, port=None, authority=None, program=None):
        """`settings` add to the defaults below; a value of None takes a default away. With an `authority` it speaks TLS.

        `program` is another hangar than `binary()`.
        """
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = self.folder / "data"
        self.port = port or free_port()
        self.authority = authority
        self.scheme = "https" if authority else "http"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self.bucket = BUCKET
        self.access_key = ACCESS_KEY
        self.secret_key = SECRET_KEY
        defaults = {
            "HANGAR_LISTEN": f"127.0.0.1:{self.port}",
            "HANGAR_DATA_DIR": self.data,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "API_KEY_RATE_LIMIT": "off",
        }
        if authority:
            defaults |= {"HANGAR_TLS_CERT": authority.certificate, "HANGAR_TLS_KEY": authority.key}
        chosen = defaults | (settings or {})
        self.settings = {name: value for name, value in chosen.items() if value is not None}
        self.command = command or ["serve"]
        self.program = program
        self.process = None
        self.starts = 0

    # Life

    def start(self):
        self.launch()
        self.wait_until_ready()
        return self

    def launch(self):
        """Starts the process and does not wait for it to answer."""
        self.starts += 1
        self.stdout = self.folder / f"stdout-{self.starts}"
        self.stderr = self.folder / f"stderr-{self.starts}"
        with self.stdout.open("wb") as stdout, self.stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [self.program or binary(), *map(str, self.command)],
                env=bare_environment(**self.settings),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    def wait_until_ready(self):
        wait_until(lambda: self.is_ready(), self.process, lambda: f"hangar did not become ready:\n{self.said()}")

    def is_ready(self):
        try:
            answer = self.request("GET", "/-/health/ready")
            # A server on a full disk has started as well as any, and answers 503 here.
            return answer.status_code == 200 or "uploads are refused" in answer.json().get("reason", "")
        except requests.ConnectionError:
            return False

    def stop(self, by=signal.SIGTERM):
        """Asks the server to end, and answers its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(by)
        return self.wait_for_its_end()

    def wait_for_its_end(self):
        process, self.process = self.process, None
        try:
            return process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"hangar did not stop:\n{self.said()}") from None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def said(self):
        """All that this server wrote, over all its starts."""
        return "".join(
            path.read_text(errors="replace")
            for path in sorted(self.folder.glob("std*-*"))
        )

    # Asking

    @property
    def verify(self):
        """What requests and boto3 are told of certificates."""
        return str(self.authority.root) if self.authority else None

    def command_line(self, *arguments):
        """A command beside the running server, with the server's own settings."""
        return run(*arguments, program=self.program, **self.settings)

    def make_token(self, user="ada@example.com", *arguments):
        """A fresh token, as `token create --json` prints it."""
        made = self.command_line("token", "create", "--user", user, *arguments, "--json")
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)

    def request(self, method, path, **how):
        """Redirects are not followed: they are answers to judge."""
        how.setdefault("timeout", PATIENCE_SECONDS)
        how.setdefault("allow_redirects", False)
        how.setdefault("verify", self.verify)
        return requests.request(method, self.url + path, **how)

    def ask(self, token, path="/api/v1/assets/user-assets/", **fields):
        """Asks for an upload and answers the decoded JSON."""
        answer = self.request("POST", path, json=fields, headers={"X-API-Key": token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def exchange(self, raw, half_close=False):
        """Sends bytes as they are and reads until the server closes: for what no client library will send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(raw)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    # Looking at the process and the disk

    def memory_bytes(self, field="VmRSS"):
        """Memory of the process, by a field of Linux's `/proc/PID/status`: VmRSS is now, VmHWM the most that it was."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * 1024

    def blobs(self):
        return sorted(path.name for path in (self.data / "@hangar/blobs").rglob("*") if path.is_file())

    def holds_on_disk(self, needle):
        """Whether the log or a blob holds these bytes."""
        for part in ("log", "blobs"):
            for path in (self.data / "@hangar" / part).rglob("*"):
                if path.is_file() and needle in path.read_bytes():
                    return True
        return False


def flip(path, at, bit=0):
    """Flips one bit of a file, which stays the same file."""
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def with_few_files(folder, files):
    """A program that runs the binary with so many files open at most, for `CLIENTS_BINARY`."""
    wrapper = folder / "hangar-with-few-files"
    wrapper.write_text(f'#!/bin/sh\nulimit -n {files}\nexec "{binary()}" "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


def wait_until(holds, process, complaint):
    """Tries again and again while the process lives; its end is noticed at once."""
    for _ in range(PATIENCE_SECONDS * 100):
        if holds():
            return
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it ended with exit code {process.returncode}: {complaint()}")
    raise AssertionError(complaint())
