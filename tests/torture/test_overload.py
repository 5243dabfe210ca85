"""More uploads than memory, than disk, and than one key can take: each is stored or refused with the time to come again,
others are served meanwhile, and when it is over all is as it was.
"""

import asyncio
import collections
import os
import subprocess
import threading
import time

import pytest

from clients import presigned, s3_client
from server import BUCKET, Hangar
from test_slow_clients import Normal

SHORT = 1
CONNECTIONS = 400
FLOOD_SECONDS = 8
# Half of what 400 bodies of 2 MB are; an upload under way takes some 0.6 MB, however long it is.
MOST_MEMORY_KB = 400_000


class Flood:
    """Uploads over many connections at once, each over and over, as fast as they are taken."""

    def __init__(self, hangar, s3, size, connections=CONNECTIONS, key=lambda at: f"flood/{at}"):
        self.hangar, self.size = hangar, size
        self.body = os.urandom(size)
        self.answers = collections.Counter()
        self.stored = set()
        self.targets = [(key(at), *presigned(hangar, s3, "put_object", key(at))) for at in range(connections)]
        self.until = time.monotonic() + FLOOD_SECONDS
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))
        self.thread.start()

    async def run(self):
        await asyncio.gather(*(self.upload(*target) for target in self.targets))

    async def upload(self, key, host, target):
        head = f"PUT {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {self.size}\r\n\r\n".encode()
        while time.monotonic() < self.until:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.hangar.port)
            except OSError:
                self.answers["no connection"] += 1
                await asyncio.sleep(0.2)
                continue
            try:
                while time.monotonic() < self.until:
                    writer.write(head)
                    writer.write(self.body)
                    answer = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode().lower()
                    status = int(answer.split()[1])
                    told = status, "retry-after:" in answer
                    self.answers[told] += 1
                    if status == 200:
                        self.stored.add(key)
                    else:
                        break
            except (OSError, asyncio.IncompleteReadError):
                self.answers["cut off"] += 1
            finally:
                writer.close()
            await asyncio.sleep(0.05)

    def wait(self):
        self.thread.join()
        print(dict(self.answers))
        return self.answers


def memory_kb(hangar, what):
    with open(f"/proc/{hangar.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what))


def serve_others(hangar, s3, flood):
    normal = Normal(hangar)
    at = 0
    while flood.thread.is_alive():
        normal.ask()
        normal.upload_and_read(s3, at)
        at += 1
        time.sleep(0.05)
    normal.judge()


def judge_stored(s3, flood):
    for key in flood.stored:
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == flood.body, f"{key} is not what was stored"


@pytest.fixture
def hangar(tmp_path):
    server = Hangar(tmp_path, {"HANGAR_LOG": "warn"}).start()
    yield server
    assert server.stop() == 0, server.said()
    assert "panicked" not in server.said()


@pytest.mark.parametrize("size", [50_000, 2_000_000])
def test_more_uploads_than_memory_are_taken_in_bounded_memory(hangar, size):
    """400 × 2 MB are 800 MB at once; 400 × 50 KB are more than small bodies may take of memory together."""
    s3 = s3_client(hangar)
    flood = Flood(hangar, s3, size)
    serve_others(hangar, s3, flood)
    answers = flood.wait()
    peak = memory_kb(hangar, "VmHWM")
    print(f"peak {peak} kB")
    assert set(answers) <= {(200, False), (503, True)}, answers
    assert answers[200, False] > CONNECTIONS / 4
    assert peak < MOST_MEMORY_KB, f"{peak} kB"
    judge_stored(s3, flood)


def test_one_key_that_all_write_keeps_no_other_waiting(hangar):
    s3 = s3_client(hangar)
    flood = Flood(hangar, s3, 1000, key=lambda _: "hot")
    serve_others(hangar, s3, flood)
    answers = flood.wait()
    assert set(answers) <= {(200, False), (503, True)}, answers
    assert answers[200, False] > 50
    judge_stored(s3, flood)


def test_more_uploads_than_disk_are_refused_and_the_disk_can_be_emptied(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        hangar = Hangar(disk, {"HANGAR_LOG": "error", "HANGAR_MIN_FREE": "4MiB", "HANGAR_GRACE": "1s"}).start()
        s3 = s3_client(hangar)
        flood = Flood(hangar, s3, 400_000, connections=300)
        answers = flood.wait()
        assert set(answers) <= {(200, False), (507, False), (503, True), "cut off"}, answers
        assert answers[200, False] and answers[507, False], "the disk was to be full"
        judge_stored(s3, flood)
        for key in flood.stored:
            s3.delete_object(Bucket=BUCKET, Key=key)
        began = time.monotonic()
        while True:
            try:
                s3.put_object(Bucket=BUCKET, Key="after", Body=flood.body)
                break
            except s3.exceptions.ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 507
                assert time.monotonic() - began < 90, "it does not recover"
                time.sleep(0.5)
        print(f"taken again after {time.monotonic() - began:.1f} s")
        assert hangar.stop() == 0, hangar.said()
        assert "panicked" not in hangar.said()
    finally:
        subprocess.run(["umount", disk], check=True)
