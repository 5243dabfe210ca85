"""A server is killed at any moment of a mixed load: what was answered is there, and everything else whole or not at all."""

import json
import random
import time

import pytest

import load
from server import Hangar, run

SHORT = 5
WORKERS = 6
FSCK_EVERY = 25


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """One folder for all rounds, so that each starts on what the former kill left."""
    server = Hangar(tmp_path_factory.mktemp("killed"), {"HANGAR_GRACE": "2s", "HANGAR_LOG": "warn"}).start()
    server.keys = load.Keys()
    server.token = server.make_token()["token"]
    server.tokens = {}
    yield server
    assert server.stop() == 0, server.said()
    assert "panicked" not in server.said()
    # Nothing is left behind: what no row names is cleared away.
    assert run("gc", "--data-dir", server.data).returncode == 0
    checked = json.loads(run("fsck", "--data-dir", server.data, "--json").stdout)
    assert (checked["damages"], checked["left_over"]) == (0, 0), checked


def test_answered_changes_survive_a_kill(killed, chance, round_number):
    workers = [
        load.Worker(killed, killed.keys, killed.token, number, random.Random(chance.random())) for number in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    moment = chance.uniform(0.05, 1.5)
    time.sleep(moment / 2)
    made = killed.make_token(f"round-{round_number}@example.com") if round_number % 5 == 0 else None
    time.sleep(moment / 2)
    killed.kill()
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive()
        assert worker.trouble is None, worker.trouble
    killed.start()
    judged = load.judge(killed, killed.keys)
    print(f"killed after {moment:.2f} s and {sum(worker.answers for worker in workers)} answers; {judged} keys judged")
    if made:
        killed.tokens[made["token"]] = 200
    for token, status in killed.tokens.items():
        assert killed.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == status
    if round_number % FSCK_EVERY == 0:
        checked = run("fsck", "--data-dir", killed.data, "--json")
        assert checked.returncode == 0, checked.stdout
    # Assets would make each round longer than the one before it.
    for key in [key for key in killed.keys.known if key.startswith("/")][:-40]:
        del killed.keys.known[key]
