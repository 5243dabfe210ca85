"""A mixed load on a server, and what may be there after it was cut off.

Each key belongs to one worker, so its changes have an order. A change that was answered is sure; one that was under way
may have happened or not. `None` is the state of a key that has nothing.
"""

import hashlib
import threading

import botocore.exceptions
import requests
import urllib3

import pictures
from clients import s3_client
from server import BUCKET

CUT_OFF = (
    botocore.exceptions.BotoCoreError,
    botocore.exceptions.HTTPClientError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)


def digest(body):
    return hashlib.md5(body).hexdigest()


class Keys:
    """What is known of each key, the oldest first: (state, whether it was answered)."""

    def __init__(self):
        self.known = {}

    def begins(self, key, state):
        self.known.setdefault(key, [(None, True)]).append((state, False))

    def answered(self, key):
        state, _ = self.known[key][-1]
        self.known[key][-1] = (state, True)

    def sure(self, key):
        """The state of a key whose last change was answered; else what nobody can know."""
        state, is_sure = self.known.get(key, [(None, True)])[-1]
        return state if is_sure else ...

    def marks(self):
        """How long the history of each key is, up to its last sure state."""
        return {key: max(at for at, (_, sure) in enumerate(list(known)) if sure) for key, known in list(self.known.items())}

    def allowed(self, key, mark=None):
        """The states that a key may be in: its last sure one (or that of `mark`) and all that were begun after it."""
        known = self.known[key]
        if mark is None:
            mark = max(at for at, (_, sure) in enumerate(known) if sure)
        return {state for state, _ in known[mark:]}

    def settle(self, key, state):
        self.known[key] = [(state, True)]


class Worker(threading.Thread):
    """Changes its own keys until it is told to stop or the server is gone."""

    def __init__(self, server, keys, token, number, chance):
        super().__init__(daemon=True)
        self.server, self.keys, self.token, self.chance = server, keys, token, chance
        self.mine = [f"{number}/{name}" for name in range(12)]
        self.stopped = threading.Event()
        self.answers = 0
        self.trouble = None

    def run(self):
        s3 = s3_client(self.server)
        changes = (self.put, self.put, self.put, self.form, self.multipart, self.copy, self.delete, self.delete)
        try:
            while not self.stopped.is_set():
                self.chance.choice(changes)(s3, self.chance.choice(self.mine))
                self.answers += 1
        except CUT_OFF:
            pass
        except botocore.exceptions.ClientError as error:
            # A server that is stopping says so; anything else is a wrong answer.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 503:
                self.trouble = error
        except Exception as error:
            self.trouble = error

    def body(self):
        # Most lie in the log, some are files of their own.
        size = self.chance.choice((0, 1, 4_000, 30_000, 120_000, 270_000, 700_000))
        return pictures.filled(size, self.chance.random()) if size > 200 else bytes(size)

    def change(self, key, state, do):
        self.keys.begins(key, state)
        do()
        self.keys.answered(key)

    def put(self, s3, key):
        body = self.body()
        self.change(key, digest(body), lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=body))

    def delete(self, s3, key):
        self.change(key, None, lambda: s3.delete_object(Bucket=BUCKET, Key=key))

    def copy(self, s3, key):
        source = self.chance.choice(self.mine)
        state = self.keys.sure(source)
        if state is None or state is ... or source == key:
            return
        self.change(key, state, lambda: s3.copy_object(Bucket=BUCKET, Key=key, CopySource=f"{BUCKET}/{source}"))

    def multipart(self, s3, key):
        parts = [pictures.filled(5 << 20, self.chance.random()), self.body() or b"last"]
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        tags = []
        for number, part in enumerate(parts, 1):
            done = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=part)
            tags.append({"PartNumber": number, "ETag": done["ETag"]})
        self.change(
            key,
            digest(b"".join(parts)),
            lambda: s3.complete_multipart_upload(
                Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": tags}
            ),
        )

    def form(self, _, __):
        """An asset: asked for, uploaded by its form, and sometimes deleted."""
        picture = pictures.filled(self.chance.randrange(200, 400_000), self.chance.random())
        made = self.server.ask(self.token, name="me.png", type="image/png", size=len(picture), entity_type="USER_AVATAR")
        url, upload = made["asset_url"], made["upload_data"]

        def post():
            files = {"file": ("me.png", picture)}
            answer = requests.post(upload["url"], data=upload["fields"], files=files, timeout=60)
            assert answer.status_code == 204, answer.text

        self.change(url, digest(picture), post)
        if self.chance.random() < 0.2:
            asset = url.rstrip("/").rsplit("/", 1)[1]

            def delete():
                path = f"/api/v1/assets/user-assets/{asset}/"
                answer = self.server.request("DELETE", path, headers={"X-API-Key": self.token})
                assert answer.status_code == 204, answer.text

            self.change(url, None, delete)


def found(server, s3, key):
    """The state of a key as a reader sees it."""
    if key.startswith("/"):
        answer = server.request("GET", key)
        assert answer.status_code in (200, 404), f"{key}: {answer.status_code} {answer.text}"
        return digest(answer.content) if answer.status_code == 200 else None
    try:
        return digest(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    except s3.exceptions.NoSuchKey:
        return None


def judge(server, keys, marks=None):
    """Holds each key against what may be there; what is there is sure from now on. Answers how many there were."""
    s3 = s3_client(server)
    judged = list(keys.known) if marks is None else list(marks)
    for key in judged:
        state = found(server, s3, key)
        mark = None if marks is None else marks[key]
        assert state in keys.allowed(key, mark), f"{key} is {state}, and none of {keys.known[key]}"
        if marks is None:
            keys.settle(key, state)
    listed = {
        item["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        for item in page.get("Contents", [])
    }
    for key in judged:
        if not key.startswith("/"):
            assert (key in listed) == (found(server, s3, key) is not None), f"{key}: the listing says otherwise"
    return len(judged)
