"""What a server takes of memory, as the system counts it."""

import asyncio
import collections
import hashlib
import random
from pathlib import Path

import pytest
import requests

from clients import presigned, s3_client
from policy import Form, multipart, post
from server import BUCKET, wait_until

MEGABYTE = 1_000_000
LARGE_BYTES = 200 * MEGABYTE
UPLOADS = 2000
# docs/operating.md states it; half of what they took where nothing bounded them.
MOST_BYTES_OF_UPLOADS = 500 * MEGABYTE
STATUS = Path("/proc/self/status")


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells what is resident")
def test_memory_that_reads_took_is_given_back_when_all_rest(start_hangar):
    server = start_hangar()
    client = s3_client(server)
    content = random.Random(1).randbytes(50_000)
    for number in range(1000):
        where = {"Bucket": "uploads", "Key": f"{number}"}
        # By a connection of its own: one that stays open keeps its thread from resting.
        assert requests.put(client.generate_presigned_url("put_object", where), content, timeout=10).ok
        assert requests.get(client.generate_presigned_url("get_object", where), timeout=10).content == content
    busy = server.memory_bytes()
    wait_until(lambda: server.memory_bytes() < busy - 30 * MEGABYTE, server.process, lambda: f"{busy} bytes, and still {server.memory_bytes()}")


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells what is resident")
@pytest.mark.parametrize("way", ["form", "put_object"])
def test_a_large_upload_takes_a_fraction_of_its_size_in_memory(start_hangar, tmp_path, way):
    """The body comes from a file, so that the client does not hold it either."""
    server = start_hangar()
    client = s3_client(server)
    block = random.Random(1).randbytes(MEGABYTE)
    before, after = form_around_a_file(server, "large", LARGE_BYTES) if way == "form" else (b"", b"")
    sent = tmp_path / "sent"
    with sent.open("wb") as file:
        file.write(before)
        for _ in range(LARGE_BYTES // MEGABYTE):
            file.write(block)
        file.write(after)
    at_rest = server.memory_bytes("VmHWM")
    with sent.open("rb") as file:
        if way == "form":
            answer = post(server, f"/{BUCKET}", file)
        else:
            url = client.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "large"})
            answer = requests.put(url, file, timeout=60)
    assert answer.ok, answer.text
    taken = server.memory_bytes("VmHWM") - at_rest
    print(f"{taken // MEGABYTE} MB were taken for {LARGE_BYTES // MEGABYTE} MB")
    assert taken < LARGE_BYTES // 8
    stored = hashlib.sha256()
    for piece in client.get_object(Bucket=BUCKET, Key="large")["Body"].iter_chunks(MEGABYTE):
        stored.update(piece)
    expected = hashlib.sha256()
    for _ in range(LARGE_BYTES // MEGABYTE):
        expected.update(block)
    assert stored.digest() == expected.digest()


def form_around_a_file(server, key, size):
    """What a form has before the bytes of its file, and after them."""
    marker = b"THE BYTES OF THE FILE"
    form = Form(server, key, size=(1, size))
    before, after = multipart(form.signed() + [("file", marker)]).split(marker)
    return before, after


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells what is resident")
def test_two_thousand_uploads_at_once_take_no_more_memory_than_is_stated(start_hangar, many_files):
    """Each is stored, or waits and is refused with the time to come again."""
    server = start_hangar(HANGAR_LOG="off")
    client = s3_client(server)
    content = random.Random(1).randbytes(1_000_000)
    targets = [presigned(server, client, "put_object", f"{number}") for number in range(UPLOADS)]
    begun, answers = asyncio.Semaphore(0), collections.Counter()

    async def upload(host, target, all_begun):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(f"PUT {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content)}\r\n\r\n".encode())
            writer.write(content[: len(content) // 2])
            begun.release()
            await all_begun.wait()
            writer.write(content[len(content) // 2 :])
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            answers[int(answer.split()[1]), "retry-after:" in answer] += 1
        finally:
            writer.close()

    async def upload_all():
        all_begun = asyncio.Event()
        uploads = [asyncio.create_task(upload(*target, all_begun)) for target in targets]
        for _ in uploads:
            await begun.acquire()
        all_begun.set()
        await asyncio.gather(*uploads)

    asyncio.run(upload_all())
    peak = server.memory_bytes("VmHWM")
    print(f"{dict(answers)}, peak {peak // MEGABYTE} MB")
    assert set(answers) <= {(200, False), (503, True)}, answers
    assert answers[200, False] >= 768
    assert peak < MOST_BYTES_OF_UPLOADS
    assert client.get_object(Bucket=BUCKET, Key="0")["Body"].read() == content
