"""What the torture is given: how often, and from which seed."""

import os
import pathlib
import random

import pytest

from server import REPOSITORY


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=None, help="how often each part is done")
    parser.addoption("--seed", type=int, default=None, help="repeats the choices of a run")


def pytest_generate_tests(metafunc):
    if "round_number" in metafunc.fixturenames:
        rounds = metafunc.config.getoption("--rounds") or metafunc.module.SHORT
        metafunc.parametrize("round_number", range(rounds))


@pytest.fixture(scope="session")
def seed(request):
    seed = request.config.getoption("--seed")
    return random.SystemRandom().randrange(1 << 32) if seed is None else seed


@pytest.fixture
def chance(seed, round_number):
    print(f"--seed {seed}")
    return random.Random(f"{seed} {round_number}")


@pytest.fixture
def debug_binary(monkeypatch):
    """The build that knows CRASH_AT and FAULT_AT."""
    path = pathlib.Path(os.environ.get("DEBUG_BINARY", REPOSITORY / "target/debug/hangar"))
    assert path.is_file(), f"{path} is not there: `cargo build` makes it"
    monkeypatch.setenv("CLIENTS_BINARY", str(path))
