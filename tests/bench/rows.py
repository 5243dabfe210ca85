"""What is measured: one function for each row of README.md's table. Each answers text, verdicts and numbers."""

import contextlib
import itertools

import wire
from contest import Contest, at_least
from servers import KILOBYTES_50, Absent, Bare, Hangar, Nginx, fresh_folder, picture

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
    from contest import Spread
    told.verdicts.append(at_least(Spread(contest.of("hangar", "rate")), 10_000, "asks a second"))
    return told
