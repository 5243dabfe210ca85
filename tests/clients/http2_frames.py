"""HTTP/2 frame by frame: for what no client library will send."""

import select
import socket
import ssl
import struct
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
ENHANCE_YOUR_CALM = 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def setting(name, value):
    return struct.pack(">HI", name, value)


def number(value, bits, first=0):
    """An integer as HPACK writes it (RFC 7541, 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    written, value = [first | most], value - most
    while value >= 128:
        written.append(value % 128 + 128)
        value //= 128
    return bytes([*written, value])


def literal(name, value, indexed=False):
    name, value = name.encode(), value.encode()
    kind = b"\x40" if indexed else b"\0"
    return kind + number(len(name), 7) + name + number(len(value), 7) + value


def request(method, path, **headers):
    pseudo = {":method": method, ":scheme": "https", ":path": path, ":authority": "localhost"}
    return b"".join(literal(name.replace("_", "-"), value) for name, value in (pseudo | headers).items())


class Connection:
    """A connection whose incoming frames are read by a thread of its own, if at all."""

    def __init__(self, server, settings=b"", reads=True):
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["h2"])
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(connection, server_hostname="localhost")
        self.tls.setblocking(False)
        # Two threads must not use it at once (before Python 3.13).
        self.lock = threading.Lock()
        # What may be sent of bodies, on all streams together.
        self.window = 65_535
        self.went_away = None
        self.resets = {}
        self.answers = {}
        self.ended = set()
        self.changed = threading.Condition()
        self.closed = threading.Event()
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))
        if reads:
            threading.Thread(target=self.read, daemon=True).start()

    def attempt(self, what, patience):
        """Does it as soon as the socket lets it; None where that is not in time."""
        until = time.monotonic() + patience
        while True:
            try:
                with self.lock:
                    return what()
            except ssl.SSLWantReadError:
                waits_for = select.POLLIN
            except ssl.SSLWantWriteError:
                waits_for = select.POLLOUT
            left = until - time.monotonic()
            if left <= 0 or self.tls.fileno() < 0:
                return None
            poll = select.poll()
            poll.register(self.tls.fileno(), waits_for)
            poll.poll(min(left, 0.2) * 1000)

    def read(self):
        received = bytearray()
        try:
            while more := self.attempt(lambda: self.tls.recv(65_536), 60):
                received += more
                unanswered = 0
                with self.changed:
                    while len(received) >= 9 and len(received) >= 9 + (length := int.from_bytes(received[:3])):
                        unanswered += received[3] == SETTINGS and not received[4] & ACK
                        self.see(received[3], received[4], int.from_bytes(received[5:9]), bytes(received[9 : 9 + length]))
                        del received[: 9 + length]
                    self.changed.notify_all()
                if unanswered:
                    self.send(frame(SETTINGS, ACK, 0) * unanswered)
        except (OSError, ValueError):
            pass
        with self.changed:
            self.closed.set()
            self.changed.notify_all()

    def see(self, kind, flags, stream, payload):
        if kind == HEADERS:
            self.answers.setdefault(stream, payload)
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.ended.add(stream)
        if kind == RST_STREAM:
            self.resets[stream] = int.from_bytes(payload)
        if kind == WINDOW_UPDATE and stream == 0:
            self.window += int.from_bytes(payload)
        if kind == GOAWAY:
            self.went_away = int.from_bytes(payload[4:8])

    def send(self, raw, patience=10):
        """False once the server has closed, or takes nothing."""
        while raw and not self.closed.is_set():
            try:
                sent = self.attempt(lambda: self.tls.send(raw[:65_536]), patience)
            except OSError:
                return False
            if sent is None:
                return False
            raw = raw[sent:]
        return not self.closed.is_set()

    def wait_until(self, holds, seconds=10):
        with self.changed:
            self.changed.wait_for(lambda: holds() or self.closed.is_set(), seconds)
            return holds()

    def is_answered(self, stream):
        return self.wait_until(lambda: stream in self.ended)

    def close(self):
        self.closed.set()
        with self.lock:
            try:
                self.tls.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.tls.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
