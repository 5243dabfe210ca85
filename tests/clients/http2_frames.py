"""HTTP/2 frame by frame: for what no client library will send."""

import socket
import ssl
import struct
import threading

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
        self.tls = context.wrap_socket(connection, server_hostname="localhost")
        self.went_away = None
        self.resets = {}
        self.answers = {}
        self.ended = set()
        self.changed = threading.Condition()
        self.closed = threading.Event()
        self.tls.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
        if reads:
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            stream = self.tls.makefile("rb")
            while len(header := stream.read(9)) == 9:
                length, kind, flags = int.from_bytes(header[:3]), header[3], header[4]
                number, payload = int.from_bytes(header[5:]), stream.read(length)
                with self.changed:
                    if kind == HEADERS:
                        self.answers.setdefault(number, payload)
                    if kind in (HEADERS, DATA) and flags & END_STREAM:
                        self.ended.add(number)
                    if kind == RST_STREAM:
                        self.resets[number] = int.from_bytes(payload)
                    if kind == GOAWAY:
                        self.went_away = int.from_bytes(payload[4:8])
                    self.changed.notify_all()
        except (OSError, ValueError):
            pass
        with self.changed:
            self.closed.set()
            self.changed.notify_all()

    def send(self, raw):
        """False once the server has closed."""
        try:
            self.tls.sendall(raw)
        except OSError:
            return False
        return not self.closed.is_set()

    def wait_until(self, holds, seconds=10):
        with self.changed:
            return self.changed.wait_for(lambda: holds() or self.closed.is_set(), seconds) and holds()

    def is_answered(self, stream):
        return self.wait_until(lambda: stream in self.ended)

    def close(self):
        try:
            self.tls.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.tls.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
