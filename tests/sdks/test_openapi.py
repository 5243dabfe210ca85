"""The OpenAPI document, held against the server by Schemathesis: no 5xx, and no answer that the document lacks."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

from server import Hangar

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_every_answer_is_one_that_the_document_describes(tmp_path):
    server = Hangar(tmp_path / "hangar", {"API_KEY_RATE_LIMIT": "1000000/minute"})
    server.start()
    try:
        made = server.command_line("token", "create", "--user", "ada@example.com", "--workspace", "*", "--json")
        token = json.loads(made.stdout)["token"]
        assert server.command_line("workspace", "create", "acme", "--member", "ada@example.com:admin").returncode == 0
        project = str(uuid.uuid4())
        made = server.command_line("anchor", "create", "--workspace", "acme", "--project", project, "--json")
        anchor = json.loads(made.stdout)["anchor"]
        config = tmp_path / "schemathesis.toml"
        config.write_text(
            f'headers = {{ "X-API-Key" = "{token}" }}\n[parameters]\nslug = "acme"\nanchor = "{anchor}"\nproject_id = "{project}"\n'
        )
        ran = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config), "run"),
                *(f"{server.url}/-/openapi.json", "--checks", ",".join(CHECKS), "--max-examples", "20"),
                *("--generation-database", "none", "--continue-on-failure", "--no-color", "--warnings", "off"),
            ],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "described_calls", "PYTHONPATH": str(Path(__file__).parent)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=540,
        )
    finally:
        server.stop()
    print(ran.stdout[-4000:])
    assert ran.returncode == 0, ran.stderr[-2000:]
