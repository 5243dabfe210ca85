"""Standing warnings: in the log with what to do, in readiness as counts and words, and over when their cause is."""

import datetime
import json
import re
import shlex
import subprocess

import botocore.exceptions
import pytest
import trustme

from clients import s3_client
from server import Hangar, run, wait_until
from tools import surroundings, tool


def readiness(server, **how):
    answer = server.request("GET", "/-/health/ready", **how)
    return answer.status_code, answer.json()


def warnings(server):
    return readiness(server)[1]["warnings"]


def wait_for_line(server, pattern):
    """Waits until the log has a line like this, and answers its match."""
    found = []

    def is_there():
        found[:] = [match for line in server.said().splitlines() if (match := re.search(pattern, line))]
        return bool(found)

    wait_until(is_there, server.process, lambda: f"no line is like {pattern}:\n{server.said()}")
    return found[-1]


def policy(bucket, *statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": effect, "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{bucket}{resource}"} | more
        for effect, action, resource, more in statements]})


READ = ("Allow", "s3:GetObject", "/*", {})
LIST = ("Allow", "s3:ListBucket", "", {})


# A folder with MinIO's files


def minio_folder(folder, layout):
    """The names that matter of what a MinIO server with one drive leaves behind."""
    files = {
        "erasure-coded": [".minio.sys/format.json", ".minio.sys/buckets/photos/.metadata.bin/xl.meta", "photos/2026/me.png/xl.meta"],
        "plain": [".minio.sys/format.json", ".minio.sys/buckets/photos/.metadata.bin", "photos/2026/me.png"],
        "buckets-alone": ["photos/2026/me.png/xl.meta"],
    }[layout]
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of MinIO")
    return [folder / name for name in files]


@pytest.mark.parametrize("layout", ["erasure-coded", "plain", "buckets-alone"])
def test_a_folder_with_files_of_minio_is_named_and_left_as_it_is(tmp_path, layout):
    server = Hangar(tmp_path)
    files = minio_folder(server.data, layout)
    before = [(path.stat().st_mtime_ns, path.stat().st_atime_ns, path.stat().st_ctime_ns) for path in files]
    server.start()
    line = wait_for_line(server, "holds files that MinIO wrote.*").group()
    # `rclone sync` would delete what was uploaded to hangar since.
    assert '"photos"' in line and "rclone copy" in line and "sync" not in line
    assert str(server.data) in server.said()
    status, told = readiness(server)
    assert status == 200
    assert told["warnings"] == ["the data folder holds files of MinIO, which are not read"]
    commands = (["token", "list"], ["gc", "--dry-run"], ["fsck"])
    for command in commands:
        beside = run(*command, "--data-dir", server.data)
        assert beside.returncode == 0, beside.stderr
        assert "holds files that MinIO wrote" in beside.stderr, command
    assert server.stop() == 0
    for command in (*commands, ["rebuild"]):
        alone = run(*command, "--data-dir", server.data)
        assert alone.returncode == 0, alone.stderr
        assert "holds files that MinIO wrote" in alone.stderr, command
        silent = run(*command, "--data-dir", server.data, HANGAR_LOG="error")
        assert silent.stderr == "", command
    after = [(path.stat().st_mtime_ns, path.stat().st_atime_ns, path.stat().st_ctime_ns) for path in files]
    assert after == before
    assert all(path.read_bytes() == b"of MinIO" for path in files)


def test_an_ordinary_data_folder_has_no_warnings(tmp_path):
    server = Hangar(tmp_path)
    (server.data / ".minio.sys").mkdir(parents=True)
    (server.data / "lost+found").mkdir()
    server.start()
    assert warnings(server) == []
    assert run("gc", "--quiet", "--data-dir", server.data).stderr == ""
    assert "WARN" not in run("gc", "--data-dir", server.data).stderr
    assert server.stop() == 0
    assert "WARN" not in server.said()


# Buckets that everybody gains from


def test_a_policy_that_opens_a_bucket_is_warned_of_until_the_command_of_the_log_closes_it(start_hangar, tmp_path):
    server = start_hangar()
    s3 = s3_client(server)
    s3.put_object(Bucket="uploads", Key="a", Body=b"a")
    assert warnings(server) == []
    s3.put_bucket_policy(Bucket="uploads", Policy=policy("uploads", READ, LIST))
    assert server.request("GET", "/uploads/a").status_code == 200
    line = wait_for_line(server, r"WARN.*the policy of bucket uploads lets everybody read all objects, and list its keys,.*: (aws s3api .*)$")
    status, told = readiness(server)
    assert (status, told) == (200, {"status": "ready", "warnings": ["1 bucket is open to everybody by its policy"]})

    # It is said again at the next start.
    assert server.stop() == 0
    said = server.said().count("the policy of bucket uploads")
    server.start()
    wait_until(lambda: server.said().count("the policy of bucket uploads") > said, server.process, server.said)

    command = shlex.split(line[1])
    assert command == ["aws", "s3api", "delete-bucket-policy", "--endpoint-url", server.url, "--bucket", "uploads"]
    closed = subprocess.run([tool("aws"), *command[1:]], env=surroundings(server, tmp_path), capture_output=True, text=True)
    assert closed.returncode == 0, closed.stderr
    assert server.request("GET", "/uploads/a").status_code == 403
    assert warnings(server) == []


@pytest.mark.parametrize("opens", [
    pytest.param([READ], id="read"),
    pytest.param([LIST], id="list"),
    pytest.param([("Allow", "s3:PutObject", "/*", {})], id="write"),
    pytest.param([("Allow", "s3:GetObject", "/public/*", {})], id="a-prefix"),
    pytest.param([(*READ[:3], {"Principal": {"AWS": ["*"]}})], id="principal-as-a-list"),
    pytest.param([READ, ("Deny", "s3:GetObject", "/private/*", {})], id="a-part-denied"),
    pytest.param([(*READ[:3], {"Condition": {"StringLike": {"aws:Referer": "https://plane.example.com/*"}}})], id="by-a-referer"),
])
def test_policies_that_open_a_bucket_are_counted(start_hangar, opens):
    server = start_hangar()
    s3_client(server).put_bucket_policy(Bucket="uploads", Policy=policy("uploads", *opens))
    assert warnings(server) == ["1 bucket is open to everybody by its policy"]
    wait_for_line(server, "the policy of bucket uploads lets everybody")


@pytest.mark.parametrize("closed", [
    pytest.param([("Deny", "s3:*", "/*", {})], id="a-deny-alone"),
    pytest.param([READ, ("Deny", "s3:*", "*", {})], id="denied-again"),
    pytest.param([(*READ[:3], {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}})], id="by-name"),
    pytest.param([(*READ[:3], {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}})], id="from-known-addresses"),
])
def test_a_policy_that_opens_nothing_causes_no_warning(start_hangar, closed):
    server = start_hangar()
    s3_client(server).put_bucket_policy(Bucket="uploads", Policy=policy("uploads", *closed))
    assert warnings(server) == []
    assert "lets everybody" not in server.said()


def test_open_buckets_are_counted_and_never_named_in_public(start_hangar):
    server = start_hangar()
    s3 = s3_client(server)
    for bucket in ("first-secret-name", "second-secret-name"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket, READ))
    assert warnings(server) == ["2 buckets are open to everybody by their policies"]
    assert "secret-name" not in server.request("GET", "/-/health/ready").text
    s3.put_public_access_block(Bucket="first-secret-name", PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    assert warnings(server) == ["1 bucket is open to everybody by its policy"]
    s3.delete_bucket(Bucket="second-secret-name")
    assert warnings(server) == []
    # Without the block the policy opens the bucket again, and the log says it again.
    said = server.said().count("the policy of bucket first-secret-name")
    s3.delete_public_access_block(Bucket="first-secret-name")
    assert warnings(server) == ["1 bucket is open to everybody by its policy"]
    assert server.said().count("the policy of bucket first-secret-name") == said + 1


# Certificates


class DatedAuthority:
    """As `Authority`, with a certificate of other days."""

    def __init__(self, folder, begins, ends):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.root, self.certificate, self.key = (folder / name for name in ("root.pem", "certificate.pem", "key.pem"))
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(str(self.root))
        self.issue(now + begins, now + ends)

    def issue(self, not_before, not_after):
        made = self.authority.issue_cert("127.0.0.1", not_before=not_before, not_after=not_after)
        made.private_key_pem.write_to_path(str(self.key))
        self.key.chmod(0o600)
        made.cert_chain_pems[0].write_to_path(str(self.certificate))


def days(count):
    return datetime.timedelta(days=count, hours=1)


@pytest.mark.parametrize("begins, ends, in_public, in_log", [
    (days(-30), days(60), None, None),
    (days(-30), days(14), None, None),
    (days(-30), days(13), "the TLS certificate expires in 13 days", "expires at .*, in 13 days: renew it"),
    (days(-30), days(-2), "the TLS certificate has expired", "expired at .*: clients refuse it"),
    (days(2), days(60), "the TLS certificate is not valid yet", "is not valid before .*: clients refuse it"),
], ids=["good", "more-than-14-days", "soon", "expired", "not-yet"])
def test_a_certificate_that_ends_soon_or_is_not_valid_is_warned_of(tmp_path, begins, ends, in_public, in_log):
    authority = DatedAuthority(tmp_path, begins, ends)
    server = Hangar(tmp_path / "server", authority=authority)
    server.launch()
    wait_for_line(server, "hangar is ready")
    status, told = readiness(server, verify=False)
    assert status == 200
    assert told["warnings"] == ([in_public] if in_public else [])
    if in_log:
        wait_for_line(server, f"WARN.*the TLS certificate in {authority.certificate} {in_log}")
    # A certificate that is renewed ends it, and one that is not good begins it anew.
    now = datetime.datetime.now(datetime.timezone.utc)
    authority.issue(now - days(1), now + days(90))
    wait_until(lambda: readiness(server, verify=False)[1]["warnings"] == [], server.process, server.said)
    authority.issue(now - days(9), now + days(3))
    wait_for_line(server, "WARN.* in 3 days: renew it")
    assert readiness(server, verify=False)[1]["warnings"] == ["the TLS certificate expires in 3 days"]
    assert server.stop() == 0


# What is logged at which level


def test_an_unsupported_request_is_not_logged_as_an_error(start_hangar):
    server = start_hangar()
    s3 = s3_client(server)
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        s3.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert server.request("GET", "/minio/admin/v3/info").status_code == 501
    lines = [line for line in server.said().splitlines() if "status=501" in re.sub(r"\x1b\[[0-9;]*m", "", line)]
    assert len(lines) == 2
    assert "ERROR" not in server.said()
    assert server.stop() == 0


# Settings


def test_a_client_that_does_not_speak_http_is_not_logged_as_an_error(start_hangar):
    server = start_hangar(HANGAR_LOG="info")
    for sent in (b"\x16\x03\x01\x00\xee\x01\x00\x00\xea", b"no request\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n"):
        server.exchange(sent)
    wait_for_line(server, "rejected a request that cannot be parsed")
    assert server.stop() == 0
    assert "ERROR" not in server.said(), server.said()


def test_a_root_key_pair_of_examples_is_warned_of_in_the_log_only(tmp_path):
    server = Hangar(tmp_path, {"AWS_ACCESS_KEY_ID": "access-key", "AWS_SECRET_ACCESS_KEY": "secret-key"})
    server.settings["HANGAR_LISTEN"] = f"0.0.0.0:{server.port}"
    server.start()
    line = wait_for_line(server, "WARN.*the root key pair.*").group()
    assert "secret-key" not in line
    assert warnings(server) == []
    assert server.stop() == 0
