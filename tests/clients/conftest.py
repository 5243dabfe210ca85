"""Fixtures: running servers and the clients that test them."""

import json
import os
import pathlib
import resource
import tempfile
import uuid

import boto3
import botocore
import pytest

from authority import Authority
from bodies import IN_A_BLOB, IN_THE_LOG
from clients import s3_client
from plane_api import Workspace
from server import Hangar

# Two thousand connections, and what a process has open besides.
MANY_FILES = 2512


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=1, help="how often test_kill.py kills a server under load")
    parser.addoption("--seed", type=int, default=None, help="fixes when test_kill.py kills")


def pytest_report_header():
    return f"boto3 {boto3.__version__}, botocore {botocore.__version__}"


@pytest.fixture(scope="module")
def hangar(tmp_path_factory):
    """One server for the tests of a module; it must stop cleanly in the end."""
    server = Hangar(tmp_path_factory.mktemp("hangar")).start()
    yield server
    assert server.stop() == 0, server.said()
    assert "panicked" not in server.said()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=["plain", "tls"])
def endpoint(request, tmp_path_factory):
    """As `hangar`, once over HTTP and once over TLS: clients speak differently over each."""
    authority = request.getfixturevalue("authority") if request.param == "tls" else None
    server = Hangar(tmp_path_factory.mktemp(request.param), authority=authority).start()
    yield server
    assert server.stop() == 0, server.said()
    assert "panicked" not in server.said()


@pytest.fixture
def bucket(endpoint):
    """A fresh bucket of `endpoint`."""
    name = f"bucket-{uuid.uuid4()}"
    s3_client(endpoint).create_bucket(Bucket=name)
    return name


@pytest.fixture
def start_hangar(tmp_path):
    """Starts servers with settings of their own; those still running are stopped, and must exit with 0."""
    servers = []

    def start(command=None, port=None, **settings):
        server = Hangar(tmp_path / f"hangar-{len(servers)}", settings, command, port)
        servers.append(server)
        return server.start()

    yield start
    codes = [server.stop() for server in servers]
    assert codes == [0] * len(servers), "".join(server.said() for server in servers)
    assert not any("panicked" in server.said() for server in servers)


@pytest.fixture
def filled(start_hangar):
    """A server that made its root key itself, with an object in a blob and one in the log."""
    hangar = start_hangar(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    keys = json.loads((hangar.data / "@hangar/keys").read_text())
    hangar.access_key, hangar.secret_key = keys["access_key_id"], keys["secret_access_key"]
    s3 = s3_client(hangar)
    s3.put_object(Bucket="uploads", Key="large", Body=IN_A_BLOB)
    s3.put_object(Bucket="uploads", Key="small", Body=IN_THE_LOG)
    return hangar


@pytest.fixture
def open_folder():
    """A folder that other users can reach: pytest's own are closed to them."""
    if os.geteuid() != 0:
        pytest.skip("only root can run commands as another user")
    with tempfile.TemporaryDirectory(prefix="hangar-open-") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


@pytest.fixture
def many_files():
    """Lets this process open as many files as it may, and skips where those are too few for thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY_FILES:
        pytest.skip(f"the tests with thousands of connections need {MANY_FILES} open files, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def token(hangar):
    return hangar.make_token()["token"]


@pytest.fixture(scope="module")
def acme(hangar):
    """A workspace with its people."""
    return Workspace(hangar, "acme")


@pytest.fixture
def connect():
    """Makes further clients: other keys, other servers, other settings."""
    return s3_client


@pytest.fixture(scope="module")
def s3(hangar):
    return s3_client(hangar)
