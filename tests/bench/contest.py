"""Measuring in turn, A B A B …, and telling what came of it: medians, ranges, and ratios of the same round."""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import time

from servers import CORES, WORK, quiet


class Bench:
    """What a run was asked for."""

    def __init__(self, chosen, hangars):
        self.program = chosen.program
        self.rounds = chosen.rounds
        self.seconds = chosen.seconds
        self.quick = chosen.quick
        self.assets = chosen.assets
        self.working_set = chosen.working_set
        # Pairs of a name and a binary; the first is the one that is judged.
        self.hangars = hangars

    def load(self, server, requests, status, **options):
        return self.measure("load", **{
            "port": server.port, "requests": requests, "status": status, "pid": server.pids, "seconds": self.seconds,
        } | options)

    def measure(self, command, **options):
        """Runs a command of the Rust program, and answers what it measured and how busy others kept the machine."""
        words = [str(self.program), command]
        for name, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    words += [f"--{name}", str(one)]
        busy, began = busy_seconds(), time.monotonic()
        own = resource.getrusage(resource.RUSAGE_CHILDREN)
        watched = sum(map(cpu_seconds, options.get("pid", [])))
        done = subprocess.run(words, capture_output=True, text=True)
        took = time.monotonic() - began
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()[-2000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        load = after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime
        watched = sum(map(cpu_seconds, options.get("pid", []))) - watched
        measured = json.loads(done.stdout)
        others = max(0.0, busy_seconds() - busy - load - watched)
        return measured | {"load_cpu_seconds": load, "others": others / took / CORES}


def busy_seconds():
    """What all cores worked since boot, idle and waiting left out."""
    ticks = list(map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]))
    return (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Spread:
    """A median and its range."""

    def __init__(self, values):
        self.values = list(values)
        self.median = statistics.median(self.values)

    def told(self, form="{:,.0f}"):
        low, middle, high = (form.format(value) for value in (min(self.values), self.median, max(self.values)))
        return middle if len(self.values) == 1 else f"{middle} [{low}–{high}]"


class Contest:
    """Several contestants, each measured once a round, in turn."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.contestants = {}
        self.results = {}

    def enter(self, name, measure):
        """`measure` is given the number of the round."""
        self.contestants[name] = measure
        return self

    def run(self):
        self.results = {name: [] for name in self.contestants}
        for number in range(self.rounds):
            for name, measure in self.contestants.items():
                quiet()
                self.results[name].append(measure(number))
        return self

    def of(self, name, what):
        return [one[what] for one in self.results[name]]

    def cpu_us(self, name):
        return [one["cpu_seconds"] * 1e6 / one["answers"] for one in self.results[name]]

    def ratio(self, name, other, what="rate"):
        """Round by round, so that what slowed a whole round slows both."""
        return Spread(a / b for a, b in zip(self.of(name, what), self.of(other, what)))

    def cpu_ratio(self, name, other):
        return Spread(a / b for a, b in zip(self.cpu_us(name), self.cpu_us(other)))

    def table(self, unit="answers/s", judged="hangar", gigabytes=None):
        """With `gigabytes` (of each answer) rates are GB/s and the processor's time is for each GB."""
        each = gigabytes or 1
        work = "CPU s for a GB" if gigabytes else "CPU µs each"
        lines = [
            f"| | {'GB/s' if gigabytes else unit} | p50 ms | p99 ms | {work} | {judged} against it: rate | its CPU | machine busy with others |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for name in self.results:
            against = cpu = "–"
            if name != judged and judged in self.results:
                against = self.ratio(judged, name).told("{:.2f}")
                cpu = self.cpu_ratio(judged, name).told("{:.2f}") if min(self.cpu_us(name)) > 0 else "–"
            costs = [one / 1e6 / each if gigabytes else one for one in self.cpu_us(name)]
            lines.append("| " + " | ".join([
                name,
                Spread(one * each for one in self.of(name, "rate")).told("{:.2f}" if gigabytes else "{:,.0f}"),
                Spread(one / 1000 for one in self.of(name, "p50_us")).told("{:.2f}"),
                Spread(one / 1000 for one in self.of(name, "p99_us")).told("{:.2f}"),
                Spread(costs).told("{:.2f}" if gigabytes else "{:.1f}"),
                against,
                cpu,
                f"{max(self.of(name, 'others')):.0%}",
            ]) + " |")
        busy = max(one["others"] for found in self.results.values() for one in found)
        if busy > 0.1:
            lines.append(f"\nOthers kept the machine up to {busy:.0%} busy meanwhile: the rates say little, the processor's time more.")
        return "\n".join(lines) + "\n"


def verdict(holds, text):
    return f"{'holds' if holds else 'MISSED'}: {text}"


def at_least(spread, bar, text):
    return verdict(spread.median >= bar, f"{text}: {spread.told('{:.2f}')}, bar ≥ {bar}")


def at_most(value, bar, text, form="{:.1f}"):
    return verdict(value <= bar, f"{text}: {form.format(value)}, bar ≤ {bar}")


def keep(name, document):
    """The numbers themselves, for whoever wants to reckon again."""
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
