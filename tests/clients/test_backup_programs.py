"""rclone, s3cmd, restic and litestream: people keep their copies and backups with them."""

import sqlite3
import subprocess

import pytest

from bodies import LARGE, body
from clients import s3_client
from server import wait_until
from tools import run_tool, surroundings, tool

NAMES = ["ü ☕ a.txt", "a+b c%20d.txt", "inner/quote'd (1).txt", "inner/deep/😀.txt", "empty"]


@pytest.fixture
def tree(tmp_path):
    for name in NAMES:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() if name != "empty" else b"")
    (tmp_path / "tree/large.bin").write_bytes(body(LARGE))
    return tmp_path / "tree"


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


# rclone


@pytest.fixture(params=["Minio", "AWS", "Other"])
def rclone(request, endpoint, home, tmp_path):
    path = tool("rclone")
    if request.param == "AWS" and endpoint.scheme == "http":
        pytest.skip("as AWS's client, rclone streams with trailing checksums, which it does over TLS alone")
    environment = surroundings(
        endpoint,
        home,
        RCLONE_CONFIG_R_TYPE="s3",
        RCLONE_CONFIG_R_PROVIDER=request.param,
        RCLONE_CONFIG_R_ENDPOINT=endpoint.url,
        RCLONE_CONFIG_R_ENV_AUTH="true",
        RCLONE_CONFIG_R_FORCE_PATH_STYLE="true",
        RCLONE_CONFIG_R_UPLOAD_CUTOFF="10M",
        RCLONE_CONFIG_R_COPY_CUTOFF="10M",
        RCLONE_CONFIG_R_CHUNK_SIZE="5M",
        RCLONE_RETRIES="1",
        RCLONE_LOW_LEVEL_RETRIES="1",
    )
    return lambda *words, status=0: run_tool([path, *words], environment, tmp_path, status)


def test_rclone_copies_checks_moves_and_purges(rclone, bucket, tree, tmp_path):
    rclone("copy", "tree", f"r:{bucket}/tree")
    rclone("check", "tree", f"r:{bucket}/tree", "--download")
    assert "There was nothing to transfer" in rclone("sync", "-v", "tree", f"r:{bucket}/tree").told, "the times came back"
    rclone("copy", f"r:{bucket}/tree", "back")
    assert files(tmp_path / "back") == files(tree)
    rclone("copy", f"r:{bucket}/tree", f"r:{bucket}/copied")
    rclone("check", f"r:{bucket}/tree", f"r:{bucket}/copied")
    rclone("moveto", f"r:{bucket}/copied/empty", f"r:{bucket}/copied/moved ü")
    listed = rclone("lsf", "-R", "--files-only", f"r:{bucket}/copied").stdout.decode().splitlines()
    assert set(listed) == set(NAMES) - {"empty"} | {"moved ü", "large.bin"}
    (tree / "empty").unlink()
    rclone("sync", "tree", f"r:{bucket}/tree")
    assert "empty" not in rclone("lsf", f"r:{bucket}/tree").stdout.decode()
    rclone("touch", f"r:{bucket}/tree/{NAMES[0]}", "-t", "2001-02-03T04:05:06")
    assert "2001-02-03" in rclone("lsl", f"r:{bucket}/tree/{NAMES[0]}").stdout.decode()
    assert rclone("cat", "--offset", "1", "--count", "2", f"r:{bucket}/tree/large.bin").stdout == body(LARGE)[1:3]
    rclone("purge", f"r:{bucket}")
    rclone("lsf", f"r:{bucket}", status=3)
    rclone("mkdir", f"r:{bucket}")
    rclone("rmdir", f"r:{bucket}")


def test_rclone_streams_and_cleans_up_what_was_left(rclone, endpoint, bucket, tmp_path):
    s3 = s3_client(endpoint)
    s3.create_multipart_upload(Bucket=bucket, Key="left")
    rclone("backend", "cleanup", "-o", "max-age=0", f"r:{bucket}")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    rclone("rcat", f"r:{bucket}/empty")
    assert rclone("size", "--json", f"r:{bucket}").stdout.strip() == b'{"count":1,"bytes":0,"sizeless":0}'


# s3cmd


@pytest.fixture
def s3cmd(endpoint, home, tmp_path):
    path = tool("s3cmd")
    settings = {
        "access_key": endpoint.access_key,
        "secret_key": endpoint.secret_key,
        "host_base": endpoint.url.split("//")[1],
        "host_bucket": endpoint.url.split("//")[1],
        "use_https": str(endpoint.scheme == "https"),
        "ca_certs_file": endpoint.verify or "",
        "bucket_location": "us-east-1",
        "multipart_chunk_size_mb": "8",
        "max_retries": "1",
    }
    (home / ".s3cfg").write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return lambda *words, status=0: run_tool([path, *words], surroundings(endpoint, home), tmp_path, status)


def test_s3cmd(s3cmd, bucket, endpoint, tree, tmp_path):
    assert f"s3://{bucket}" in s3cmd("ls").stdout.decode()
    s3cmd("sync", "tree/", f"s3://{bucket}/tree/")
    listed = s3cmd("ls", "--recursive", f"s3://{bucket}").stdout.decode()
    assert all(f"s3://{bucket}/tree/{name}\n" in listed for name in NAMES)
    (tmp_path / "back").mkdir()
    s3cmd("sync", f"s3://{bucket}/tree/", "back/")
    assert files(tmp_path / "back") == files(tree)
    s3cmd("cp", f"s3://{bucket}/tree/{NAMES[0]}", f"s3://{bucket}/copy")
    s3cmd("mv", f"s3://{bucket}/copy", f"s3://{bucket}/moved")
    assert f"File size: {len(NAMES[0].encode())}" in s3cmd("info", f"s3://{bucket}/moved").stdout.decode()
    assert "Location:  us-east-1" in s3cmd("info", f"s3://{bucket}").stdout.decode()
    s3cmd("setacl", "--acl-private", f"s3://{bucket}/moved")
    s3cmd("modify", "--add-header=Cache-Control:no-cache", f"s3://{bucket}/moved")
    assert s3_client(endpoint).head_object(Bucket=bucket, Key="moved")["CacheControl"] == "no-cache"
    size = sum(map(len, files(tree).values())) + len(NAMES[0].encode())
    assert str(size) in s3cmd("du", f"s3://{bucket}").stdout.decode()
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}")
    s3cmd("rb", f"s3://{bucket}")
    s3cmd("mb", f"s3://{bucket}")
    s3cmd("ls", "s3://no-such-bucket-here", status=12)


# restic


def test_restic_backs_up_checks_restores_and_forgets(endpoint, bucket, tree, home, tmp_path):
    path = tool("restic")
    environment = surroundings(endpoint, home, RESTIC_REPOSITORY=f"s3:{endpoint.url}/{bucket}/repository", RESTIC_PASSWORD="judge")
    trust = ["--cacert", endpoint.verify] if endpoint.verify else []

    def restic(*words):
        return run_tool([path, "--no-cache", *trust, *words], environment, tmp_path)

    restic("init")
    restic("backup", "tree")
    (tree / "more").write_bytes(body(300_000))
    restic("backup", "tree")
    restic("check", "--read-data")
    restic("restore", "latest", "--target", "restored")
    (found,) = (tmp_path / "restored").rglob("more")
    assert files(found.parent) == files(tree)
    restic("forget", "--keep-last", "1", "--prune")
    restic("check")


# litestream


def test_litestream_replicates_and_restores_a_database(endpoint, bucket, home, tmp_path):
    path = tool("litestream")
    settings = f"""
dbs:
  - path: {tmp_path}/app.db
    replica:
      type: s3
      bucket: {bucket}
      path: app
      endpoint: {endpoint.url}
      region: us-east-1
      force-path-style: true
      sync-interval: 100ms
"""
    (tmp_path / "litestream.yml").write_text(settings)
    environment = surroundings(endpoint, home)
    # It has a client of its own, which takes its authorities from SSL_CERT_FILE and cannot take more.
    environment.pop("AWS_CA_BUNDLE", None)
    database = sqlite3.connect(tmp_path / "app.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE words (word TEXT)")
    database.commit()
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen([path, "replicate", "-config", "litestream.yml"], env=environment, cwd=tmp_path, stdout=said, stderr=said)
    try:
        s3 = s3_client(endpoint)
        wait_until(lambda: s3.list_objects_v2(Bucket=bucket)["KeyCount"] > 0, process, (tmp_path / "said").read_text)
        database.executemany("INSERT INTO words VALUES (?)", [(str(n),) for n in range(5000)])
        database.commit()
    finally:
        process.terminate()
        assert process.wait(20) == 0, (tmp_path / "said").read_text()
    run_tool([path, "restore", "-config", "litestream.yml", "-o", "restored.db", tmp_path / "app.db"], environment, tmp_path)
    restored = sqlite3.connect(tmp_path / "restored.db")
    assert restored.execute("SELECT count(*) FROM words").fetchone() == (5000,)
