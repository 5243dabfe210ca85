"""Clients of HTTP/2 that mean harm, beside one that behaves: it is served, and the server's memory keeps within its bound."""

import itertools
import os
import shutil
import ssl
import struct
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest

from clients import s3_client
from http2_frames import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS, INITIAL_WINDOW_SIZE, PADDED, PING, PRIORITY,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, Connection, frame, literal, number, request, setting,
)
from server import BUCKET, Hangar, with_few_files

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what is resident")

FLOOD_SECONDS = 2
# What one connection may add, whatever it sends: its own memory and what it may get of the pools, and the allocator's rest.
ONE_CONNECTION_BYTES = 32 * 1024 * 1024
# What each of the three pools holds for all connections together, and what each connection has of its own and around it
# (src/http/connection/http2/memory.rs).
POOL_BYTES = 64 * 1024 * 1024
OWN_BYTES = 512 * 1024
REFUSED = request("PUT", f"/{BUCKET}/x")
CHEAP = request("GET", "/-/health/live")


@pytest.fixture(scope="module")
def tls(tmp_path_factory, authority):
    server = Hangar(tmp_path_factory.mktemp("floods"), authority=authority, settings={"HANGAR_LOG": "warn"}).start()
    yield server
    assert server.stop() == 0, server.said()
    assert "panicked" not in server.said()


class Watch:
    """Measures the server's memory, and asks as a client that behaves, for as long as it lasts."""

    def __init__(self, server):
        self.server = server
        self.served = 0
        self.failed = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.ask), threading.Thread(target=self.measure)]

    def ask(self):
        while not self.stopping.is_set():
            try:
                with Connection(self.server) as connection:
                    for stream in range(1, 21, 2):
                        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, CHEAP))
                        # 0x88: 200, of HPACK's own table.
                        if not connection.is_answered(stream) or connection.answers[stream][:1] != b"\x88":
                            self.failed.append((stream, connection.went_away, connection.resets))
                        else:
                            self.served += 1
                        self.stopping.wait(0.05)
            except OSError as error:
                self.failed.append(error)

    def measure(self):
        while not self.stopping.is_set():
            self.peak = max(self.peak, self.server.memory_bytes())
            self.stopping.wait(0.02)

    def settle(self, patience=20):
        """Returns when the memory has not grown for a second."""
        until = time.monotonic() + patience
        before, since = self.peak, time.monotonic()
        while time.monotonic() - since < 1 and time.monotonic() < until:
            if self.peak > before:
                before, since = self.peak, time.monotonic()
            self.stopping.wait(0.05)

    def __enter__(self):
        self.began_with = self.peak = self.server.memory_bytes()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        print(f"{(self.peak - self.began_with) >> 10} KiB more, {self.served} served")

    def judge(self, bound):
        assert not self.failed, self.failed[:3]
        assert self.served > 0
        assert self.peak - self.began_with < bound, f"{(self.peak - self.began_with) >> 20} MiB more"


def odd():
    return itertools.count(1, 2)


def opened(streams, flags=END_HEADERS, head=REFUSED):
    return b"".join(frame(HEADERS, flags, stream, head) for stream in streams)


def empty_data_on_open_streams(_):
    streams = range(1, 180, 2)
    yield opened(streams)
    while True:
        for stream in streams:
            yield frame(DATA, 0, stream) * 500


def empty_data_on_half_closed_streams(_):
    streams = range(1, 60, 2)
    yield opened(streams, END_HEADERS | END_STREAM)
    while True:
        for stream in streams:
            yield frame(DATA, 0, stream) * 500


def empty_data_on_answered_streams(connection):
    streams = range(1, 60, 2)
    head = REFUSED + literal("content-length", "100000000")
    yield opened(streams, head=head)
    for stream in streams:
        assert connection.wait_until(lambda: stream in connection.answers)
    while True:
        for stream in streams:
            yield frame(DATA, 0, stream) * 500


def rapid_reset(_):
    for stream in odd():
        yield opened([stream], END_HEADERS | END_STREAM) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


def made_you_reset(_):
    """Each request is followed by a frame for which the server has to reset it."""
    for stream in odd():
        yield opened([stream], END_HEADERS | END_STREAM) + frame(DATA, 0, stream, b"more")


def continuation(_):
    yield frame(HEADERS, 0, 1, CHEAP)
    while True:
        yield frame(CONTINUATION, 0, 1, literal("x", "y" * 100)) * 50


def empty_continuation(_):
    yield frame(HEADERS, 0, 1, CHEAP)
    while True:
        yield frame(CONTINUATION, 0, 1) * 500


def settings(_):
    while True:
        yield frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 1) + setting(INITIAL_WINDOW_SIZE, 65_535)) * 100


def pings(_):
    while True:
        yield frame(PING, 0, 0, bytes(8)) * 500


def answers_to_settings_and_pings_that_were_not_sent(_):
    while True:
        yield frame(SETTINGS, ACK, 0) * 100 + frame(PING, ACK, 0, bytes(8)) * 100


def priorities(_):
    for stream in odd():
        yield b"".join(frame(PRIORITY, 0, (stream * 500 + one) | 1, struct.pack(">IB", 0, 1)) for one in range(500))


def windows_of_a_byte(_):
    """Answers a hundred requests, a byte a frame."""
    streams = range(1, 200, 2)
    yield frame(SETTINGS, 0, 0, setting(INITIAL_WINDOW_SIZE, 0))
    yield opened(streams, END_HEADERS | END_STREAM)
    while True:
        for stream in streams:
            yield frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1)) * 100


def window_overflow(_):
    for stream in odd():
        yield opened([stream], END_HEADERS | END_STREAM)
        yield frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7FFFFFFF)) * 2


def hpack_bomb(_):
    """A field of 4,000 bytes is put into the table once, and then named by a byte."""
    yield opened([1], END_HEADERS | END_STREAM, CHEAP + literal("bomb", "x" * 3_900, indexed=True))
    for stream in itertools.count(3, 2):
        yield opened([stream], END_HEADERS, CHEAP + number(62, 7, 0x80) * 16_000)


def hpack_fields(_):
    """As many small fields as the size of a head allows, for a byte each."""
    yield opened([1], END_HEADERS | END_STREAM, CHEAP + literal("a", "", indexed=True))
    for stream in itertools.count(3, 2):
        yield opened([stream], END_HEADERS, REFUSED + number(62, 7, 0x80) * 900)


def small_data(_):
    streams = range(1, 180, 2)
    yield opened(streams)
    while True:
        for stream in streams:
            yield frame(DATA, 0, stream, b"x") * 500


def padding(_):
    streams = range(1, 180, 2)
    yield opened(streams)
    while True:
        for stream in streams:
            yield frame(DATA, PADDED, stream, bytes([255]) + bytes(255)) * 50


def unknown_frames(_):
    while True:
        yield frame(0x42, 0, 0, bytes(1000)) * 50


FLOODS = [
    empty_data_on_open_streams, empty_data_on_half_closed_streams, empty_data_on_answered_streams, rapid_reset, made_you_reset,
    continuation, empty_continuation, settings, pings, answers_to_settings_and_pings_that_were_not_sent, priorities,
    windows_of_a_byte, window_overflow, hpack_bomb, hpack_fields, small_data, padding, unknown_frames,
]


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_a_flood_of_frames_is_ended_and_bounded_in_memory(tls, flood):
    sent, ended = 0, False
    with Watch(tls) as watch, Connection(tls) as connection:
        until = time.monotonic() + FLOOD_SECONDS
        for piece in flood(connection):
            ended = not connection.send(piece)
            sent += len(piece)
            if ended or time.monotonic() > until:
                break
        ended = ended or connection.closed.wait(5)
        print(f"{flood.__name__}: {sent >> 10} KiB, ended {ended}, {connection.went_away}")
        watch.settle()
    watch.judge(ONE_CONNECTION_BYTES)
    assert ended, f"{sent} bytes of frames that do nothing were taken, and more would be"


def test_answers_to_pings_that_a_client_does_not_read_are_bounded(tls):
    """PINGs of a client that reads no answer."""
    with Watch(tls) as watch, Connection(tls, reads=False) as connection:
        until = time.monotonic() + FLOOD_SECONDS
        while time.monotonic() < until and connection.send(frame(PING, 0, 0, bytes(8)) * 500, 0.5):
            pass
    watch.judge(ONE_CONNECTION_BYTES)


def test_unread_bodies_are_bounded_over_all_connections(tls, connections=200):
    """Each connection sends as much as its window allows, for requests whose refusals wait for windows of their own."""
    head = request("PUT", f"/{BUCKET}/x", content_length="100000000")
    begun = []
    with Watch(tls) as watch:
        try:
            for _ in range(connections):
                connection = Connection(tls, setting(INITIAL_WINDOW_SIZE, 0))
                begun.append(connection)
                connection.send(opened(range(1, 9, 2), head=head))
            for connection in begun:
                connection.wait_until(lambda: connection.window > 65_535, 0.02)
                for stream in itertools.cycle(range(1, 9, 2)):
                    if connection.window < 16_000:
                        break
                    connection.window -= 16_000
                    assert connection.send(frame(DATA, 0, stream, bytes(16_000)))
            watch.settle()
            assert not any(connection.closed.is_set() or connection.resets for connection in begun)
        finally:
            for connection in begun:
                connection.close()
    watch.judge(POOL_BYTES + connections * OWN_BYTES * 3 // 4)


def test_unread_answers_are_bounded_over_all_connections(tls):
    """A hundred requests a connection for a large object, with windows as wide as they can be, of clients that read nothing."""
    s3, key = s3_client(tls), f"large/{uuid.uuid4()}"
    s3.put_object(Bucket=BUCKET, Key=key, Body=os.urandom(4 << 20))
    path = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": key}).removeprefix(tls.url)
    head = b"".join(
        literal(name, value)
        for name, value in {":method": "GET", ":scheme": "https", ":path": path, ":authority": f"127.0.0.1:{tls.port}"}.items()
    )
    begun, connections = [], 30
    with Watch(tls) as watch:
        try:
            for _ in range(connections):
                connection = Connection(tls, setting(INITIAL_WINDOW_SIZE, 0x7FFFFFFF), reads=False)
                begun.append(connection)
                connection.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000 - 65_535)))
                connection.send(opened(range(1, 200, 2), END_HEADERS | END_STREAM, head))
            watch.settle()
        finally:
            for connection in begun:
                connection.close()
    # What is read of bodies has bounds of its own: all readers share 128 MiB of blocks and 32 MiB of first pieces.
    watch.judge((128 + 32) * 1024 * 1024 + 2 * POOL_BYTES + connections * OWN_BYTES)


def test_small_frames_of_an_unread_body_do_not_keep_the_frames_between_them_in_memory(tls, connections=40):
    """Frames of a byte, each between others that fill the server's buffers, for requests whose answers wait for a window."""
    head = request("PUT", f"/{BUCKET}/x", content_length="100000000")
    begun = []
    with Watch(tls) as watch:
        try:
            for _ in range(connections):
                connection = Connection(tls, setting(INITIAL_WINDOW_SIZE, 0))
                begun.append(connection)
                connection.send(opened([1], head=head))
                assert connection.wait_until(lambda: 1 in connection.answers)
                connection.send((frame(DATA, 0, 1, b"x") + frame(0x42, 0, 0, bytes(8_000))) * 500)
            time.sleep(0.5)
            assert not any(connection.closed.is_set() for connection in begun)
        finally:
            for connection in begun:
                connection.close()
    watch.judge(connections * OWN_BYTES)


def test_connections_at_work_are_bounded_and_the_slowest_make_room(tls, many_files):
    """Each has a request whose answer waits for a window."""
    held, begun = 192 * 1024 * 1024 // (384 * 1024), []
    head = request("PUT", f"/{BUCKET}/x", content_length="100000000")
    try:
        for _ in range(held + 100):
            connection = Connection(tls, setting(INITIAL_WINDOW_SIZE, 0))
            begun.append(connection)
            connection.send(opened([1], head=head))
            assert connection.wait_until(lambda: 1 in connection.answers or 1 in connection.resets)
        gone = sum(connection.closed.wait(0.01) or 1 in connection.resets for connection in begun)
        assert 80 <= gone <= 140, gone
        with Connection(tls) as connection:
            connection.send(opened([1], END_HEADERS | END_STREAM, CHEAP))
            assert connection.is_answered(1) and connection.answers[1][:1] == b"\x88"
    finally:
        for connection in begun:
            connection.close()


def test_a_refused_upload_gets_its_answer_and_then_no_error(tls):
    with Connection(tls) as connection:
        connection.send(frame(HEADERS, END_HEADERS, 1, request("PUT", f"/{BUCKET}/large", content_length="100000000")))
        assert connection.is_answered(1)
        assert connection.wait_until(lambda: 1 in connection.resets)
        assert connection.resets[1] == 0
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, CHEAP))
        assert connection.is_answered(3) and connection.answers[3][:1] == b"\x88"


def test_httpx_shows_the_refusal_of_an_upload_that_is_larger_than_any_window(tls):
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("h2")
    pieces = (bytes(1 << 20) for _ in range(20))
    context = ssl.create_default_context(cafile=tls.authority.root)
    with httpx.Client(http1=False, http2=True, verify=context, timeout=20) as client:
        answer = client.put(f"{tls.url}/{BUCKET}/large", content=pieces)
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 403)
        assert "<Code>AccessDenied</Code>" in answer.text
        assert client.get(f"{tls.url}/-/health/live").status_code == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_shows_the_refusal_of_a_large_upload(tls, tmp_path):
    body = tmp_path / "body"
    with body.open("wb") as file:
        file.truncate(50 << 20)
    shown = subprocess.run(
        ["curl", "--http2", "--silent", "--show-error", "--cacert", tls.authority.root, "--upload-file", body, "--max-time", "20",
         "--write-out", "%{http_version} %{http_code}", "--output", "/dev/null", f"{tls.url}/{BUCKET}/large"],
        capture_output=True, text=True,
    )
    assert (shown.returncode, shown.stdout) == (0, "2 403"), shown


def test_a_connection_that_works_hard_is_never_taken_for_a_flood(tls):
    """Three thousand requests, each with a window update, a priority and every tenth with a reset."""
    with Connection(tls) as connection:
        for at, stream in enumerate(range(1, 6_001, 2)):
            connection.send(frame(PRIORITY, 0, stream, struct.pack(">IB", 0, 1)))
            connection.send(opened([stream], END_HEADERS | END_STREAM, CHEAP))
            connection.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 20)))
            if at % 10 == 9:
                connection.send(frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
            else:
                assert connection.is_answered(stream), (stream, connection.went_away, connection.resets)
        assert connection.went_away is None


def test_two_hosts_are_refused(tls):
    pseudo = b"".join(literal(name, value) for name, value in {":method": "GET", ":scheme": "https", ":path": "/-/health/live"}.items())
    with Connection(tls) as connection:
        both = [request("GET", "/-/health/live", host="other"), pseudo + literal("host", "a") + literal("host", "b")]
        for stream, head in zip(odd(), both):
            connection.send(opened([stream], END_HEADERS | END_STREAM, head))
            assert connection.wait_until(lambda: stream in connection.resets) and stream not in connection.answers


def test_idle_connections_make_place_at_once_where_few_files_may_be_open(tmp_path, authority, monkeypatch):
    monkeypatch.setenv("CLIENTS_BINARY", with_few_files(tmp_path, 64))
    server = Hangar(tmp_path / "few", authority=authority, settings={"HANGAR_LOG": "warn"}).start()
    idle = []
    try:
        for at in range(100):
            idle.append(Connection(server))
            if at % 20 == 19:
                began = time.monotonic()
                with Connection(server) as connection:
                    connection.send(opened([1], END_HEADERS | END_STREAM, CHEAP))
                    assert connection.is_answered(1) and connection.answers[1][:1] == b"\x88"
                assert time.monotonic() - began < 3
        assert sum(connection.closed.is_set() for connection in idle) > 50
    finally:
        for connection in idle:
            connection.close()
        assert server.stop() == 0, server.said()


def test_a_flooding_client_gets_the_reason_in_its_goaway(tls):
    told = set()
    # Where bytes of the flood were still under way the system resets the connection, and its last frame may be lost.
    for _ in range(10):
        with Connection(tls) as connection:
            while connection.send(frame(PING, 0, 0, bytes(8)) * 100):
                pass
            assert connection.closed.wait(5)
            told.add(connection.went_away)
        if ENHANCE_YOUR_CALM in told:
            break
    assert told in ({ENHANCE_YOUR_CALM}, {None, ENHANCE_YOUR_CALM})
