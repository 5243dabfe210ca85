"""Pipelined requests: hangar answers each as nginx does, in whatever pieces they arrive."""

import random
import shutil
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field

import pytest

from clients import s3_client
from server import BUCKET, PATIENCE_SECONDS, Hangar, free_port

SEED = 20_261_130
PIPELINES = 60
FILES = {"empty": b"", "small": b"0123456789", "page": random.Random(1).randbytes(5_000), "large": random.Random(2).randbytes(90_000)}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """hangar and nginx, with the same files, readable without a signature."""
    hangar = Hangar(tmp_path_factory.mktemp("hangar"), settings={"HANGAR_LOG": "warn"}).start()
    s3 = s3_client(hangar)
    policy = f'{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{BUCKET}/*"}}]}}'
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
    for name, body in FILES.items():
        s3.put_object(Bucket=BUCKET, Key=name, Body=body)
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin") or shutil.which("nginx")
    nginx = Nginx(program, tmp_path_factory.mktemp("nginx")) if program else None
    yield hangar, nginx
    if nginx:
        nginx.stop()
    assert hangar.stop() == 0, hangar.said()
    assert "panicked" not in hangar.said()


class Nginx:
    def __init__(self, program, folder):
        self.port = free_port()
        files = folder / "files" / BUCKET
        files.mkdir(parents=True)
        folder.chmod(0o755)
        for name, body in FILES.items():
            (files / name).write_bytes(body)
        temporary = " ".join(f"{one}_temp_path {folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"""\
daemon off;
{"user root;" if __import__("os").getuid() == 0 else ""}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 0;
    large_client_header_buffers 4 16k;
    {temporary}
    types {{ }}
    default_type application/octet-stream;
    server {{ listen 127.0.0.1:{self.port}; root {folder}/files; }}
}}
""")
        self.process = subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert time.monotonic() < until and self.process.poll() is None, (folder / "error.log").read_text()
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait()


@dataclass
class Request:
    raw: bytes
    method: str = "GET"
    # A server may answer it and then close.
    may_end: bool = False


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict = field(repr=False)
    closes: bool = False

    def meaning(self):
        """What both servers must agree on."""
        body = self.body if self.status in (200, 206) else None
        return self.status, self.headers.get("content-range"), body


class Broken(Exception):
    pass


def read_answer(stream, method):
    line = stream.readline()
    if not line:
        return None
    version, status, *_ = line.split(b" ", 2)
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or not status.isdigit():
        raise Broken(f"no status line: {line[:100]!r}")
    headers = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, colon, value = line.partition(b":")
        if not colon:
            raise Broken(f"no header: {line[:100]!r}")
        headers[name.decode().lower()] = value.strip().decode()
    status = int(status)
    if 100 <= status < 200:
        return read_answer(stream, method)
    if method == "HEAD" or status in (204, 304):
        body = b""
    elif headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    elif "content-length" in headers:
        body = stream.read(int(headers["content-length"]))
        if len(body) != int(headers["content-length"]):
            raise Broken("a body ended early")
    else:
        body = stream.read()
    return Answer(status, body, headers, headers.get("connection", "").lower() == "close")


def exchange(port, requests, cuts=()):
    """Sends the requests in pieces that are cut at these places, and reads an answer to each until the server closes."""
    raw = b"".join(request.raw for request in requests)
    places = sorted({0, len(raw), *cuts})
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for at, (begin, end) in enumerate(zip(places, places[1:])):
                if at:
                    # Long enough that the server reads each piece by itself, mostly.
                    time.sleep(0.002)
                connection.sendall(raw[begin:end])
        except OSError:
            # It closed after an answer that said so.
            pass
        stream, answers = connection.makefile("rb"), []
        try:
            for request in requests:
                answer = read_answer(stream, request.method)
                if answer is None:
                    break
                answers.append(answer)
                if answer.closes:
                    if rest := stream.read():
                        raise Broken(f"more after the last answer: {rest[:100]!r}")
                    break
        except ConnectionResetError:
            pass
        return answers


def head(method, name, *headers, version="1.1"):
    lines = [f"{method} /{BUCKET}/{name} HTTP/{version}", "Host: localhost", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def some_request(choice):
    name = choice.choice(list(FILES))
    kind = choice.randrange(12)
    if kind < 4:
        return Request(head("GET", name))
    if kind < 6:
        return Request(head("HEAD", name), "HEAD")
    if kind == 6:
        first = choice.randrange(0, 9)
        return Request(head("GET", choice.choice(["small", "page", "large"]), f"Range: bytes={first}-{first + choice.randrange(200)}"))
    if kind == 7:
        return Request(head("GET", "no-such-file-" + "x" * choice.randrange(500)), may_end=False)
    if kind == 8:
        return Request(head("GET", name, "Cookie: " + "c" * choice.randrange(1, 7_000)))
    if kind == 9:
        return Request(b"\r\n" + head("GET", name))
    if kind == 10:
        body = choice.randbytes(choice.randrange(1, 9_000))
        return Request(head("GET", name, f"Content-Length: {len(body)}") + body, may_end=True)
    pieces = [choice.randbytes(choice.randrange(1, 3_000)) for _ in range(choice.randrange(4))]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return Request(head("GET", name, "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n", may_end=True)


def missing_as_404(answers):
    # Where the policy does not let the client list, S3 answers 403 for a key that is not there.
    return [(404 if status == 403 else status, *rest) for status, *rest in (answer.meaning() for answer in answers)]


def agree(requests, ours, theirs, told):
    """hangar may close after a request whose body no handler reads, and says so then; else it answers as nginx does."""
    ours, theirs = missing_as_404(ours), missing_as_404(theirs)
    assert ours == theirs[: len(ours)], told
    if len(ours) < len(theirs):
        assert ours and requests[len(ours) - 1].may_end, f"{told}: {len(ours)} of {len(theirs)} answers"


def both(pair, requests, cuts=(), told=""):
    hangar, nginx = pair
    if nginx is None:
        pytest.skip("nginx is not here")
    agree(requests, exchange(hangar.port, requests, cuts), exchange(nginx.port, requests, cuts), told)


@pytest.mark.parametrize("number", range(PIPELINES))
def test_a_random_pipeline_is_answered_as_nginx_answers_it(pair, number):
    choice = random.Random(SEED + number)
    requests = [some_request(choice) for _ in range(choice.randrange(2, 12))]
    length = sum(len(request.raw) for request in requests)
    cuts = choice.sample(range(1, length), min(length - 1, choice.choice([0, 1, 3, 10, 25])))
    both(pair, requests, cuts, f"seed {SEED + number}, cut at {sorted(cuts)}")


def expected(requests, answers, told):
    """Without nginx: each answer is the file's, in order."""
    assert len(answers) == len(requests), told
    for request, answer in zip(requests, answers):
        name = request.raw.split(b" ")[1].decode().rsplit("/", 1)[1]
        assert answer.status == 200, told
        assert int(answer.headers["content-length"]) == len(FILES[name]), told
        assert answer.body == (b"" if request.method == "HEAD" else FILES[name]), told


def test_a_short_pipeline_is_answered_alike_wherever_it_is_cut(pair):
    hangar, _ = pair
    requests = [Request(head("GET", "small")), Request(head("HEAD", "page"), "HEAD"), Request(head("GET", "small"))]
    length = sum(len(request.raw) for request in requests)
    for cut in range(1, length):
        expected(requests, exchange(hangar.port, requests, [cut]), f"cut at {cut}")


def test_chunked_bodies_end_where_they_end_wherever_they_are_cut(pair):
    """To a handler that reads its body whole, and keeps the connection."""
    hangar, _ = pair
    key = str(uuid.uuid4())
    chunks = b"4;x=y\r\nabcd\r\n0A\r\n0123456789\r\n0\r\nT: v\r\n\r\n"
    put = Request(head("PUT", key, "Transfer-Encoding: chunked") + chunks, "PUT")
    requests = [put, Request(head("GET", "small"))]
    for cut in range(1, len(put.raw) + 20):
        answers = exchange(hangar.port, requests, [cut])
        assert [answer.status for answer in answers] in ([403, 200], [403]), f"cut at {cut}: {answers}"
        if len(answers) == 1:
            assert answers[0].closes
        else:
            assert answers[1].body == FILES["small"]


def test_two_hundred_requests_in_one_write_get_two_hundred_answers(pair):
    hangar, _ = pair
    requests = [Request(head(method, "small"), method) for method in ("GET", "HEAD") * 100]
    expected(requests, exchange(hangar.port, requests), "in one write")


@pytest.mark.parametrize("filler", ["name", "spaces", "lines"])
def test_a_head_without_end_is_refused_and_ends_the_connection(pair, filler):
    hangar, _ = pair
    long = {
        "name": head("GET", "small")[:-2] + b"X" * 40_000 + b": y\r\n\r\n",
        "spaces": head("GET", "small")[:-2] + b"X:" + b" " * 40_000 + b"y\r\n\r\n",
        "lines": head("GET", "small")[:-2] + b"".join(b"X-%d: %s\r\n" % (at, b"y" * 500) for at in range(80)) + b"\r\n",
    }[filler]
    answers = exchange(hangar.port, [Request(head("GET", "small")), Request(long), Request(head("GET", "small"))], [60, 9_000, 30_000])
    assert [answer.status for answer in answers] == [200, 431]
    assert answers[1].closes and b"<Code>" in answers[1].body


@pytest.mark.parametrize(
    "trick",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length : 5\r\n",
        b"X: y\r\n Content-Length: 5\r\n",
        b"Content-Length: 5\rX: y\r\n",
        b"Host: other\r\n",
        b"\x00X: y\r\n",
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_an_ambiguous_head_is_refused_and_nothing_after_it_is_read(pair, trick, cut):
    hangar, _ = pair
    tricky = head("POST", "small")[:-2] + trick + b"\r\n0\r\n\r\n"
    requests = [Request(head("GET", "small")), Request(tricky, "POST"), Request(head("GET", "page"))]
    begins = len(requests[0].raw)
    answers = exchange(hangar.port, requests, range(begins, begins + len(tricky), 7) if cut else ())
    assert [answer.status for answer in answers] == [200, 400], answers
    assert answers[1].closes


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize(
    "upgrade",
    [
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
        ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
    ],
)
def test_a_request_to_upgrade_is_answered_and_nothing_after_it_is_read(pair, upgrade, version):
    hangar, _ = pair
    requests = [Request(head("GET", "small")), Request(head("GET", "small", *upgrade, version=version)), Request(head("GET", "page"))]
    answers = exchange(hangar.port, requests)
    assert [answer.status for answer in answers] == [200, 200]
    assert "upgrade" not in answers[1].headers.get("connection", "")


def test_a_tunnel_is_refused_and_nothing_after_it_is_read(pair):
    hangar, _ = pair
    connect = Request(b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "CONNECT")
    answers = exchange(hangar.port, [Request(head("GET", "small")), connect, Request(head("GET", "page"))])
    assert len(answers) == 2 and answers[1].status >= 400


def test_requests_after_one_that_expects_are_not_taken_for_its_body(pair):
    hangar, _ = pair
    expects = Request(head("PUT", "x", "Expect: 100-continue", "Content-Length: 10") + b"0123456789", "PUT")
    answers = exchange(hangar.port, [Request(head("GET", "small")), expects, Request(head("GET", "page"))])
    assert [answer.status for answer in answers[:2]] == [200, 403]
    assert answers[1].closes or (answers[2].status, answers[2].body) == (200, FILES["page"])


def test_a_client_that_ends_its_side_gets_all_answers(pair):
    hangar, _ = pair
    raw = b"".join(head(method, "large") for method in ("GET", "HEAD", "GET"))
    with socket.create_connection(("127.0.0.1", hangar.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        stream = connection.makefile("rb")
        answers = [read_answer(stream, method) for method in ("GET", "HEAD", "GET")]
        assert [len(answer.body) for answer in answers] == [90_000, 0, 90_000]
        assert stream.read() == b""
