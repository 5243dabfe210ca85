"""The AWS SDK for JavaScript and MinIO's: each script in js/ is a client's day, and says what of it failed."""

import os
import pathlib
import shutil

import pytest

from tools import run_tool, surroundings, tool

SCRIPTS = pathlib.Path(__file__).parent / "js"
MODULES = os.environ.get("CLIENTS_NODE_MODULES")


@pytest.mark.parametrize("script", ["aws.mjs", "minio.mjs", "presigned.mjs"])
def test_a_day_of(endpoint, bucket, tmp_path, script):
    node = tool("node")
    if not MODULES or not pathlib.Path(MODULES).is_dir():
        pytest.skip("the packages of js/package.json are not installed: CLIENTS_NODE_MODULES names no folder (npm is not here, or its registry was not reached)")
    # Modules are looked for beside the script, so it runs beside them.
    shutil.copy(SCRIPTS / script, tmp_path)
    (tmp_path / "node_modules").symlink_to(MODULES)
    ended = run_tool([node, script, endpoint.url, bucket], surroundings(endpoint, tmp_path), tmp_path, status=None)
    assert ended.returncode == 0, ended.told
