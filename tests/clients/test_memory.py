"""What a server takes of memory, as the system counts it."""

import random
import re
from pathlib import Path

import pytest
import requests

from clients import s3_client
from server import wait_until

MEGABYTE = 1_000_000
STATUS = Path("/proc/self/status")


def resident_bytes(server):
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


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
    busy = resident_bytes(server)
    wait_until(lambda: resident_bytes(server) < busy - 30 * MEGABYTE, server.process, lambda: f"{busy} bytes, and still {resident_bytes(server)}")
