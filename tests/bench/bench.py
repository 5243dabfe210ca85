"""Speed as a promise that anyone can run again; tests/bench/run starts this."""

import argparse
import datetime
import pathlib
import platform
import shutil
import subprocess
import sys

import contest
import rows
from servers import CORES, REPOSITORY, WORK


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"what to measure; without a name, all: {', '.join(rows.ROWS)}")
    parser.add_argument("--program", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--binary", type=pathlib.Path, required=True, help="the hangar to judge; made from here unless named")
    parser.add_argument("--against", metavar="COMMIT", help="another hangar, measured beside it: a commit, which is built, or a binary")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="that each measurement lasts")
    parser.add_argument("--assets", type=int, default=1_000_000, help="how many the row `assets` fills a folder with")
    parser.add_argument("--working-set", type=int, default=15_000, help="how many objects the row `get-many` reads")
    parser.add_argument("--quick", action="store_true", help="two rounds of a second: does it run at all")
    chosen = parser.parse_args(arguments)
    chosen.program, chosen.binary = chosen.program.resolve(), chosen.binary.resolve()
    unknown = set(chosen.rows) - set(rows.ROWS)
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    if chosen.quick:
        chosen.rounds, chosen.seconds = 2, 1.0
        chosen.assets, chosen.working_set = min(chosen.assets, 20_000), min(chosen.working_set, 2_000)
    return chosen


def binary_of(commit):
    """The release binary of a commit; built once."""
    if pathlib.Path(commit).is_file():
        return pathlib.Path(commit).resolve()
    named = subprocess.run(["git", "rev-parse", "--short", "--verify", f"{commit}^{{commit}}"], cwd=REPOSITORY, capture_output=True, text=True)
    if named.returncode != 0:
        sys.exit(f"--against: {commit} is neither a file nor a commit")
    binary = WORK / "against" / f"hangar-{named.stdout.strip()}"
    if not binary.exists():
        tree = WORK / "against/tree"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", commit], cwd=REPOSITORY, capture_output=True, check=True)
        subprocess.run(["tar", "-x"], cwd=tree, input=archive.stdout, check=True)
        target = WORK / "against/target"
        subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "hangar", "--target-dir", target], cwd=tree, check=True)
        shutil.copy(target / "release/hangar", binary)
    return binary


def main(arguments):
    chosen = parse(arguments)
    hangars = [("hangar", chosen.binary)] + ([(f"against {pathlib.Path(chosen.against).name}", binary_of(chosen.against))] if chosen.against else [])
    bench = contest.Bench(chosen, hangars)
    print(f"{CORES} cores, Linux {platform.release()}, {chosen.rounds} rounds of {chosen.seconds:g} s, medians [lowest–highest]\n")
    missed = 0
    for name in chosen.rows or rows.ROWS:
        told = rows.ROWS[name](bench)
        print(f"## {name}: {told.title}\n", *told.parts, *told.verdicts, sep="\n", flush=True)
        print(flush=True)
        missed += sum(one.startswith("MISSED") for one in told.verdicts)
        contest.keep(name, {
            "row": name, "title": told.title, "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "cores": CORES, "rounds": chosen.rounds, "seconds": chosen.seconds, "verdicts": told.verdicts, "numbers": told.numbers,
        })
    shutil.rmtree(WORK / "work", ignore_errors=True)
    print(f"{missed} bars missed; the numbers are in {WORK}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
