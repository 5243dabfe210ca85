"""A server is killed under 200 concurrent uploads: what was answered is there, and nothing is there by halves.

`pytest test_kill.py --rounds 20` kills more often; `--seed N` repeats a run's moments.
"""

import itertools
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
import requests

import pictures
from clients import s3_client
from server import Hangar, wait_until

UPLOADS = 200


def pytest_generate_tests(metafunc):
    if "round_number" in metafunc.fixturenames:
        metafunc.parametrize("round_number", range(metafunc.config.getoption("--rounds")))


@pytest.fixture(scope="module")
def survivor(tmp_path_factory):
    """One folder for all rounds, so that each starts on what the former kill left."""
    server = Hangar(tmp_path_factory.mktemp("killed")).start()
    server.promised = {}
    yield server
    assert server.stop() == 0, server.said()
    assert "panicked" not in server.said()


@pytest.fixture
def chance(request, round_number):
    seed = request.config.getoption("--seed")
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 32)
    print(f"--seed {seed}")
    return random.Random(f"{seed} {round_number}")


def ask_for(server, token, picture):
    made = server.ask(token, name="me.png", type="image/png", size=len(picture), entity_type="USER_AVATAR")
    return made["asset_url"], made["upload_data"]


def post(upload, picture):
    """Whether the server answered that it holds the picture."""
    try:
        answer = requests.post(upload["url"], data=upload["fields"], files={"file": ("me.png", picture)}, timeout=60)
    except requests.RequestException:
        return False
    assert answer.status_code == 204, answer.text
    return True


def test_every_answered_upload_survives_a_kill_and_no_other_is_stored_in_part(survivor, chance, round_number):
    token = survivor.make_token()["token"]
    # Three in four are short enough to lie in the log, the rest have files of their own.
    sizes = [chance.randrange(200, 120_000) if number % 4 else chance.randrange(260_000, 900_000) for number in range(UPLOADS)]
    bodies = [pictures.filled(size, chance.random()) for size in sizes]
    with ThreadPoolExecutor(16) as pool:
        asked = list(pool.map(lambda body: ask_for(survivor, token, body), bodies))

    together = threading.Barrier(UPLOADS)
    kill_after = chance.randrange(1, UPLOADS * 3 // 4)

    def upload(number):
        together.wait(60)
        return number, post(asked[number][1], bodies[number])

    answered = set()
    with ThreadPoolExecutor(UPLOADS) as pool:
        for outcome in as_completed([pool.submit(upload, number) for number in range(UPLOADS)]):
            number, taken = outcome.result()
            if taken:
                answered.add(number)
            if len(answered) == kill_after and survivor.process is not None:
                survivor.kill()
    print(f"killed after {kill_after} answers; {len(answered)} uploads were answered in all")
    assert survivor.process is None, "the kill came too late to judge anything"

    survivor.start()
    for number, (url, _) in enumerate(asked):
        found = survivor.request("GET", url)
        if number in answered:
            assert found.status_code == 200, f"an answered upload is lost: {found.text}"
        if found.status_code == 200:
            assert found.content == bodies[number], f"{url} is not what was sent"
            survivor.promised[url] = bodies[number]
        else:
            assert (found.status_code, found.text) == (404, '{"error":"The requested asset could not be found."}')
    for url, body in survivor.promised.items():
        assert survivor.request("GET", url).content == body, "a later kill lost what an earlier one had left"

    # The folder goes on as if nothing had been: tokens, policies asked for before the kill, new uploads.
    unanswered = next((number for number in range(UPLOADS) if number not in answered), None)
    if unanswered is not None:
        url, data = asked[unanswered]
        assert post(data, bodies[unanswered])
        assert survivor.request("GET", url).content == bodies[unanswered]
    url, data = ask_for(survivor, token, bodies[0])
    assert post(data, bodies[0])
    assert survivor.request("GET", url).content == bodies[0]
    assert survivor.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == 200


def test_a_token_revoked_before_a_kill_stays_revoked(survivor):
    made = survivor.make_token("revoked@example.com")
    kept = survivor.make_token("kept@example.com")
    assert survivor.command_line("token", "revoke", made["id"]).returncode == 0
    survivor.kill()
    survivor.start()
    for token, status in ((made["token"], 403), (kept["token"], 200)):
        assert survivor.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == status


def test_a_deleted_asset_stays_deleted_after_a_kill(survivor):
    token = survivor.make_token()["token"]
    url, data = ask_for(survivor, token, pictures.png())
    assert post(data, pictures.png())
    asset_id = url.rstrip("/").rsplit("/", 1)[1]
    deleted = survivor.request("DELETE", f"/api/v1/assets/user-assets/{asset_id}/", headers={"X-API-Key": token})
    assert deleted.status_code == 204
    survivor.kill()
    survivor.start()
    assert survivor.request("GET", url).status_code == 404


# The folder, copied or bereft of its index


def test_a_copy_of_a_live_folder_starts_with_all_that_was_answered_before_it(tmp_path, start_hangar):
    server = start_hangar()
    token = server.make_token()["token"]
    client = s3_client(server)
    before, copied = {}, threading.Event()

    def put(writer):
        for number in itertools.count():
            if copied.is_set():
                return
            body = pictures.filled(400_000 if number % 8 == 0 else 20_000, f"{writer} {number}")
            client.put_object(Bucket=server.bucket, Key=f"{writer}/{number}", Body=body)
            before.setdefault(f"{writer}/{number}", body)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(put, writer) for writer in range(4)]
        try:
            wait_until(lambda: len(before) >= 60, server.process, lambda: f"only {len(before)} were answered")
            answered = dict(before)
            shutil.copytree(server.data, tmp_path / "copy/data")
        finally:
            copied.set()
        for writer in writers:
            writer.result()

    copy = Hangar(tmp_path / "copy").start()
    try:
        client = s3_client(copy)
        for key, body in answered.items():
            assert client.get_object(Bucket=copy.bucket, Key=key)["Body"].read() == body, key
        assert copy.request("GET", "/api/v1/users/me/", headers={"X-API-Key": token}).status_code == 200
        assert "copied or restored" in copy.said(), "the start says what it did"
    finally:
        assert copy.stop() == 0, copy.said()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_index_that_was_lost_is_made_again_from_the_log(start_hangar, end):
    server = start_hangar()
    made = server.make_token("gone@example.com")
    token = server.make_token()["token"]
    server.command_line("token", "revoke", made["id"])
    uploads = {}
    for size in (165, 20_000, 400_000):
        picture = pictures.filled(size, size)
        url, data = ask_for(server, token, picture)
        assert post(data, picture)
        uploads[url] = picture
    server.kill() if end == "kill" else server.stop()
    for index in (server.data / "@hangar").glob("hangar.db*"):
        index.unlink()
    server.start()
    for url, picture in uploads.items():
        assert server.request("GET", url).content == picture
    for known, status in ((token, 200), (made["token"], 403)):
        assert server.request("GET", "/api/v1/users/me/", headers={"X-API-Key": known}).status_code == status
