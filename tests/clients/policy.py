"""A signer of POST policies and a writer of forms, made from AWS's pages and sharing no code with hangar or boto3.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html
"""

import base64
import datetime
import hashlib
import hmac
import json

BOUNDARY = "----judge7MA4YWxkTrZu0gW"
ORIGIN = "https://plane.example.com"


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def amz_date(when):
    return when.strftime("%Y%m%dT%H%M%SZ")


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def signing_key(secret, day, region):
    key = f"AWS4{secret}".encode()
    for step in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key


def signature(secret, day, region, text):
    return hmac.new(signing_key(secret, day, region), text.encode(), hashlib.sha256).hexdigest()


class Form:
    """A form that hangar must take, until a test spoils it.

    `fields` are what is posted and must be named by `conditions`; `spoil` changes signed fields after signing, None taking one away.
    """

    def __init__(self, server, key, fields=None, conditions=None, size=(1, 1 << 20), **signing):
        self.server = server
        self.key = key
        self.bucket = server.bucket
        self.fields = {"Content-Type": "text/plain", "key": key} | (fields or {})
        self.conditions = [{"bucket": self.bucket}, ["content-length-range", *size]] if size else [{"bucket": self.bucket}]
        self.conditions += [{name: value} for name, value in self.fields.items()]
        if conditions is not None:
            self.conditions = conditions
        self.signing = {
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "region": "us-east-1",
            "date": now(),
            "expiration": iso(now() + datetime.timedelta(hours=1)),
            "service": "s3",
            "terminator": "aws4_request",
            "policy": None,
        } | signing
        self.after_signing = {}

    def spoil(self, **changes):
        """Changes fields by their names with `_` for `-`, behind the signature's back."""
        for name, value in changes.items():
            self.after_signing[name.replace("_", "-")] = value
        return self

    def document(self):
        how = self.signing
        stated = [
            {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
            {"x-amz-credential": self.credential()},
            {"x-amz-date": amz_date(how["date"])},
        ]
        return {"expiration": how["expiration"], "conditions": self.conditions + stated}

    def credential(self):
        how = self.signing
        return "/".join((how["access_key"], amz_date(how["date"])[:8], how["region"], how["service"], how["terminator"]))

    def signed(self):
        """All fields but `file`, in the order in which Plane's are posted."""
        how = self.signing
        policy = how["policy"]
        if policy is None:
            policy = json.dumps(self.document())
        if isinstance(policy, str):
            policy = policy.encode()
        text = base64.b64encode(policy).decode()
        posted = self.fields | {
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential": self.credential(),
            "x-amz-date": amz_date(how["date"]),
            "policy": text,
            "x-amz-signature": signature(how["secret_key"], amz_date(how["date"])[:8], how["region"], text),
        }
        posted |= self.after_signing
        return [(name, value) for name, value in posted.items() if value is not None]

    def post(self, file=b"hello", path=None, **how):
        """Posts the form as multipart/form-data and answers the response."""
        return post(self.server, path or f"/{self.bucket}", multipart(self.signed() + [("file", file)], **how))


def part(name, value, filename=None, content_type=None, more_headers=()):
    value = value if isinstance(value, bytes) else value.encode()
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    headers = [disposition, *more_headers]
    if content_type:
        headers.append(f"Content-Type: {content_type}")
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + value


def multipart(fields, filename="hello.txt", file_type="application/octet-stream", boundary=BOUNDARY):
    """The bytes of a form. `fields` are (name, value) pairs; the one named `file` gets a file's headers."""
    parts = [
        part(name, value, filename, file_type) if name == "file" else part(name, value)
        for name, value in fields
    ]
    return joined(parts, boundary)


def joined(parts, boundary=BOUNDARY):
    line = f"--{boundary}\r\n".encode()
    return b"".join(line + one + b"\r\n" for one in parts) + f"--{boundary}--\r\n".encode()


def post(server, path, body, content_type=f"multipart/form-data; boundary={BOUNDARY}", **headers):
    sent = {"Origin": ORIGIN} | ({"Content-Type": content_type} if content_type is not None else {}) | headers
    return server.request("POST", path, data=body, headers=sent)
