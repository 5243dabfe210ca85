"""Senders that show no token and no signature, by the thousand, beside clients that do."""

import asyncio
import os
import socket
import threading
import time

import pytest

from clients import s3_client
from server import BUCKET

SENDERS = int(os.environ.get("STRANGERS", "1000"))
MEBIBYTE = 1 << 20
# Fields without an end: what comes is kept until the file begins, up to 64 KiB.
FORM = b"".join(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n%b\r\n' % (at, b"x" * 19_000) for at in range(3))
BEHIND_A_PROXY = "203.0.113.{}"
OTHERS_SECONDS = 12


def api_body(at, forwarded):
    """A body for the asset API, whose route and token are wrong, that stops short of its end."""
    path = "/api/" if at % 2 else "/api/v1/assets/user-assets/"
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\n{forwarded}Content-Type: application/json\r\nContent-Length: {MEBIBYTE}\r\n\r\n"
    return head.encode() + b" " * 60_000


def form(at, forwarded):
    """A form whose fields end nowhere."""
    head = f"POST /{BUCKET} HTTP/1.1\r\nHost: h\r\n{forwarded}Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {MEBIBYTE}\r\n\r\n"
    return head.encode() + FORM


class Strangers:
    """Connections that send the beginning of a body and then nothing, and come again when they are ended."""

    def __init__(self, port, address):
        """`address`: from number to the `X-Forwarded-For` of a sender, or None."""
        self.port, self.address = port, address
        self.answers, self.open = [], 0
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.come()))
        self.thread.start()

    async def come(self):
        tasks = [asyncio.create_task(self.one(at)) for at in range(SENDERS)]
        while not self.stopping.is_set():
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def one(self, at):
        address = self.address(at)
        forwarded = f"X-Forwarded-For: 192.0.2.1, {address}\r\n" if address else ""
        kind = api_body if at % 3 == 0 else form
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.5)
                continue
            self.open += 1
            try:
                writer.write(kind(at, forwarded))
                self.answers.append((await reader.read(65536)).decode(errors="replace"))
            except OSError:
                self.answers.append("")
            finally:
                self.open -= 1
                writer.close()
            await asyncio.sleep(3)

    def wait_for(self, holds, seconds=30):
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, f"{self.open} are open, {len(self.answers)} were answered"
            time.sleep(0.05)

    def leave(self):
        self.stopping.set()
        self.thread.join()


def slow_form(hangar, fields, body):
    """A form of a client that is slow: its fields come in two pieces."""
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    parts.append('--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n')
    whole = "".join(parts).encode() + body + b"\r\n--b--\r\n"
    return whole[:300], whole[300:]


def work_goes_on(hangar, s3, token):
    """Asks, forms in two pieces and PUTs, each over a connection of its own, until the time is over."""
    done, trouble, until = 0, [], time.monotonic() + OTHERS_SECONDS
    while time.monotonic() < until:
        asked = hangar.request("POST", "/api/v1/assets/user-assets/", json={"entity_type": "USER_AVATAR", "name": "a.png"}, headers={"X-API-Key": token})
        if asked.status_code != 200:
            trouble.append(("ask", asked.status_code))
            continue
        first, rest = slow_form(hangar, asked.json()["upload_data"]["fields"], b"\x89PNG\r\n\x1a\n" + os.urandom(2000))
        head = f"POST /{BUCKET} HTTP/1.1\r\nHost: 127.0.0.1:{hangar.port}\r\nContent-Type: multipart/form-data; boundary=b\r\nConnection: close\r\nContent-Length: {len(first + rest)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", hangar.port), timeout=20) as connection:
            connection.sendall(head.encode() + first)
            time.sleep(0.2)
            connection.sendall(rest)
            status = int(connection.recv(4096).split()[1])
        if status != 204:
            trouble.append(("form", status))
        s3.put_object(Bucket=BUCKET, Key=f"others/{done}", Body=os.urandom(100_000))
        done += 1
    assert not trouble, f"{done} went on, {len(trouble)} did not: {trouble[:5]}"
    assert done > 5


def settings():
    return {"HANGAR_LOG": "error"}


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(lambda at: None, id="direct"),
        pytest.param(lambda at: BEHIND_A_PROXY.format(at % 200), id="from many addresses behind one proxy"),
        pytest.param(lambda at: BEHIND_A_PROXY.format(1), id="from one address behind one proxy"),
    ],
)
def test_a_thousand_senders_without_credentials_do_not_stop_other_clients_from_uploading(start_hangar, many_files, address):
    hangar = start_hangar(**settings())
    token = hangar.make_token()["token"]
    s3 = s3_client(hangar)
    strangers = Strangers(hangar.port, address)
    try:
        # A third of them is answered at once, from the head alone.
        strangers.wait_for(lambda: strangers.open > SENDERS / 4 and len(strangers.answers) > SENDERS / 3)
        work_goes_on(hangar, s3, token)
        told = {answer.split(" ", 2)[1] if answer else "" for answer in strangers.answers}
        assert told <= {"401", "404", "503"}, told
        ended = [answer.lower() for answer in strangers.answers if " 503 " in answer[:20]]
        assert all("retry-after:" in answer and "connection: close" in answer for answer in ended)
        print(f"{len(strangers.answers)} were answered, {len(ended)} of them had to make room")
    finally:
        strangers.leave()


def test_a_body_without_a_token_is_not_asked_for(start_hangar):
    hangar = start_hangar(**settings())
    for path, status in [("/api/", b"404"), ("/api/v1/assets/user-assets/", b"401")]:
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
        answer = hangar.exchange(head.encode())
        assert answer.split(b" ", 2)[1] == status, answer
