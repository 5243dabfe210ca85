"""Commands that tests run beside a server or without one, and what each of them does to a folder."""

import subprocess

from server import bare_environment, binary

# Commands that only read a folder.
LOOKING = [
    ["fsck"],
    ["gc", "--dry-run"],
    ["token", "list"],
    ["access-key", "list"],
    ["user", "list"],
    ["workspace", "list"],
    ["anchor", "list"],
]
PROJECT = "3e41196c-089a-46f7-a962-d79cb6cf65ef"
# Commands that write to a folder.
CHANGING = [
    ["token", "create", "--user", "ada@example.com"],
    ["token", "revoke", "ID"],
    ["access-key", "create"],
    ["access-key", "revoke", "ID"],
    ["user", "remove", "ada@example.com"],
    ["workspace", "create", "acme"],
    ["workspace", "member", "add", "acme", "ada@example.com:admin"],
    ["workspace", "member", "remove", "acme", "ada@example.com"],
    ["anchor", "create", "--workspace", "acme", "--project", PROJECT],
    ["anchor", "revoke", "ANCHOR"],
    ["gc"],
    ["fsck", "--repair"],
    ["rebuild"],
    ["backup", "BACKUP"],
]
OTHER_USER = 65534


def name(command):
    return " ".join(command)


def as_other_user(*arguments, **settings):
    """Runs a command as OTHER_USER."""
    return subprocess.run(
        [binary(), *map(str, arguments)],
        env=bare_environment(**settings),
        user=OTHER_USER,
        group=OTHER_USER,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=60,
    )


def assert_one_sentence(ended, code, *named):
    """The command exited with `code` and one line of error, which contains each of `named`."""
    assert ended.returncode == code, ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("hangar: "), ended.stderr
    for name in named:
        assert name in last, last
    assert "panicked" not in ended.stderr
    assert ended.stdout == ""
    return last
