"""Requests as bytes, prepared before anything is measured."""

import hashlib
import hmac
import json
import struct
import urllib.parse

import policy

# What the load puts the number of a request for.
NUMBER = "#" * 12


def request(method, path, port, headers=None, body=b""):
    head = {"Host": f"127.0.0.1:{port}"} | (headers or {})
    if body or method in ("POST", "PUT"):
        head["Content-Length"] = len(body)
    lines = [f"{method} {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in head.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def write(path, requests):
    """A file as the load reads it."""
    with path.open("wb") as file:
        for one in requests:
            file.write(struct.pack("<I", len(one)) + one)
    return path


def ask(server, token, size, kind="USER_AVATAR"):
    body = json.dumps({"entity_type": kind, "name": "me.png", "type": "image/png", "size": size}).encode()
    headers = {"X-API-Key": token, "Content-Type": "application/json"}
    return request("POST", "/api/v1/assets/user-assets/", server.port, headers, body)


def form(server, content, prefix="bench/"):
    """A form under one signed policy whose key is another with each request."""
    key = f"{prefix}{NUMBER}.png"
    conditions = [
        {"bucket": server.bucket},
        ["starts-with", "$key", prefix],
        {"Content-Type": "image/png"},
        ["content-length-range", 1, 1 << 30],
    ]
    signed = policy.Form(server, key, {"Content-Type": "image/png"}, conditions).signed()
    body = policy.multipart(signed + [("file", content)], filename="me.png", file_type="image/png")
    headers = {"Content-Type": f"multipart/form-data; boundary={policy.BOUNDARY}"}
    return request("POST", f"/{server.bucket}", server.port, headers, body)


def presigned_get(server, key, region="us-east-1", expires=3600):
    """Signature Version 4 in the query.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    when = policy.amz_date(policy.now())
    scope = f"{when[:8]}/{region}/s3/aws4_request"
    path = "/" + urllib.parse.quote(f"{server.bucket}/{key}")
    query = sorted({
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{server.access_key}/{scope}",
        "X-Amz-Date": when,
        "X-Amz-Expires": str(expires),
        "X-Amz-SignedHeaders": "host",
    }.items())
    query = urllib.parse.urlencode(query, quote_via=urllib.parse.quote, safe="")
    canonical = f"GET\n{path}\n{query}\nhost:127.0.0.1:{server.port}\n\nhost\nUNSIGNED-PAYLOAD"
    signature = sign(server, when, scope, region, canonical)
    return request("GET", f"{path}?{query}&X-Amz-Signature={signature}", server.port)


def signed(server, method, key, body=b"", region="us-east-1", query="", unsigned=False):
    """Signature Version 4 in the header, over the body's digest."""
    when = policy.amz_date(policy.now())
    scope = f"{when[:8]}/{region}/s3/aws4_request"
    path = "/" + urllib.parse.quote(f"{server.bucket}/{key}" if key else server.bucket)
    digest = "UNSIGNED-PAYLOAD" if unsigned else hashlib.sha256(body).hexdigest()
    names = "host;x-amz-content-sha256;x-amz-date"
    canonical = (
        f"{method}\n{path}\n{query}\nhost:127.0.0.1:{server.port}\nx-amz-content-sha256:{digest}\n"
        f"x-amz-date:{when}\n\n{names}\n{digest}"
    )
    signature = sign(server, when, scope, region, canonical)
    headers = {
        "x-amz-content-sha256": digest,
        "x-amz-date": when,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={server.access_key}/{scope}, SignedHeaders={names}, Signature={signature}",
    }
    return request(method, path + (f"?{query}" if query else ""), server.port, headers, body)


def sign(server, when, scope, region, canonical):
    text = "\n".join(["AWS4-HMAC-SHA256", when, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = policy.signing_key(server.secret_key, when[:8], region)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
