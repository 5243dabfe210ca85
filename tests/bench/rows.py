"""What is measured: one function for each row of README.md's table. Each answers text, verdicts and numbers."""

import contextlib
import json
import os
import random
import socket
import subprocess
import threading
import time

import wire
from contest import Contest, Spread, at_least, at_most
from servers import KILOBYTES_50, Absent, Bare, Hangar, Moto, Nginx, S3rver, S3sFs, fresh_folder, memory, picture, quiet

ROWS = {}


def row(name):
    """Makes a function a row, under the name that the command line knows."""
    def enter(function):
        ROWS[name] = function
        return function
    return enter


class Told:
    """What a row has to say."""

    def __init__(self, title):
        self.title = title
        self.parts = []
        self.verdicts = []
        self.numbers = {}

    def contest(self, name, contest, **how):
        self.parts.append(f"{name}\n\n{contest.table(**how)}" if name else contest.table(**how))
        self.numbers[name or self.title] = contest.results

    def skipped(self, name, why):
        self.parts.append(f"{name} is not measured: {why}")


@contextlib.contextmanager
def running(*servers):
    """Stops them all, whatever happened."""
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.callback(server.stop)
            server.start()
        yield servers


def hangars(bench, **settings):
    return [Hangar(name, binary, {"API_KEY_RATE_LIMIT": "off"} | settings) for name, binary in bench.hangars]


def peer(told, make, *arguments):
    """A peer, or none and the reason told."""
    try:
        return make(*arguments)
    except Absent as absent:
        told.skipped(make.name, absent)
        return None


def static_rows(bench, told, prepare, status, length=None, with_body=False):
    """Hangar's static route, the bare handler with hangar's own answer, and nginx with the same file."""
    content = picture()
    ours = hangars(bench)
    with running(*ours):
        first = ours[0]
        paths = {each: each.upload_asset(each.make_token()["token"], content) for each in ours}
        answer = first.request("GET", paths[first])
        assert answer.content == content, answer
        not_modified = first.request("GET", paths[first], headers={"If-None-Match": answer.headers["ETag"]})
        assert not_modified.status_code == 304, not_modified
        bare = Bare(bench.program, answer, not_modified)
        nginx = peer(told, Nginx, answer)
        paths[bare] = "/picture"
        if nginx is not None:
            paths[nginx] = nginx.put("picture", content)
        others = [one for one in (bare, nginx) if one is not None]
        with running(*others):
            body = fresh_folder("expected") / "body"
            body.write_bytes(content)
            contest = Contest(bench.rounds)
            for each in ours + others:
                etag = each.request("GET", paths[each]).headers["ETag"]
                requests = wire.write(each.folder / "requests", [prepare(each.port, paths[each], etag)])
                contest.enter(each.name, lambda _, each=each, requests=requests: bench.load(
                    each, requests, status, length=length, connections=64, body=body if with_body else None
                ))
            contest.run()
    told.contest("", contest)
    told.verdicts.append(at_least(contest.ratio("hangar", bare.name), 0.95, "of the bare handler"))
    if nginx is not None:
        told.verdicts.append(at_least(contest.ratio("hangar", nginx.name), 1.0, "of nginx (the goal)"))
    return told


@row("static-get")
def static_get(bench):
    told = Told("GET static 50 KB, 64 connections, hot")
    return static_rows(bench, told, lambda port, path, _: wire.request("GET", path, port), 200, KILOBYTES_50, with_body=True)


@row("static-304")
def static_304(bench):
    told = Told("GET static 304, 64 connections")
    return static_rows(bench, told, lambda port, path, etag: wire.request("GET", path, port, {"If-None-Match": etag}), 304)


@row("static-head")
def static_head(bench):
    told = Told("HEAD static 50 KB, 64 connections")
    return static_rows(bench, told, lambda port, path, _: wire.request("HEAD", path, port), 200, KILOBYTES_50)


def posts(bench, told, connections):
    """Each round stores new keys, in new folders of the floors."""
    content = picture()
    ours = hangars(bench)
    bare = Bare(bench.program)
    bare.name = "bare actix + floor"
    with running(*ours, bare):
        contest = Contest(bench.rounds)
        for each in [*ours, bare]:
            # Any server with a bucket and a key pair signs as well for one that looks at neither.
            signer = each if isinstance(each, Hangar) else ours[0]
            requests = wire.write(each.folder / "requests", [wire.form(signer, content)])
            contest.enter(each.name, lambda number, each=each, requests=requests: bench.load(
                each, requests, 204, connections=connections, **{"from": (number + 1) * 1_000_000_000}
            ))
        contest.enter("floor", lambda number: bench.measure(
            "floor-small", folder=fresh_folder("floor"), threads=connections, size=len(content), seconds=bench.seconds
        ))
        contest.run()
    told.contest(f"{connections} connections", contest, unit="uploads/s")
    told.verdicts.append(at_least(contest.ratio("hangar", "floor"), 1.0, f"of the floor, {connections} connections"))
    told.verdicts.append(at_least(contest.ratio("hangar", bare.name), 1.5, f"of the floor behind HTTP, {connections} connections"))


@row("post-form")
def post_form(bench):
    told = Told("POST form 50 KB, durable")
    for connections in (16, 32):
        posts(bench, told, connections)
    return told


@row("ask")
def ask(bench):
    told = Told("asking for an upload (a durable record), 64 connections")
    ours = hangars(bench)
    with running(*ours):
        contest = Contest(bench.rounds)
        for each in ours:
            token = each.make_token()["token"]
            requests = wire.write(each.folder / "requests", [wire.ask(each, token, KILOBYTES_50)])
            contest.enter(each.name, lambda _, each=each, requests=requests: bench.load(each, requests, 200, connections=64))
        contest.run()
    told.contest("", contest, unit="asks/s")
    told.verdicts.append(at_least(Spread(contest.of("hangar", "rate")), 10_000, "asks a second"))
    return told


GIBIBYTE = 1 << 30
ANYBODY_READS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::uploads/*"}],
}


def send(server, raw, status):
    """One prepared request; answers the body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(raw)
        answer = connection.recv(1 << 20)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:2000]
    return answer.partition(b"\r\n\r\n")[2]


def open_to_all(server):
    """Nobody signs for what is in its bucket, as nobody does for nginx."""
    send(server, wire.signed(server, "PUT", "", json.dumps(ANYBODY_READS).encode(), query="policy="), 204)


@row("get-large")
def get_large(bench):
    told = Told("GET of an object of 1 GiB, 2 connections")
    size = GIBIBYTE if not bench.quick else GIBIBYTE // 16
    content = picture(1 << 20) * (size >> 20)
    ours = hangars(bench)
    nginx = peer(told, Nginx)
    others = [nginx] if nginx else []
    with running(*ours, *others):
        contest = Contest(bench.rounds)
        for each in ours + others:
            path = f"/{each.bucket}/large" if each in ours else each.put("large", content)
            if each in ours:
                open_to_all(each)
                send(each, wire.signed(each, "PUT", "large", content, unsigned=True), 200)
            requests = wire.write(each.folder / "requests", [wire.request("GET", path, each.port)])
            contest.enter(each.name, lambda _, each=each, requests=requests: bench.load(
                each, requests, 200, length=size, connections=2, answers=6
            ))
        del content
        contest.run()
    told.contest("", contest, gigabytes=size / 1e9)
    if nginx:
        told.verdicts.append(at_least(contest.ratio("hangar", "nginx"), 0.9, "of nginx"))
    return told


@row("get-many")
def get_many(bench):
    told = Told(f"GET of {bench.working_set:,} objects of 50 KB in no order, 64 connections: more than a cache of bodies holds")
    content = picture()
    ours = hangars(bench)
    nginx = peer(told, Nginx)
    others = [nginx] if nginx else []
    order = random.Random(1).sample(range(bench.working_set), bench.working_set)
    with running(*ours, *others):
        contest = Contest(bench.rounds)
        for each in ours + others:
            if each in ours:
                open_to_all(each)
                forms = wire.write(each.folder / "forms", [wire.form(each, content)])
                bench.load(each, forms, 204, connections=32, answers=bench.working_set)
                paths = [f"/{each.bucket}/bench/{number:012}.png" for number in order]
            else:
                paths = [each.put(f"{number:012}.png", content) for number in order]
            requests = wire.write(each.folder / "requests", [wire.request("GET", path, each.port) for path in paths])
            contest.enter(each.name, lambda number, each=each, requests=requests: bench.load(
                each, requests, 200, length=len(content), connections=64, **{"from": number * 7919}
            ))
        contest.run()
    told.contest("", contest)
    told.contest("the same by size", contest, gigabytes=len(content) / 1e9)
    if nginx:
        told.verdicts.append(at_least(contest.ratio("hangar", "nginx"), 0.9, "of nginx"))
    return told


def s3_peers(told):
    made = [peer(told, kind) for kind in (S3sFs, Moto, S3rver)]
    return [one for one in made if one is not None]


def fastest(contest, peers):
    return max(peers, key=lambda one: Spread(contest.of(one.name, "rate")).median).name


@row("s3-post")
def s3_post(bench):
    told = Told("POST form 50 KB against other S3 servers, 32 connections; hangar alone waits for the disk")
    content = picture()
    ours, peers = hangars(bench), s3_peers(told)
    with running(*ours, *peers):
        contest = Contest(bench.rounds)
        for each in ours + peers:
            requests = wire.write(each.folder / "requests", [wire.form(each, content)])
            contest.enter(each.name, lambda number, each=each, requests=requests: bench.load(
                each, requests, 204, connections=32, **{"from": (number + 1) * 1_000_000_000}
            ))
        contest.run()
    told.contest("", contest, unit="uploads/s")
    if peers:
        best = fastest(contest, peers)
        told.verdicts.append(at_least(contest.ratio("hangar", best), 1.5, f"of {best}, the fastest"))
    return told


@row("s3-get")
def s3_get(bench):
    told = Told("GET 50 KB by presigned URL against other S3 servers, 64 connections")
    content = picture()
    ours, peers = hangars(bench), s3_peers(told)
    with running(*ours, *peers):
        contest = Contest(bench.rounds)
        for each in ours + peers:
            send(each, wire.form(each, content).replace(wire.NUMBER.encode(), b"0" * len(wire.NUMBER)), 204)
            raw = wire.presigned_get(each, f"bench/{'0' * len(wire.NUMBER)}.png")
            requests = wire.write(each.folder / "requests", [raw])
            contest.enter(each.name, lambda _, each=each, requests=requests: bench.load(
                each, requests, 200, length=len(content), connections=64
            ))
        first = ours[0]
        path = first.upload_asset(first.make_token()["token"], content)
        static = wire.write(first.folder / "static", [wire.request("GET", path, first.port)])
        contest.enter("hangar's static GET", lambda _: bench.load(first, static, 200, length=len(content), connections=64))
        contest.run()
    told.contest("", contest)
    told.verdicts.append(at_least(contest.ratio("hangar", "hangar's static GET"), 0.8, "of hangar's own static GET"))
    if peers:
        best = fastest(contest, peers)
        told.verdicts.append(at_least(contest.ratio("hangar", best), 5, f"of {best}, the fastest"))
    return told


def with_memory(size, measure):
    """Measures with so much memory free that was just in use: a virtual machine's host takes back what lies idle, and giving
    it again costs whoever writes next more than the write."""
    def measured(number):
        scratch = fresh_folder("scratch") / "written"
        with scratch.open("wb") as file:
            for _ in range(size >> 20):
                file.write(bytes(1 << 20))
        scratch.unlink()
        return measure(number)
    return measured


@row("put-large")
def put_large(bench):
    told = Told("PUT of 1 GiB with its SHA-256 signed, one connection")
    size = GIBIBYTE if not bench.quick else GIBIBYTE // 16
    content = picture(1 << 20) * (size >> 20)
    ours = hangars(bench)
    with running(*ours):
        contest = Contest(bench.rounds)
        for each in ours:
            requests = wire.write(each.folder / "requests", [wire.signed(each, "PUT", "large", content)])
            contest.enter(each.name, with_memory(2 * size, lambda _, each=each, requests=requests: bench.load(
                each, requests, 200, connections=1, answers=1
            )))
        del content
        contest.enter("floor", with_memory(
            2 * size, lambda _: bench.measure("floor-large", file=fresh_folder("floor") / "large", size=size)
        ))
        contest.run()
    told.contest("", contest, gigabytes=size / 1e9)
    told.verdicts.append(at_least(contest.ratio("hangar", "floor"), 0.8, "of the floor"))
    return told


MEGABYTE = 1e6


@row("memory")
def memory_of(bench):
    told = Told("memory and size")
    name, binary = bench.hangars[0]
    lines = told.numbers["bytes"] = {}

    def fresh():
        return running(Hangar(name, binary, {"API_KEY_RATE_LIMIT": "off"}))

    with fresh() as (ours,):
        at_start = memory(ours.process.pid)
        token = ours.make_token()["token"]
        content = picture()
        for _ in range(1000):
            path = ours.upload_asset(token, content)
            assert ours.request("GET", path).content == content
        time.sleep(10)
        lines["at the start"] = at_start
        lines["10 s after 1,000 uploads and reads"] = idle = memory(ours.process.pid)
        told.verdicts.append(at_most(idle["VmRSS"] / MEGABYTE, 15, "idle, MB"))
        count = 500
        before = memory(ours.process.pid)
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", ours.port)))
                connection.sendall(wire.request("GET", "/-/health/live", ours.port))
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            after = memory(ours.process.pid)
        lines["an idle connection"] = {what: (after[what] - before[what]) // count for what in after}
    uploads, size = (64, 100_000_000) if not bench.quick else (8, 10_000_000)
    with fresh() as (ours,):
        requests = wire.write(ours.folder / "requests", [wire.form(ours, picture(size))])
        bench.load(ours, requests, 204, connections=uploads, answers=uploads)
        lines[f"peak of {uploads} uploads of {size / MEGABYTE:.0f} MB at once"] = peak = memory(ours.process.pid)
        told.verdicts.append(at_most(peak["VmHWM"] / MEGABYTE, 64, "peak, MB"))
    lines["binary"] = {"bytes": os.stat(binary).st_size}
    told.verdicts.append(at_most(os.stat(binary).st_size / MEGABYTE, 20, "binary, MB"))
    told.parts.append("| MB | VmRSS | VmHWM | RssAnon |\n|---|---|---|---|")
    for what, found in lines.items():
        if "VmRSS" in found:
            told.parts.append(f"| {what} | " + " | ".join(f"{found[one] / MEGABYTE:.3f}" for one in ("VmRSS", "VmHWM", "RssAnon")) + " |")
    told.parts.append("")
    return told


def start_time(server):
    """Seconds from the start of the process to its first word that it is ready."""
    began = time.monotonic()
    server.launch()
    question = wire.request("GET", "/-/health/ready", server.port)
    while time.monotonic() - began < 60:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
                connection.sendall(question)
                if connection.recv(65536).startswith(b"HTTP/1.1 200 "):
                    return time.monotonic() - began
        except OSError:
            pass
        time.sleep(0.0005)
    raise RuntimeError(f"it did not start:\n{server.said()}")


def milliseconds(told, what, times, bar):
    spread = Spread(one * 1000 for one in times)
    told.numbers[what] = spread.values
    told.parts.append(f"start {what}: {spread.told('{:.0f}')} ms")
    told.verdicts.append(at_most(spread.median, bar, f"start {what}, ms", "{:.0f}"))


@row("start")
def start(bench):
    told = Told("start, from the process to the first answer that it is ready")
    name, binary = bench.hangars[0]

    def fresh():
        return Hangar(name, binary, {"API_KEY_RATE_LIMIT": "off"})

    times = []
    for _ in range(bench.rounds):
        ours = fresh()
        quiet()
        try:
            times.append(start_time(ours))
        finally:
            ours.stop()
    milliseconds(told, "on an empty folder", times, 50)
    times = []
    ours = fresh()
    try:
        ours.start()
        requests = wire.write(ours.folder / "requests", [wire.form(ours, picture())])
        for number in range(bench.rounds):
            load = subprocess.Popen(
                [bench.program, "load", "--port", str(ours.port), "--requests", requests, "--status", "204", "--connections", "32",
                 "--seconds", "60", "--from", str((number + 1) * 1_000_000_000)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            time.sleep(2)
            ours.kill()
            load.wait()
            quiet()
            times.append(start_time(ours))
    finally:
        ours.stop()
    milliseconds(told, "after SIGKILL under load", times, 200)
    return told


FEW = 10_000


class Filled:
    """A hangar with so many assets asked for and so many objects, some of them pictures that can be read."""

    def __init__(self, bench, server, count):
        self.bench = bench
        self.server = server
        self.count = count
        self.number = 0
        self.content = picture()
        self.folders = max(10, count // 1000)
        self.uploads = wire.write(server.folder / "uploads", [wire.form(server, self.content)])
        self.token = server.make_token()["token"]
        self.asks = wire.write(server.folder / "asks", [wire.ask(server, self.token, KILOBYTES_50)])
        pictures = 500 if bench.quick else 1000
        paths = [server.upload_asset(self.token, self.content) for _ in range(pictures // 2)]
        self.fill()
        paths += [server.upload_asset(self.token, self.content) for _ in range(pictures // 2)]
        random.Random(1).shuffle(paths)
        self.pictures = pictures
        self.statics = wire.write(server.folder / "statics", [wire.request("GET", path, server.port) for path in paths])

    def fill(self):
        forms = [wire.form(self.server, b"\x89PNG\r\n\x1a\n", f"files-{folder:06}/") for folder in range(self.folders)]
        small = wire.write(self.server.folder / "fill", forms)
        self.filled = [
            self.bench.load(self.server, self.asks, 200, connections=64, answers=self.count),
            self.bench.load(self.server, small, 204, connections=64, answers=self.count),
        ]

    def await_snapshot(self):
        """A server that was just started looks after a minute whether a snapshot is due: it is measured by itself."""
        if self.count > 20 * FEW:
            time.sleep(65)
        while (self.server.data / "@hangar/snapshot.new").exists():
            time.sleep(1)

    def next(self):
        self.number += 1
        return self.number * 1_000_000_000

    def ask(self, _):
        return self.bench.load(self.server, self.asks, 200, connections=64)

    def upload(self, _):
        return self.bench.load(self.server, self.uploads, 204, connections=32, **{"from": self.next()})

    def static(self, _):
        """Each once, by a server that has just been started: none is in its caches."""
        assert self.server.stop() == 0, self.server.said()
        self.server.start()
        return self.bench.load(self.server, self.statics, 200, length=len(self.content), connections=16, answers=self.pictures)

    def listing(self, what, query):
        raw = wire.signed(self.server, "GET", "", query=query)
        requests = wire.write(self.server.folder / what, [raw])
        return lambda _: self.bench.load(self.server, requests, 200, connections=4)

    def size(self, *patterns):
        return sum(path.stat().st_size for pattern in patterns for path in (self.server.data / "@hangar").glob(pattern))


@row("assets")
def assets(bench):
    told = Told(f"{bench.assets:,} assets and as many objects against {FEW:,}: what is asked for must not cost by what is there")
    name, binary = bench.hangars[0]
    settings = {"API_KEY_RATE_LIMIT": "off"}
    few, many = Hangar("few", binary, settings), Hangar("many", binary, settings)
    with running(few, many):
        filled = {few.name: Filled(bench, few, FEW), many.name: Filled(bench, many, bench.assets)}
        told.numbers["fill"] = filled["many"].filled
        for rate, what in zip(filled["many"].filled, ("asks", "uploads of 8 bytes")):
            told.parts.append(f"filled with {rate['answers']:,} {what} at {rate['rate']:,.0f}/s, p99 {rate['p99_us'] / 1000:.1f} ms")
        # A clean stop leaves nothing beside the database.
        assert many.stop() == 0, many.said()
        database, log = filled["many"].size("hangar.db"), filled["many"].size("log/*")
        many.start()
        filled["many"].await_snapshot()
        told.numbers["sizes"] = {"assets": bench.assets, "database": database, "log": log}
        told.parts.append(
            f"for each asset with its object: {database / bench.assets:,.0f} bytes of database, {log / bench.assets:,.0f} of log\n"
        )
        pages = {
            "list a page of 1,000": "list-type=2&max-keys=1000&prefix=files-",
            "list 10 folders": "delimiter=%2F&list-type=2&max-keys=10&prefix=files-",
            "list a key by its prefix": f"delimiter=%2F&list-type=2&max-keys=10&prefix=files-000005%2F{5:012}",
        }
        measures = {"ask": "ask", "upload": "upload", "static, cold": "static"}
        for what in [*measures, *pages]:
            contest = Contest(bench.rounds)
            for which, each in filled.items():
                if what in pages:
                    contest.enter(which, each.listing("listing", pages[what]))
                else:
                    contest.enter(which, getattr(each, measures[what]))
            contest.run()
            told.contest(what, contest, judged="many")
            told.verdicts.append(at_least(contest.ratio("many", "few"), 0.77, f"{what}, many against few (1 / 1.3)"))
        snapshot(bench, told, filled["many"])
        times = []
        for _ in range(bench.rounds):
            assert many.stop() == 0, many.said()
            quiet()
            times.append(start_time(many))
        milliseconds(told, f"on {bench.assets:,} assets", times, 50)
    return told


def snapshot(bench, told, filled):
    """Uploads second by second, and whether a snapshot of the database was being made within each.

    A server that was just started looks after a minute whether one is due.
    """
    made, ended = [], threading.Event()
    new = filled.server.data / "@hangar/snapshot.new"

    def watch():
        while not ended.wait(0.002):
            if new.exists():
                made.append(time.monotonic())

    assert filled.server.stop() == 0, filled.server.said()
    filled.server.start()
    watcher = threading.Thread(target=watch)
    watcher.start()
    with_one, without = [], []
    try:
        for _ in range(70):
            began = time.monotonic()
            second = bench.load(filled.server, filled.uploads, 204, connections=32, warmup=0, seconds=1, **{"from": filled.next()})
            (with_one if any(moment >= began for moment in made) else without).append(second)
    finally:
        ended.set()
        watcher.join()
    told.numbers["snapshot"] = {"with": with_one, "without": without, "seconds": max(made) - min(made) if made else None}
    for what, seconds in (("while a snapshot was made", with_one), ("without", without)):
        if seconds:
            p99 = Spread(one["p99_us"] / 1000 for one in seconds)
            rate = Spread(one["rate"] for one in seconds)
            told.parts.append(f"uploads {what}: {len(seconds)} seconds, p99 {p99.told('{:.1f}')} ms, {rate.told()} uploads/s")
        else:
            told.parts.append(f"uploads {what}: there was no such second")
    told.parts.append("")
