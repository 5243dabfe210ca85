"""Plane's own SDK for Node, pointed at hangar: js/plane.mjs is its user's walk."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULES = os.environ.get("SDKS_NODE_MODULES")


def test_the_walk_of_its_user(hangar, tmp_path):
    node = shutil.which("node")
    if not node or not MODULES or not Path(MODULES).is_dir():
        pytest.skip("node or the packages of js/package.json are not here: SDKS_NODE_MODULES names no folder (npm is not here, or its registry was not reached)")
    # Modules are looked for beside the script, so it runs beside them.
    shutil.copy(Path(__file__).parent / "js" / "plane.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)
    token = hangar.make_token("ada@example.com")["token"]
    ran = subprocess.run([node, "plane.mjs", hangar.url, token], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
