"""Clients that hold connections and hardly use them, by the thousand, beside clients that want to be served."""

import asyncio
import os
import socket
import statistics
import threading
import time

import pytest
import requests

from clients import presigned, s3_client
from server import with_few_files

SLOW_CLIENTS = int(os.environ.get("SLOW_CLIENTS", "2000"))
PAUSE_SECONDS = 5
LARGE_BYTES = 8 * 1024 * 1024
# The slowest way out: a body has 30 s to keep its pace in, and a reader that takes nothing 30 s to begin, give or take
# what the system buffers and how often it looks.
ALL_GONE_SECONDS = 90
PATIENT_SECONDS = 2


class Crowd:
    """Slow clients in an event loop of their own."""

    def __init__(self, port, kinds, count):
        self.port = port
        self.open = 0
        self.began = 0
        self.lasted = {kind.__name__: [] for kind in kinds}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.come(kinds, count)))
        self.thread.start()

    async def come(self, kinds, count):
        tasks = []
        for at in range(count):
            tasks.append(asyncio.create_task(self.one(kinds[at % len(kinds)])))
            if at % 50 == 0:
                await asyncio.sleep(0.02)
        while not self.stopping.is_set() and not all(task.done() for task in tasks):
            await asyncio.sleep(0.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def one(self, kind):
        """One client, until the server ends its connection."""
        loop = asyncio.get_running_loop()
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            began = None
            try:
                await loop.sock_connect(connection, ("127.0.0.1", self.port))
                self.open += 1
                self.began += 1
                began = time.monotonic()
                await kind(loop, connection)
            except OSError:
                pass
            finally:
                if began is not None:
                    self.open -= 1
                    if not self.stopping.is_set():
                        self.lasted[kind.__name__].append(time.monotonic() - began)

    def wait_until(self, holds, seconds):
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, f"{self.open} are still open"
            time.sleep(0.1)

    def leave(self):
        self.stopping.set()
        self.thread.join()


async def until_closed(loop, connection):
    while await loop.sock_recv(connection, 65536):
        pass


async def trickle(loop, connection, text):
    """A byte now and then, until the server has enough of it."""
    reader = asyncio.create_task(until_closed(loop, connection))
    try:
        for byte in text:
            done, _ = await asyncio.wait([reader], timeout=PAUSE_SECONDS)
            if done:
                return
            await loop.sock_sendall(connection, bytes([byte]))
        await reader
    finally:
        reader.cancel()


async def silent(loop, connection):
    await until_closed(loop, connection)


async def slow_head(loop, connection):
    await trickle(loop, connection, b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * 1000)


async def idle(loop, connection):
    await loop.sock_sendall(connection, b"GET /-/health/live HTTP/1.1\r\nHost: h\r\n\r\n")
    await until_closed(loop, connection)


async def slow_second_head(loop, connection):
    await loop.sock_sendall(connection, b"GET /-/health/live HTTP/1.1\r\nHost: h\r\n\r\n")
    await loop.sock_recv(connection, 65536)
    await trickle(loop, connection, b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * 1000)


def slow_body(host, target):
    async def slow_body(loop, connection):
        head = f"PUT {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000\r\n\r\n"
        await loop.sock_sendall(connection, head.encode())
        await trickle(loop, connection, b"x" * 1000)

    return slow_body


def silent_reader(host, target):
    async def silent_reader(loop, connection):
        await loop.sock_sendall(connection, f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        # Nothing is taken; what was sent shows when the connection is gone.
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await loop.sock_sendall(connection, b"\r\n")

    return silent_reader


class Normal:
    """A client with a new connection for each request, as most requests of a proxy or a browser begin."""

    def __init__(self, hangar):
        self.hangar = hangar
        self.took = []
        self.trouble = []

    def ask(self):
        began = time.monotonic()
        try:
            answer = requests.get(f"{self.hangar.url}/-/health/live", timeout=20)
            if answer.status_code != 200:
                self.trouble.append(answer.status_code)
        except requests.RequestException as error:
            self.trouble.append(error)
        self.took.append(time.monotonic() - began)

    def upload_and_read(self, s3, at):
        began = time.monotonic()
        body = f"body {at}".encode()
        s3.put_object(Bucket=self.hangar.bucket, Key=f"normal/{at % 10}", Body=body)
        read = s3.get_object(Bucket=self.hangar.bucket, Key=f"normal/{at % 10}")["Body"].read()
        if read != body:
            self.trouble.append(read)
        self.took.append(time.monotonic() - began)

    def judge(self):
        took = sorted(self.took)
        said = f"{len(took)} exchanges, median {statistics.median(took):.3f} s, slowest {took[-1]:.3f} s"
        print(said)
        assert not self.trouble, (self.trouble[:3], said)
        # The slowest few stand in one line with a thousand downloads that begin at once.
        assert took[int(len(took) * 0.95)] < PATIENT_SECONDS, said


def test_slow_clients_of_every_kind_delay_no_other_client_and_are_disconnected(start_hangar, many_files):
    hangar = start_hangar()
    s3 = s3_client(hangar)
    s3.put_object(Bucket=hangar.bucket, Key="large", Body=os.urandom(LARGE_BYTES))
    kinds = [
        silent,
        slow_head,
        idle,
        slow_second_head,
        slow_body(*presigned(hangar, s3, "put_object", "slow")),
        silent_reader(*presigned(hangar, s3, "get_object", "large")),
    ]
    crowd = Crowd(hangar.port, kinds, SLOW_CLIENTS)
    try:
        crowd.wait_until(lambda: crowd.began > SLOW_CLIENTS * 0.9, 60)
        normal = Normal(hangar)
        most, until = 0, time.monotonic() + 20
        at = 0
        while time.monotonic() < until:
            most = max(most, crowd.open)
            normal.ask()
            normal.upload_and_read(s3, at)
            at += 1
            time.sleep(0.05)
        print(f"{most} slow connections at once")
        normal.judge()
        crowd.wait_until(lambda: crowd.open == 0, ALL_GONE_SECONDS)
        for kind, lasted in crowd.lasted.items():
            print(f"{kind}: gone after {min(lasted):.0f} to {max(lasted):.0f} s")
    finally:
        crowd.leave()
    slow = s3.list_objects_v2(Bucket=hangar.bucket, Prefix="slow")
    assert slow["KeyCount"] == 0, "a body that did not come is stored"


@pytest.mark.parametrize("files, connections", [(1024, 2000), (128, 400), (64, 100)])
def test_a_full_server_evicts_idle_connections_for_clients_with_requests(start_hangar, many_files, monkeypatch, tmp_path, files, connections):
    monkeypatch.setenv("CLIENTS_BINARY", with_few_files(tmp_path, files))
    hangar = start_hangar()
    crowd = Crowd(hangar.port, [silent, idle], connections)
    try:
        normal = Normal(hangar)
        until = time.monotonic() + 8
        while time.monotonic() < until:
            normal.ask()
            time.sleep(0.02)
        normal.judge()
    finally:
        crowd.leave()
