"""`packaging/plane/hangar-compose`: hangar in MinIO's place in Plane's compose files, and everything else unchanged."""

import os
import subprocess

import pytest
import yaml

from compose_files import DEVELOPER, PROGRAM, SHIPPED, TODAY


class ComposeFile:
    def __init__(self, folder, text):
        self.path = folder / "docker-compose.yaml"
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        (folder / "hangar").write_text("#!/bin/sh\n")
        (folder / "hangar").chmod(0o755)

    def run(self, *arguments):
        return subprocess.run([PROGRAM, *arguments, self.path], capture_output=True, text=True, timeout=20)

    @property
    def bytes(self):
        return self.path.read_bytes()

    def backups(self):
        return [path.read_bytes() for path in self.path.parent.glob("docker-compose.yaml.before-hangar-*")]


@pytest.fixture
def compose(tmp_path):
    return lambda text: ComposeFile(tmp_path, text)


def lines_of_difference(before, after):
    """What was taken out and what was put in, without their lines' indentation."""
    before, after = before.splitlines(), after.splitlines()
    return [line.strip() for line in before if line not in after], [line.strip() for line in after if line not in before]


@pytest.mark.parametrize("name", SHIPPED)
def test_hangar_takes_minios_place_and_all_else_stays(compose, name):
    file = compose(SHIPPED[name])
    before = yaml.safe_load(file.bytes)
    assert file.run().returncode == 0
    after = yaml.safe_load(file.bytes)
    was, service = before["services"].pop("plane-minio"), after["services"].pop("plane-minio")
    assert after == before, "no other service and no volume has changed"
    assert service.pop("image") == "debian:trixie-slim"
    assert service.pop("command") == '/usr/local/bin/hangar server /export --console-address ":9090"'
    assert service.pop("volumes") == ["./hangar:/usr/local/bin/hangar:ro", "uploads:/export"]
    rest = {key: value for key, value in was.items() if key not in ("image", "command", "entrypoint", "volumes")}
    assert service == rest
    assert file.backups() == [SHIPPED[name].encode()]


def test_the_rest_of_the_file_keeps_every_byte(compose):
    file = compose(TODAY)
    file.run()
    out, put_in = lines_of_difference(TODAY, file.bytes.decode())
    assert out == ["image: minio/minio:latest", 'command: server /export --console-address ":9090"']
    assert put_in == [
        "image: debian:trixie-slim",
        'command: /usr/local/bin/hangar server /export --console-address ":9090"',
        "- ./hangar:/usr/local/bin/hangar:ro",
    ]


@pytest.mark.parametrize(
    "spelled",
    [
        TODAY.replace("\n", "\r\n"),
        TODAY.rstrip("\n"),
        TODAY + "\n\n# the end \t \n",
        TODAY.replace("      - uploads:/export", '    - "uploads:/export:rw"   # the files'),
        TODAY.encode() + b"# \xff\xfe, which is not UTF-8\n",
    ],
    ids=["windows", "no newline at the end", "blank lines", "quoted", "not UTF-8"],
)
def test_odd_spellings_stay_as_they_are(compose, spelled):
    spelled = spelled if isinstance(spelled, bytes) else spelled.encode()
    file = compose(spelled)
    assert file.run().returncode == 0
    taken_back = file.bytes.replace(b"debian:trixie-slim", b"minio/minio:latest").replace(b"/usr/local/bin/hangar server", b"server")
    mount = next(line for line in taken_back.splitlines(keepends=True) if b"/usr/local/bin/hangar:ro" in line)
    assert taken_back.replace(mount, b"") == spelled


@pytest.mark.parametrize("name", SHIPPED)
def test_it_says_whether_the_change_is_in_and_makes_it_once(compose, name):
    file = compose(SHIPPED[name])
    missing = file.run("--check")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "hangar is not in MinIO's place" in missing.stderr
    assert file.bytes == SHIPPED[name].encode()

    assert file.run().returncode == 0
    changed = file.bytes
    there = file.run("--check")
    assert (there.returncode, there.stderr) == (0, "")
    assert "hangar is in MinIO's place" in there.stdout
    again = file.run()
    assert again.returncode == 0 and "nothing was changed" in again.stdout
    assert (file.bytes, len(file.backups())) == (changed, 1)


def test_an_upgrade_takes_it_out_and_it_is_put_in_again(compose):
    file = compose(TODAY)
    file.run()
    changed = file.bytes
    # Plane's upgrade moves the file away and downloads another in its place.
    file.path.unlink()
    file.path.write_text(TODAY)
    assert file.run("--check").returncode == 1
    assert file.run().returncode == 0
    assert file.bytes == changed
    assert file.run("--check").returncode == 0


def test_a_dry_run_shows_the_difference_and_changes_nothing(compose):
    file = compose(TODAY)
    shown = file.run("--diff")
    assert shown.returncode == 1
    assert "+      - ./hangar:/usr/local/bin/hangar:ro" in shown.stdout.splitlines()
    assert (file.bytes, file.backups()) == (TODAY.encode(), [])
    file.run()
    assert (file.run("--diff").returncode, file.run("--diff").stdout) == (0, "")


def test_image_and_binary_can_be_named_and_stay(compose, tmp_path):
    file = compose(TODAY)
    (tmp_path / "bin").mkdir()
    (tmp_path / "hangar").rename(tmp_path / "bin/hangar-1.0")
    assert file.run("--image", "registry.example.com:5000/debian:13", "--binary", "bin/hangar-1.0").returncode == 0
    service = yaml.safe_load(file.bytes)["services"]["plane-minio"]
    assert service["image"] == "registry.example.com:5000/debian:13"
    assert service["volumes"][0] == "./bin/hangar-1.0:/usr/local/bin/hangar:ro"
    changed = file.bytes
    assert file.run("--check").returncode == 0
    assert file.run().returncode == 0
    assert file.bytes == changed
    # Another image, once it is named.
    assert file.run("--image", "ubuntu:26.04").returncode == 0
    assert yaml.safe_load(file.bytes)["services"]["plane-minio"]["image"] == "ubuntu:26.04"


def without(text, line):
    assert line in text
    return text.replace(line, "")


UNKNOWN = {
    "no services": ("volumes:\n  uploads:\n", "no section services"),
    "empty": ("", "no section services"),
    "commented out": ("\n".join("#" + line if 11 <= at <= 22 else line for at, line in enumerate(TODAY.splitlines())), "no service plane-minio"),
    "another volume": (TODAY.replace("- uploads:/export", "- hangar:/export"), "hangar:/export"),
    "a folder": (TODAY.replace("- uploads:/export", "- ./minio:/export"), "./minio:/export"),
    "long volumes": (TODAY.replace("- uploads:/export", "- type: volume\n        source: uploads\n        target: /export"), "form that this script does not know"),
    "no volumes": (without(TODAY, "    volumes:\n      - uploads:/export\n"), "no volumes"),
    "another command": (TODAY.replace("command: server", "command: gateway"), "not the one that Plane ships"),
    "command as a list": (TODAY.replace('command: server /export --console-address ":9090"', 'command: ["server", "/export"]'), "not the one that Plane ships"),
    "another image": (TODAY.replace("minio/minio:latest", "chrislusf/seaweedfs"), "--image"),
    "another entrypoint": (DEVELOPER.replace("minio server", "weed server"), "does not start MinIO"),
    "tabs": (TODAY.replace("    command:", "\tcommand:"), "tab"),
    "twice": (TODAY.replace("  # Comment this if you have a proxy", "  plane-minio:\n    image: x\n"), "more than once"),
    "NUL": (TODAY.encode() + b"\0", "NUL"),
}


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("option", [[], ["--check"], ["--diff"]], ids=["put in", "check", "diff"])
def test_a_file_that_is_not_recognised_stays_as_it_is(compose, name, option):
    text, reason = UNKNOWN[name]
    file = compose(text)
    before = file.bytes
    ended = file.run(*option)
    assert (ended.returncode, ended.stdout) == (3, ""), ended
    assert reason in ended.stderr and "nothing was changed" in ended.stderr
    assert (file.bytes, file.backups()) == (before, [])


def test_without_the_binary_nothing_is_put_in(compose, tmp_path):
    """Docker would make an empty folder in its place."""
    file = compose(TODAY)
    (tmp_path / "hangar").unlink()
    ended = file.run()
    assert ended.returncode == 3 and str(tmp_path / "hangar") in ended.stderr
    assert file.bytes == TODAY.encode()
    (tmp_path / "hangar").mkdir()
    assert file.run().returncode == 3
    assert file.bytes == TODAY.encode()


@pytest.mark.parametrize(
    "arguments",
    [["--no-such-option"], ["--image"], ["--image", ""], ["--image", "a b"], ["--binary", "a:b"], ["other.yaml"]],
    ids=" ".join,
)
def test_a_wrong_command_line_changes_nothing(compose, arguments):
    file = compose(TODAY)
    ended = file.run(*arguments)
    assert ended.returncode == 2 and "Usage:" in ended.stderr
    assert file.bytes == TODAY.encode()


def test_mode_and_links_of_the_file_stay(compose, tmp_path):
    file = compose(TODAY)
    file.path.chmod(0o640)
    real = tmp_path / "real.yaml"
    file.path.rename(real)
    file.path.symlink_to(real)
    assert file.run().returncode == 0
    assert file.path.is_symlink()
    assert os.stat(file.path).st_mode & 0o777 == 0o640
    assert file.run("--check").returncode == 0


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_while_the_file_is_written_leaves_it_whole(compose, tmp_path, name):
    """As Ctrl-C does: it comes to the script and to what it runs."""
    file = compose(TODAY)
    wrapper = tmp_path / "bin/cat"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nhead -c 100 "$1"; kill -{name} 0; tail -c +101 "$1"\n')
    wrapper.chmod(0o755)
    environment = os.environ | {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    ended = subprocess.run([PROGRAM, file.path], env=environment, start_new_session=True, capture_output=True, text=True)
    assert ended.returncode == 0, ended
    assert file.run("--check").returncode == 0
