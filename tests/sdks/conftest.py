"""The server that every SDK is pointed at, with a workspace `acme` whose admin is ada@example.com."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "clients"))
from server import Hangar  # noqa: E402


@pytest.fixture(scope="session")
def hangar(tmp_path_factory):
    server = Hangar(tmp_path_factory.mktemp("hangar"))
    server.start()
    made = server.command_line("workspace", "create", "acme", "--member", "ada@example.com:admin")
    assert made.returncode == 0, made.stderr
    yield server
    server.stop()
