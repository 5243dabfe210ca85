"""Fixtures: running servers and the clients that judge them."""

import uuid

import boto3
import botocore
import pytest

from authority import Authority
from clients import s3_client
from plane_api import Workspace
from server import Hangar


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
