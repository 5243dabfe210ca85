"""A data folder with one thing of each kind that hangar stores, and every answer that a server gives about them.

`fill` makes the things and `answers` asks for them. A folder that one version filled must give the same answers in another.
"""

import base64
import hashlib
import json

import botocore.exceptions
import requests

import pictures
from clients import s3_client
from plane_api import PICTURE, Workspace, assert_done, key_of, new_id, upload
from server import BUCKET, Hangar

PART_BYTES = 5 << 20
EXTERNAL = {"external_id": "42", "external_source": "github"}
ARCHIVE = "archive"
# A folder that is kept as a fixture must not age.
NOTHING_EXPIRES = {
    "HANGAR_MULTIPART_EXPIRES": "36500d",
    "UNUPLOADED_ASSET_DELETE_DAYS": "36500",
    "HARD_DELETE_AFTER_DAYS": "36500",
    "HANGAR_GRACE": "36500d",
}
# Values of an answer that belong to the request, not to what is stored.
OF_THE_REQUEST = ("date", "x-amz-request-id", "x-amz-id-2", "server", "connection")


def pattern(length, seed=0):
    """Bytes that compress well and differ from place to place."""
    block = bytes((place + seed) % 251 for place in range(4096))
    return (block * (length // len(block) + 1))[:length]


def server_of(folder, program=None):
    """A server over `folder/data` that seals secrets with `folder/key`."""
    return Hangar(folder, NOTHING_EXPIRES | {"HANGAR_KEY_FILE": folder / "key"}, program=program)


def make_key(folder):
    (folder / "key").write_bytes(base64.b64encode(hashlib.sha256(b"a key of a fixture").digest()))
    (folder / "key").chmod(0o600)


# Filling


def fill(server):
    """Makes one of each kind of thing. Returns the names, ids and secrets that `answers` needs to ask for them."""
    known = {"uploads": fill_buckets(s3_client(server))}
    known |= fill_users(server)
    known |= fill_assets(known["workspace"], known["project"])
    known["access_keys"] = fill_access_keys(server)
    return known


def fill_buckets(s3):
    """Returns the ids of the uploads that are under way, by their keys."""
    s3.create_bucket(Bucket=ARCHIVE)
    s3.create_bucket(Bucket="deleted")
    s3.delete_bucket(Bucket="deleted")
    s3.create_bucket(Bucket="empty", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    allow = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"], "Resource": [f"arn:aws:s3:::{ARCHIVE}/public/*"]}
    s3.put_bucket_policy(Bucket=ARCHIVE, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://plane.example.com"], "ExposeHeaders": ["ETag"]}
    s3.put_bucket_cors(Bucket=ARCHIVE, CORSConfiguration={"CORSRules": [cors]})
    rule = {"ID": "aborts", "Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 30000}}
    s3.put_bucket_lifecycle_configuration(Bucket=ARCHIVE, LifecycleConfiguration={"Rules": [rule]})
    s3.put_bucket_tagging(Bucket=ARCHIVE, Tagging={"TagSet": [{"Key": "team", "Value": "storage"}]})

    put = s3.put_object
    put(Bucket=ARCHIVE, Key="empty", Body=b"")
    put(Bucket=ARCHIVE, Key="inline", Body=b"a small body lies in the log", ContentType="text/plain")
    put(Bucket=ARCHIVE, Key="blob", Body=pattern(300_000))
    put(
        Bucket=ARCHIVE,
        Key="odd/ä +%&?#.txt",
        Body=b"odd",
        ContentType="text/plain; charset=utf-8",
        ContentDisposition='attachment; filename="x.txt"',
        ContentLanguage="de",
        CacheControl="max-age=60",
        Metadata={"mood": "fine", "from": "here"},
    )
    put(Bucket=ARCHIVE, Key="tagged", Body=b"tagged", Tagging="colour=red&size=10")
    put(Bucket=ARCHIVE, Key="tagged later", Body=b"tagged later")
    s3.put_object_tagging(Bucket=ARCHIVE, Key="tagged later", Tagging={"TagSet": [{"Key": "late", "Value": "yes"}]})
    put(Bucket=ARCHIVE, Key="checksum", Body=b"checksum", ChecksumAlgorithm="SHA256")
    put(Bucket=ARCHIVE, Key="public/read", Body=b"anybody may read this")
    put(Bucket=ARCHIVE, Key="replaced", Body=pattern(200_000, 7))
    put(Bucket=ARCHIVE, Key="replaced", Body=b"the new body")
    for key in ("deleted", "deleted in a batch", "deleted blob"):
        put(Bucket=ARCHIVE, Key=key, Body=pattern(150_000, 9) if "blob" in key else b"deleted")
    s3.delete_object(Bucket=ARCHIVE, Key="deleted")
    s3.delete_objects(Bucket=ARCHIVE, Delete={"Objects": [{"Key": "deleted in a batch"}, {"Key": "deleted blob"}]})
    s3.copy_object(Bucket=ARCHIVE, Key="copy of inline", CopySource=f"{ARCHIVE}/inline")
    s3.copy_object(
        Bucket=ARCHIVE, Key="copy of blob", CopySource=f"{ARCHIVE}/blob", MetadataDirective="REPLACE", Metadata={"copied": "yes"}
    )
    put(Bucket=ARCHIVE, Key="source", Body=pattern(100_000, 3))
    s3.copy_object(Bucket=BUCKET, Key="copy of a deleted source", CopySource=f"{ARCHIVE}/source")
    s3.delete_object(Bucket=ARCHIVE, Key="source")

    whole = s3.create_multipart_upload(Bucket=ARCHIVE, Key="multipart", Metadata={"parts": "three"}, ContentType="image/png")
    at = {"Bucket": ARCHIVE, "Key": "multipart", "UploadId": whole["UploadId"]}
    first = s3.upload_part(**at, PartNumber=1, Body=pattern(PART_BYTES))
    s3.upload_part(**at, PartNumber=2, Body=b"this part is sent again")
    second = s3.upload_part(**at, PartNumber=2, Body=bytes(PART_BYTES))
    last = s3.upload_part_copy(**at, PartNumber=5, CopySource=f"{ARCHIVE}/inline")
    tags = {1: first["ETag"], 2: second["ETag"], 5: last["CopyPartResult"]["ETag"]}
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in tags.items()]
    s3.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=ARCHIVE, Key="copy of multipart", CopySource=f"{ARCHIVE}/multipart")
    aborted = s3.create_multipart_upload(Bucket=ARCHIVE, Key="aborted")
    s3.upload_part(Bucket=ARCHIVE, Key="aborted", UploadId=aborted["UploadId"], PartNumber=1, Body=b"aborted")
    s3.abort_multipart_upload(Bucket=ARCHIVE, Key="aborted", UploadId=aborted["UploadId"])

    under_way = {}
    for key, parts in (("under way", [pattern(PART_BYTES, 5), b"its last part"]), ("only begun", [])):
        begun = s3.create_multipart_upload(Bucket=ARCHIVE, Key=key, Tagging="from=parts", Metadata={"begun": "before"})
        for number, part in enumerate(parts, start=1):
            s3.upload_part(Bucket=ARCHIVE, Key=key, UploadId=begun["UploadId"], PartNumber=number, Body=part)
        under_way[key] = begun["UploadId"]
    return under_way


def fill_users(server):
    acme = Workspace(server, "acme")
    project, withdrawn = new_id(), new_id()
    anchor = acme.publish(project)
    revoked_anchor = acme.publish(withdrawn)
    carry_out(server, "anchor", "revoke", revoked_anchor)
    reader = server.make_token("member@acme.example.com", "--scope", "assets:read", "--name", "reader")
    revoked = server.make_token("member@acme.example.com", "--name", "revoked")
    carry_out(server, "token", "revoke", revoked["id"])
    carry_out(server, "workspace", "create", "renamed", "--member", "removed@example.com:admin", "--member", "stays@example.com:guest")
    removed = server.make_token("removed@example.com")
    carry_out(server, "workspace", "member", "add", "renamed", "stays@example.com:member")
    carry_out(server, "user", "remove", "removed@example.com")
    return {
        "workspace": acme,
        "project": project,
        "anchors": {"published": anchor, "revoked": revoked_anchor},
        "tokens": {
            "admin": acme.admin.token,
            "member": acme.member.token,
            "guest": acme.guest.token,
            "outsider": acme.outsider.token,
            "reader": reader["token"],
            "revoked": revoked["token"],
            "removed": removed["token"],
        },
    }


def carry_out(server, *arguments):
    done = server.command_line(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fill_access_keys(server):
    made = {
        "any": carry_out(server, "access-key", "create", "--name", "any"),
        "reader": carry_out(server, "access-key", "create", "--read-only", "--bucket", ARCHIVE, "--prefix", "public/"),
        "revoked": carry_out(server, "access-key", "create"),
    }
    carry_out(server, "access-key", "revoke", made["revoked"]["id"])
    return {name: {"id": key["id"], "secret": key["secret"]} for name, key in made.items()}


def fill_assets(acme, project):
    """Makes one asset in each state, and names the workspace by its slug."""
    member, issue = acme.member, new_id()
    user_assets, workspace_assets = "/api/assets/v2/user-assets/", f"{acme.v2}/"
    attachments = f"{acme.v2}/projects/{project}/issues/{issue}/attachments/"

    def made(path, **fields):
        return member.ask(path, **PICTURE | fields)

    def confirmed(path, **fields):
        asset = upload(made(path, **fields), pictures.png())
        assert_done(member("PATCH", f"{path}{asset['asset_id']}/"))
        return asset

    assets = {
        "former avatar": confirmed(user_assets, entity_type="USER_AVATAR"),
        "avatar": confirmed(user_assets, entity_type="USER_AVATAR"),
        "cover": confirmed(user_assets, entity_type="USER_COVER"),
        "logo": confirmed(workspace_assets, entity_type="WORKSPACE_LOGO"),
        "project cover": confirmed(workspace_assets, entity_type="PROJECT_COVER", entity_identifier=project),
        "asked for": made(workspace_assets, entity_type="ISSUE_DESCRIPTION"),
        "bytes without a PATCH": upload(made(workspace_assets, entity_type="ISSUE_DESCRIPTION"), pictures.png()),
        "PATCH without bytes": made(workspace_assets, entity_type="WORKSPACE_LOGO"),
        "deleted": confirmed(workspace_assets, entity_type="PAGE_DESCRIPTION"),
        "restored": confirmed(workspace_assets, entity_type="COMMENT_DESCRIPTION"),
        "bound": confirmed(f"{acme.v2}/projects/{project}/", entity_type="ISSUE_DESCRIPTION"),
    }
    assert_done(member("PATCH", f"{workspace_assets}{assets['PATCH without bytes']['asset_id']}/"))
    for name in ("deleted", "restored"):
        assert_done(member("DELETE", f"{workspace_assets}{assets[name]['asset_id']}/"))
    assert_done(member("POST", f"{acme.v2}/restore/{assets['restored']['asset_id']}/"))
    bound = {"asset_ids": [assets["bound"]["asset_id"]]}
    assert_done(member("POST", f"{acme.v2}/projects/{project}/{issue}/bulk/", json=bound))

    attached = {"name": "spec.pdf", "type": "application/pdf", "size": 200_000}
    for name in ("attachment", "deleted attachment"):
        made_here = upload(member.ask(attachments, **attached), b"%PDF-1.7" + pattern(150_000, len(name)))
        assert_done(member("PATCH", f"{attachments}{made_here['asset_id']}/"))
        assets[name] = made_here
    assert_done(member("DELETE", f"{attachments}{assets['deleted attachment']['asset_id']}/"))
    assets["external"] = upload(member.ask(f"{acme.v1}/assets/", **PICTURE | EXTERNAL | {"project_id": project}), pictures.png())
    return {
        "workspace": acme.slug,
        "attachments": attachments,
        "assets": {name: asset["asset_id"] for name, asset in assets.items()},
        "keys": {name: key_of(asset) for name, asset in assets.items()},
    }


# Asking


def answers(server, known):
    """Every answer about a filled folder: bodies as their hashes, everything else as it was answered."""
    s3 = s3_client(server)
    buckets = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    return json.loads(
        json.dumps(
            {
                "buckets": {bucket: bucket_answers(s3, bucket) for bucket in buckets},
                "uploads": upload_answers(s3, known["uploads"]),
                "anonymous": [anonymous(server, path) for path in (f"/{ARCHIVE}/public/read", f"/{ARCHIVE}/inline")],
                "access keys": {name: key_answers(server, key) for name, key in known["access_keys"].items()},
                "tokens": {name: token_answers(server, token, known) for name, token in known["tokens"].items()},
                "anchors": {name: anchor_answers(server, anchor, known) for name, anchor in known["anchors"].items()},
                "commands": {
                    command: without_folder(carry_out(server, command, "list"))
                    for command in ("token", "access-key", "workspace", "user", "anchor")
                },
            },
            default=str,
        )
    )


def bucket_answers(s3, bucket):
    listed = [one for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for one in page.get("Contents", [])]
    documents = {
        "policy": s3.get_bucket_policy,
        "cors": s3.get_bucket_cors,
        "lifecycle": s3.get_bucket_lifecycle_configuration,
        "tags": s3.get_bucket_tagging,
        "location": s3.get_bucket_location,
    }
    return {
        "listed": listed,
        "objects": {one["Key"]: object_answers(s3, bucket, one["Key"]) for one in listed},
        "documents": {name: said(get, Bucket=bucket) for name, get in documents.items()},
    }


def object_answers(s3, bucket, key):
    got = s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    body = got.pop("Body").read()
    attributes = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    return {
        "sha256": hashlib.sha256(body).hexdigest(),
        "length": len(body),
        "headers": of_storage(got["ResponseMetadata"]["HTTPHeaders"]),
        "tags": said(s3.get_object_tagging, Bucket=bucket, Key=key),
        "attributes": said(s3.get_object_attributes, Bucket=bucket, Key=key, ObjectAttributes=attributes),
    }


def upload_answers(s3, uploads):
    listed = s3.list_multipart_uploads(Bucket=ARCHIVE).get("Uploads", [])
    parts = {key: said(s3.list_parts, Bucket=ARCHIVE, Key=key, UploadId=upload_id) for key, upload_id in uploads.items()}
    return {"listed": listed, "parts": parts}


def said(ask, **parameters):
    """What an operation answers, or the code of its error."""
    try:
        answer = ask(**parameters)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    answer.pop("ResponseMetadata")
    return answer


def of_storage(headers):
    return {name: value for name, value in headers.items() if name.lower() not in OF_THE_REQUEST}


def anonymous(server, path):
    answer = server.request("GET", path)
    return answer.status_code, hashlib.sha256(answer.content).hexdigest() if answer.ok else ""


def key_answers(server, key):
    s3 = s3_client(server, key["id"], key["secret"])
    read = [said(s3.head_object, Bucket=ARCHIVE, Key=name) for name in ("public/read", "inline")]
    # The condition fails: a key that may write is refused by it, and nothing is written.
    return read + [said(s3.put_object, Bucket=ARCHIVE, Key="public/read", Body=b"x", IfMatch='"00000000000000000000000000000000"')]


def token_answers(server, token, known):
    def ask(path):
        answer = server.request("GET", path, headers={"X-API-Key": token})
        if answer.is_redirect:
            fetched = requests.get(answer.headers["Location"], timeout=20)
            return answer.status_code, fetched.status_code, hashlib.sha256(fetched.content).hexdigest()
        return answer.status_code, answer.text

    v2 = f"/api/assets/v2/workspaces/{known['workspace']}"
    found = {"me": ask("/api/v1/users/me/"), "attachments": ask(known["attachments"])}
    for name, asset_id in known["assets"].items():
        paths = (f"/api/assets/v2/static/{asset_id}/", f"{v2}/{asset_id}/", f"{v2}/check/{asset_id}/", f"{known['attachments']}{asset_id}/")
        found[name] = [ask(path) for path in paths]
    external = PICTURE | EXTERNAL | {"project_id": known["project"]}
    v1 = f"/api/v1/workspaces/{known['workspace']}/assets/"
    again = server.request("POST", v1, json=external, headers={"X-API-Key": token})
    assert again.status_code != 200, "an external id is taken twice"
    found["external again"] = again.status_code, again.text
    return found


def anchor_answers(server, anchor, known):
    paths = [f"/api/public/assets/v2/anchor/{anchor}/{asset_id}/" for asset_id in known["assets"].values()]
    return [server.request("GET", path).status_code for path in paths]


def without_folder(printed):
    return {name: value for name, value in printed.items() if name != "data_dir"}


# Going on


def go_on(server, known):
    """Ends what was under way, and changes what was there."""
    s3 = s3_client(server)
    at = {"Bucket": ARCHIVE, "Key": "under way", "UploadId": known["uploads"]["under way"]}
    parts = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in s3.list_parts(**at)["Parts"]]
    s3.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket=ARCHIVE, Key="under way")
    assert got["Body"].read() == pattern(PART_BYTES, 5) + b"its last part"
    assert got["Metadata"] == {"begun": "before"}
    s3.abort_multipart_upload(Bucket=ARCHIVE, Key="only begun", UploadId=known["uploads"]["only begun"])
    s3.put_object(Bucket=ARCHIVE, Key="blob", Body=b"no blob any more")
    s3.delete_object(Bucket=ARCHIVE, Key="multipart")
    assert hashlib.sha256(s3.get_object(Bucket=ARCHIVE, Key="copy of multipart")["Body"].read()).digest() == hashlib.sha256(
        pattern(PART_BYTES) + bytes(PART_BYTES) + b"a small body lies in the log"
    ).digest()

    # The bytes of what was asked for, and of what was moved before they came.
    for name in ("asked for", "PATCH without bytes"):
        s3.put_object(Bucket=BUCKET, Key=known["keys"][name], Body=pictures.png(), ContentType="image/png")
    member = known["tokens"]["member"]
    static = f"/api/assets/v2/static/{known['assets']['PATCH without bytes']}/"
    assert server.request("GET", static).status_code == 200
    restore = f"/api/assets/v2/workspaces/{known['workspace']}/restore/{known['assets']['deleted']}/"
    answer = server.request("POST", restore, headers={"X-API-Key": member})
    assert answer.status_code == 204, answer.text
