"""No secret reaches a log: known ones are put through every path at level trace, and the log is searched for them."""

import json
import re
import uuid
from urllib.parse import urlsplit

import pytest
import requests

import pictures
from clients import s3_client
from policy import Form, multipart, post


def secret():
    return "s3cr3t" + uuid.uuid4().hex


@pytest.mark.parametrize("log", ["trace", "trace,json"])
def test_no_secret_reaches_the_log_at_its_most_talkative(start_hangar, tmp_path, log):
    server = start_hangar(HANGAR_LOG=log)
    secrets = {"the secret key": server.secret_key}
    made = server.make_token()
    token = secrets["a token"] = made["token"]
    picture = pictures.png()

    # The asset API: good, wrong, expired and revoked tokens, in both headers, the query, a cookie, bodies and Referer.
    asked = server.ask(token, name="me.png", type="image/png", size=len(picture), entity_type="USER_AVATAR")
    fields = asked["upload_data"]["fields"]
    secrets["a policy"] = fields["policy"]
    secrets["a form's signature"] = fields["x-amz-signature"]
    assert requests.post(asked["upload_data"]["url"], data=fields, files={"file": ("me", picture)}, timeout=20).status_code == 204
    for name in ("X-API-Key", "Authorization", "Cookie", "Referer", "X-Amz-Copy-Source", "User-Agent", "X-Unknown"):
        value = secrets[f"a value of {name}"] = secret()
        sent = {"Authorization": f"Bearer {value}", "Cookie": f"session-id={value}", "Referer": f"https://a.example/?token={value}",
                "X-Amz-Copy-Source": f"/uploads/k?versionId={value}"}.get(name, value)
        if name in ("User-Agent", "X-Unknown"):
            # Not secrets by their kind; only the query that they are sent with is.
            del secrets[f"a value of {name}"]
        query = secrets[f"a query beside {name}"] = secret()
        for method, path in (("POST", "/api/v1/assets/user-assets/"), ("GET", asked["asset_url"]), ("GET", "/api/nothing/"), ("PATCH", "/api/v1/assets/user-assets"),
                             ("GET", "/uploads/k"), ("PUT", "/uploads/k"), ("POST", "/uploads"), ("GET", "/-/nothing"), ("DELETE", "/no-such-bucket/k"), ("GET", "/minio/admin")):
            server.request(method, f"{path}?token={query}", headers={name: sent})
    body = secrets["a value in JSON"] = secret()
    headers = {"X-API-Key": token}
    server.request("POST", "/api/v1/assets/user-assets/", json={"entity_type": body, "type": body}, headers=headers)
    server.request("POST", "/api/v1/assets/user-assets/", data=f'{{"entity_type": {body}', headers=headers | {"Content-Type": "application/json"})
    server.request("PATCH", f"/api/v1/assets/user-assets/{asked['asset_id']}/", json={"attributes": {"note": body}}, headers=headers)

    # Forms: good, badly signed, refused by a condition, and broken.
    for number, spoil in enumerate(({}, {"x_amz_signature": "0" * 64}, {"Content_Type": "text/html"}, {"x_amz_date": "wrong"})):
        value = secrets[f"a field of form {number}"] = secret()
        form = Form(server, f"forms/{number}", {"x-amz-meta-note": value}).spoil(**spoil)
        signed = dict(form.signed())
        secrets[f"the policy of form {number}"] = signed["policy"]
        if number != 1:
            secrets[f"the signature of form {number}"] = signed["x-amz-signature"]
        form.post()
    value = secrets["a field of a broken form"] = secret()
    post(server, "/uploads", multipart([("policy", value), ("key", value), ("x-amz-signature", value)])[:-10])
    post(server, "/uploads", multipart([("policy", value), (value, value), ("file", b"x")]))

    # S3: header signatures and presigned URLs, good and bad.
    clients = {
        s3_client(server): {"none", "NoSuchKey"},
        s3_client(server, secret_key=secret()): {"SignatureDoesNotMatch"},
        s3_client(server, access_key="stranger"): {"InvalidAccessKeyId"},
    }
    for client, expected in clients.items():

        def remember(request, **_):
            authorization = request.headers.get("Authorization", b"")
            authorization = authorization.decode() if isinstance(authorization, bytes) else authorization
            if matched := re.search("Signature=([0-9a-f]{64})", authorization):
                secrets[f"a header's signature {len(secrets)}"] = matched[1]

        client.meta.events.register("before-send.s3", remember)
        value = secrets[f"metadata {len(secrets)}"] = secret()
        errors = set()
        for call, named in (
            (client.put_object, {"Key": "k", "Body": b"v", "Metadata": {"note": value}}),
            (client.get_object, {"Key": "k"}),
            (client.get_object, {"Key": "none"}),
            (client.list_objects_v2, {"Prefix": value}),
            (client.delete_object, {"Key": "none"}),
        ):
            try:
                call(Bucket="uploads", **named)
                errors.add("none")
            except client.exceptions.ClientError as error:
                errors.add(error.response["Error"]["Code"])
        assert errors == expected
        url = client.generate_presigned_url("get_object", Params={"Bucket": "uploads", "Key": "k", "ResponseContentDisposition": value})
        secrets[f"a presigned signature {len(secrets)}"] = re.search("X-Amz-Signature=([0-9a-f]{64})", url)[1]
        requests.get(url, timeout=20)
        requests.get(url[:-4] + "0000", timeout=20)
        requests.put(url, data=b"v", headers={"Referer": url}, timeout=20)
        assert urlsplit(url).path == "/uploads/k"

    revoked = server.make_token("revoked@example.com")
    secrets["a revoked token"] = revoked["token"]
    server.command_line("token", "revoke", revoked["id"])
    server.request("POST", "/api/v1/assets/user-assets/", headers={"X-API-Key": revoked["token"]})
    server.command_line("token", "list", "--json")

    administration = (server.data / "@hangar/run").read_text()
    secrets["the administration secret"] = re.search(r'"secret"\s*:\s*"([^"]+)"', administration)[1]
    assert server.stop() == 0, server.said()

    said = server.said()
    assert said, "at level trace it says something"
    found = [what for what, text in secrets.items() if text in said]
    assert not found, found


def test_a_refusal_leaves_one_line_that_an_administrator_can_act_on(start_hangar):
    server = start_hangar()
    key = f"forms/{uuid.uuid4()}"
    answer = Form(server, key, secret_key="guessed").post()
    assert answer.status_code == 403
    lines = [line for line in server.said().splitlines() if "SignatureDoesNotMatch" in line]
    assert len(lines) == 1, lines
    assert answer.headers["x-amz-request-id"] in lines[0]


def test_json_logs_are_json(start_hangar):
    server = start_hangar(HANGAR_LOG="debug,json")
    server.request("GET", "/api/nothing/")
    for line in server.stderr.read_text().splitlines():
        assert isinstance(json.loads(line), dict)


def test_the_start_names_the_settings_that_it_used_and_not_their_secrets(start_hangar):
    server = start_hangar()
    said = server.stderr.read_text()
    for name in ("HANGAR_LISTEN", "HANGAR_DATA_DIR", "AWS_SECRET_ACCESS_KEY"):
        assert name in said
    assert server.secret_key not in said
