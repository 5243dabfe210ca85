"""Repeated requests on one connection: the same answer each time, and never an outdated one."""

import http.client
import json
import random
import socket
import threading
import time
import uuid

import pytest
import requests

import pictures
from clients import s3_client
from server import BUCKET, PATIENCE_SECONDS, Hangar
from test_pictures import upload

IDS = ("x-request-id", "x-amz-request-id")
OF_ITS_OWN = ("date", *IDS)


class Connection(http.client.HTTPConnection):
    """One connection, for request after request."""

    def __init__(self, hangar):
        super().__init__("127.0.0.1", hangar.port, timeout=PATIENCE_SECONDS)

    def ask(self, method, path, **headers):
        """Status, headers but those of its own, body; and what is its own."""
        self.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = self.getresponse()
        body = answer.read()
        told = sorted((name.lower(), value) for name, value in answer.getheaders())
        alike = [header for header in told if header[0] not in OF_ITS_OWN]
        (request_id,) = (value for name, value in told if name in IDS)
        return (answer.status, alike, body), request_id


@pytest.fixture
def picture(hangar, token):
    body = pictures.filled(50_000, str(uuid.uuid4()))
    return upload(hangar, token, body) | {"body": body}


@pytest.fixture
def connection(hangar):
    connection = Connection(hangar)
    yield connection
    connection.close()


def key_of(made):
    return made["upload_data"]["fields"]["key"]


def test_the_same_request_gets_the_same_answer_with_an_id_of_its_own(hangar, picture, connection):
    path = picture["asset_url"]
    etag = requests.get(hangar.url + path, timeout=20).headers["ETag"]
    for method, headers in (("GET", {}), ("HEAD", {}), ("GET", {"If_None_Match": etag}), ("HEAD", {"If_None_Match": etag})):
        first, _ = Connection(hangar).ask(method, path, **headers)
        status = 304 if headers else 200
        assert (first[0], first[2]) == (status, picture["body"] if method == "GET" and status == 200 else b"")
        ids = set()
        for _ in range(5):
            again, request_id = connection.ask(method, path, **headers)
            assert again == first
            ids.add(request_id)
        assert len(ids) == 5


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000, 262_144, 262_145, 1_500_000])
def test_an_object_of_any_size_is_answered_whole_each_time(hangar, connection, size):
    s3, key = s3_client(hangar), f"sizes/{size}"
    body = random.Random(size).randbytes(size)
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    path = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": key}).removeprefix(hangar.url)
    first, _ = Connection(hangar).ask("GET", path)
    assert (first[0], first[2]) == (200, body)
    for _ in range(12):
        assert connection.ask("GET", path)[0] == first


def test_requests_that_differ_get_answers_that_differ(picture, connection):
    path, body = picture["asset_url"], picture["body"]
    for _ in range(3):
        assert connection.ask("GET", path)[0][2] == body
        assert connection.ask("GET", path, Range="bytes=5-9")[0][0::2] == (206, body[5:10])
        assert connection.ask("GET", path, If_None_Match='"other"')[0][0::2] == (200, body)
        assert connection.ask("GET", path, If_Match='"other"')[0][0] == 412
        assert connection.ask("GET", path, Sec_Fetch_Dest="script")[0][0] == 403
        assert connection.ask("GET", path + "?v=1")[0][2] == body
        assert connection.ask("POST", path)[0][0] == 405
        assert connection.ask("GET", path.rstrip("/"))[0][0] == 301
        assert dict(connection.ask("GET", path, Origin="https://a.example")[0][1])["access-control-allow-origin"] == "*"


def test_a_change_of_the_asset_is_seen_by_the_next_request(hangar, token, picture, connection):
    path = picture["asset_url"]
    headers = {"X-API-Key": token}
    for _ in range(4):
        assert connection.ask("GET", path)[0][0] == 200
    answer = hangar.request("DELETE", f"/api/v1/assets/user-assets/{picture['asset_id']}/", headers=headers)
    assert answer.status_code == 204
    assert connection.ask("GET", path)[0][0] == 404


def test_a_change_of_the_object_is_seen_by_the_next_request(hangar, picture, connection):
    s3, path, key = s3_client(hangar), picture["asset_url"], key_of(picture)
    for at in range(8):
        new = pictures.filled(1000 + at, at)
        etag = s3.put_object(Bucket=BUCKET, Key=key, Body=new)["ETag"]
        for _ in range(3):
            (status, told, body), _ = connection.ask("GET", path)
            assert (status, dict(told)["etag"], body) == (200, etag, new)
            assert connection.ask("GET", path, If_None_Match=etag)[0][0] == 304
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert connection.ask("GET", path)[0][0] == 404
    assert connection.ask("GET", path, If_None_Match=etag)[0][0] == 404


def test_readers_never_see_a_state_older_than_what_was_answered(hangar, picture):
    """One writes, four read as fast as they can: what a read begun after an answer gets is at least as new."""
    s3, path, key = s3_client(hangar), picture["asset_url"], key_of(picture)
    answered, wrong, done = [0], [], threading.Event()
    sizes = range(2000, 2200)
    s3.put_object(Bucket=BUCKET, Key=key, Body=pictures.filled(sizes[0], 0))

    def read():
        connection = Connection(hangar)
        while not done.is_set():
            before = answered[0]
            (_, _, body), _ = connection.ask("GET", path)
            if sizes.index(len(body)) < before:
                wrong.append((before, len(body)))
        connection.close()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for at, size in enumerate(sizes):
        s3.put_object(Bucket=BUCKET, Key=key, Body=pictures.filled(size, at))
        answered[0] = at
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong


@pytest.fixture
def presigned(hangar):
    """An object of its own, and the target of a URL to it that holds for so long."""
    s3, key = s3_client(hangar), f"presigned/{uuid.uuid4()}"
    body = pictures.filled(50_000, key)
    s3.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType="image/png")

    def target(seconds=600):
        url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": key}, ExpiresIn=seconds)
        return url.removeprefix(hangar.url)

    yield s3, key, body, target
    s3.delete_bucket_policy(Bucket=BUCKET)
    s3.delete_bucket_lifecycle(Bucket=BUCKET)


def test_a_presigned_url_gets_the_same_answer_until_the_object_changes(hangar, presigned, connection):
    s3, key, body, target = presigned
    path = target()
    first, _ = Connection(hangar).ask("GET", path)
    assert (first[0], first[2]) == (200, body)
    for _ in range(4):
        assert connection.ask("GET", path)[0] == first
        assert connection.ask("GET", path, Range="bytes=1-3")[0][0::2] == (206, body[1:4])
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"new")
    assert connection.ask("GET", path)[0][0::2] == (200, b"new")
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert connection.ask("GET", path)[0][0] == 404


def test_a_presigned_url_ends_when_it_says(presigned, connection):
    path = presigned[3](2)
    began = time.monotonic()
    while connection.ask("GET", path)[0][0] == 200:
        assert time.monotonic() - began < 5, "it goes on"
        time.sleep(0.02)
    assert 0.9 < time.monotonic() - began
    assert connection.ask("GET", path)[0][0] == 403


def test_a_policy_that_comes_to_deny_holds_for_urls_that_were_answered(presigned, connection):
    s3, key, body, target = presigned
    path = target()
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/{key}"}
    for _ in range(3):
        for _ in range(3):
            assert connection.ask("GET", path)[0][0] == 200
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
        assert connection.ask("GET", path)[0][0] == 403
        s3.delete_bucket_policy(Bucket=BUCKET)


def allow_reads(s3, key, **conditions):
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/{key}"}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow | conditions]}))


def test_public_objects_are_answered_from_the_cache_until_the_policy_is_removed(presigned, connection):
    s3, key, body, _ = presigned
    path = f"/{BUCKET}/{key}"
    block = {"BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": True}
    for _ in range(3):
        allow_reads(s3, key)
        for _ in range(3):
            assert connection.ask("GET", path)[0][0::2] == (200, body)
            assert connection.ask("GET", path, Range="bytes=1-3")[0][0::2] == (206, body[1:4])
        s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
        assert connection.ask("GET", path)[0][0] == 403
        s3.delete_public_access_block(Bucket=BUCKET)
        for _ in range(3):
            assert connection.ask("GET", path)[0][0] == 200
        s3.delete_bucket_policy(Bucket=BUCKET)
        assert connection.ask("GET", path)[0][0] == 403
    allow_reads(s3, key)
    assert connection.ask("GET", path)[0][0] == 200
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"new")
    assert connection.ask("GET", path)[0][0::2] == (200, b"new")
    s3.delete_object(Bucket=BUCKET, Key=key)
    # Who may not list the bucket is not told what is not there.
    assert connection.ask("GET", path)[0][0] == 403


def test_a_policy_with_conditions_is_evaluated_for_each_request(presigned, connection):
    s3, key, body, _ = presigned
    allow_reads(s3, key, Condition={"StringEquals": {"aws:UserAgent": "friend"}})
    for _ in range(3):
        assert connection.ask("GET", f"/{BUCKET}/{key}", User_Agent="friend")[0][0::2] == (200, body)
        assert connection.ask("GET", f"/{BUCKET}/{key}", User_Agent="stranger")[0][0] == 403


def test_a_new_rule_holds_for_the_next_answer(presigned, connection):
    s3, _, _, target = presigned
    path = target()
    for _ in range(3):
        assert "x-amz-expiration" not in dict(connection.ask("GET", path)[0][1])
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "presigned/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    for _ in range(3):
        assert "x-amz-expiration" in dict(connection.ask("GET", path)[0][1])


def raw(connection, *pieces):
    """Sends pieces as they are, each in a segment of its own, and answers all that comes until the server closes, or has
    had enough of what it refused.
    """
    said = b""
    try:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    try:
        while came := connection.recv(65536):
            said += came
    except OSError:
        pass
    return said


@pytest.mark.parametrize("cut", [1, 4, 30, 90])
def test_a_head_in_two_pieces_is_one_request(hangar, picture, cut):
    get = f"GET {picture['asset_url']} HTTP/1.1\r\nHost: 127.0.0.1:{hangar.port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", hangar.port), timeout=PATIENCE_SECONDS) as connection:
        answers = raw(connection, get, get, get[:cut], get[cut:], get)
    assert answers.count(b"HTTP/1.1 200 OK") == 4
    assert answers.count(picture["body"]) == 4


def test_requests_that_come_at_once_are_answered_in_order(hangar, picture):
    get = f"GET {picture['asset_url']} HTTP/1.1\r\nHost: 127.0.0.1:{hangar.port}\r\n\r\n".encode()
    live = b"GET /-/health/live HTTP/1.1\r\nHost: h\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hangar.port), timeout=PATIENCE_SECONDS) as connection:
        answers = raw(connection, get, get + get + live + get + live, get)
    kinds = [b"live" if b'{"status":"live"}' in answer else b"picture" for answer in answers.split(b"HTTP/1.1 200 OK")[1:]]
    assert kinds == [b"picture", b"picture", b"picture", b"live", b"picture", b"live", b"picture"]


def answers_of(said):
    """Status and body of each answer, as a client that believes `Content-Length` reads them."""
    answers = []
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0].startswith("HTTP/1.1 "), lines[0]
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        answers.append((int(lines[0].split()[1]), rest[:length]))
        assert len(rest) >= length, (lines[0], len(rest), length)
        said = rest[length:]
    return answers


@pytest.mark.parametrize("log", ["info", "debug"])
def test_each_of_requests_that_come_at_once_gets_an_answer_of_its_own_kind(start_hangar, log):
    """actix alone would leave out the bodies of answers before a HEAD that it read together with their requests."""
    server = start_hangar(HANGAR_LOG=log)
    put = b"PUT /uploads/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    live = b"GET /-/health/live HTTP/1.1\r\nHost: h\r\n\r\n"
    wrong = b"GET /uploads/absent HTTP/1.1\r\nHost: h\r\n\r\n"
    head = b"HEAD /uploads/absent HTTP/1.1\r\nHost: h\r\n\r\n"
    for requests_at_once in ([put + live + wrong], [live, put + live, wrong + live + put + live], [live + live + wrong] * 3):
        count = sum(piece.count(b" HTTP/1.1") for piece in requests_at_once)
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
            answers = answers_of(raw(connection, *requests_at_once))
        assert len(answers) == count
        assert all((status, body) == (200, b'{"status":"live"}') if status == 200 else body.startswith(b"<?xml") for status, body in answers)
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        said = raw(connection, put + live + head)
    (first, second), rest = answers_of(said[: said.rindex(b"HTTP/1.1")]), said[said.rindex(b"HTTP/1.1") :]
    assert first[0] == 403 and first[1].startswith(b"<?xml") and second == (200, b'{"status":"live"}')
    assert rest.startswith(b"HTTP/1.1 403") and rest.endswith(b"\r\n\r\n")


def test_after_an_answer_that_closes_nothing_more_is_answered(hangar, picture):
    get = f"GET {picture['asset_url']} HTTP/1.1\r\nHost: 127.0.0.1:{hangar.port}\r\n\r\n".encode()
    refused = b"PUT /uploads/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"
    close = get.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for pieces in ([get, get, refused, b"0123456789", get, get], [get, get, close, get], [get, get, close + get]):
        with socket.create_connection(("127.0.0.1", hangar.port), timeout=PATIENCE_SECONDS) as connection:
            answers = raw(connection, *pieces)
        # The answer that closes may be lost with the reset that what follows it gets.
        allowed = {2} if refused in pieces else {2, 3}
        assert answers.count(b"HTTP/1.1 200 OK") in allowed, pieces


def test_a_host_that_a_proxy_forwards_is_another_question(start_hangar):
    server = start_hangar(HANGAR_S3_DOMAIN="s3.example.com", HANGAR_TRUSTED_PROXIES="127.0.0.1")
    body = pictures.filled(5000, 1)
    path = upload(server, server.make_token()["token"], body)["asset_url"]
    connection = Connection(server)
    for _ in range(3):
        assert connection.ask("GET", path)[0][0] == 200
        assert connection.ask("GET", path, X_Forwarded_Host="files.example.com")[0][0] == 200
        assert connection.ask("GET", path, X_Forwarded_Host="uploads.s3.example.com")[0][0] == 403


@pytest.mark.parametrize("path", ["/-/health/live", "/api/v1/assets/user-assets/", "/uploads/key"])
def test_a_body_that_looks_like_requests_is_never_answered_as_such(hangar, picture, path):
    """A proxy that keeps connections would send the answers to another client."""
    get = f"GET {picture['asset_url']} HTTP/1.1\r\nHost: 127.0.0.1:{hangar.port}\r\n\r\n".encode()
    for body in (get, get * 3, b"x" * 300_000 + get * 20):
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for pieces in ([head + body], [head, body], [head + body[:40], body[40:]], [head, *(body[at : at + 50_000] for at in range(0, len(body), 50_000))]):
            with socket.create_connection(("127.0.0.1", hangar.port), timeout=PATIENCE_SECONDS) as connection:
                answers = raw(connection, get, get, *pieces)
            assert answers.count(picture["body"]) == 2, answers[-500:]


def test_a_request_after_a_body_is_answered_from_the_cache_again(hangar, picture, connection, token):
    for _ in range(3):
        connection.request("PATCH", f"/api/v1/assets/user-assets/{picture['asset_id']}/", body=b'{"attributes": {"a": 1}}', headers={"X-API-Key": token, "Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (204, b"")
        for _ in range(3):
            assert connection.ask("GET", picture["asset_url"])[0][0::2] == (200, picture["body"])


def test_a_server_that_stops_finishes_the_answer_under_way(start_hangar):
    server = start_hangar()
    token = server.make_token()["token"]
    body = pictures.filled(60_000, 1)
    path = upload(server, token, body)["asset_url"]
    get = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(get)
        first = connection.recv(1 << 20)
        while len(first) < len(body) or not first.endswith(body[-100:]):
            first += connection.recv(1 << 20)
        connection.sendall(get * 40)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        rest = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        stopping.join()
    answers = rest.split(b"HTTP/1.1 200 OK")[1:]
    assert answers and all(answer.endswith(body) for answer in answers), "an answer that was begun is whole"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A server with more small objects than its memory keeps, each by its presigned path; each was asked for."""
    server = Hangar(tmp_path_factory.mktemp("many")).start()
    client = s3_client(server)
    objects = {}
    connection = Connection(server)
    for number in range(1100):
        where = {"Bucket": BUCKET, "Key": f"{number}"}
        content = random.Random(number).randbytes(60_000)
        client.put_object(**where, Body=content)
        path = client.generate_presigned_url("get_object", where).removeprefix(server.url)
        assert connection.ask("GET", path)[0][2] == content
        objects[path] = content
    connection.close()
    yield server, objects
    assert server.stop() == 0, server.said()


def test_more_objects_than_memory_keeps_are_answered_again_and_again(many):
    server, objects = many
    connection = Connection(server)
    for seed in (1, 2):
        for path in random.Random(seed).sample(list(objects), len(objects)):
            (status, _, body), _ = connection.ask("GET", path)
            assert (status, body) == (200, objects[path])


def test_a_client_that_reads_little_at_a_time_gets_each_object_whole(many):
    server, objects = many
    paths = random.Random(3).sample(list(objects), 40)
    asked = b"".join(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode() for path in paths)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", server.port))
        reader.settimeout(PATIENCE_SECONDS)
        threading.Thread(target=reader.sendall, args=(asked,)).start()
        came = reader.makefile("rb", buffering=1000)
        for path in paths:
            assert came.readline() == b"HTTP/1.1 200 OK\r\n"
            head = http.client.parse_headers(came)
            assert came.read(int(head["content-length"])) == objects[path]


def test_bytes_that_the_disk_lost_are_an_error_even_if_the_response_is_cached(many):
    server, objects = many
    (segment,) = (server.data / "@hangar/log").glob("*.log")
    damaged = random.Random(4).sample(list(objects), 200)
    with segment.open("r+b") as log:
        bytes_of_log = log.read()
        for path in damaged:
            log.seek(bytes_of_log.index(objects[path]) + 30_000)
            log.write(b"damage")
    connection = Connection(server)
    answers = {path: connection.ask("GET", path)[0] for path in damaged}
    refused = [path for path, answer in answers.items() if answer[0] == 500]
    assert all(answers[path][2] == objects[path] for path in damaged if path not in refused), "memory keeps some"
    assert refused


def test_at_level_debug_each_answer_has_a_line_and_most_still_come_past_actix(start_hangar):
    """The head shows which code answered: actix puts the date last, the fast path the request's id."""
    server = start_hangar(HANGAR_LOG="debug,json")
    path = upload(server, server.make_token()["token"], pictures.png())["asset_url"]
    get = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        said = raw(connection, get * 8)
    heads = [piece.split(b"\r\n\r\n")[0].decode() for piece in said.split(b"HTTP/1.1 200 OK")[1:]]
    assert len(heads) == 8
    assert sum(head.lower().splitlines()[-1].startswith("x-request-id: ") for head in heads) >= 6, heads
    ids = [dict(line.lower().split(": ", 1) for line in head.splitlines() if line)["x-request-id"].upper() for head in heads]
    lines = [json.loads(line) for line in server.stderr.read_text().splitlines()]
    answered = {line["span"]["id"]: line for line in lines if line.get("message") == "answered"}
    for request_id in ids:
        line = answered[request_id]
        assert (line["method"], line["path"], line["face"], line["status"], line["peer"]) == ("GET", path, "api", 200, "127.0.0.1")
        assert line.keys() == answered[ids[0]].keys()
