"""What the S3 clients store: bodies, odd keys and the sizes that matter."""

import hashlib

import pictures

MEBIBYTE = 1 << 20
# Three parts of the 8 MiB that boto3, the AWS CLI and Plane's export cut.
LARGE = 20 * MEBIBYTE
# A body that lies in a file of its own, and one that lies in the log.
IN_A_BLOB = pictures.filled(3_000_000, "large")
IN_THE_LOG = pictures.filled(20_000, "small")

# Keys that any client may send and that each must find again. Those that a client's own code would change are in ODDER.
ODD_KEYS = [
    "ü ☕+&%.png",
    "a+b c%20d%2Fe",
    "quote\"and'back`tick",
    "tilde~star*(paren)!$,;:=@[]{}|^",
    "<xml>&amp;]]>",
    "e\u0301 and é are two",
    "with?query=1&b#fragment",
    "😀/😀 😀.png",
    "文件/画像.png",
]
ODDER_KEYS = ["a//b", "/leading", "//", "trailing/", "..", "./a/../b", "😀" * 256, "k" * 1024]


def body(size, seed="body"):
    """Bytes that differ at every place."""
    return hashlib.shake_128(f"{seed} {size}".encode()).digest(size)


def md5(data):
    return hashlib.md5(data).hexdigest()


def multipart_etag(data, part=8 * MEBIBYTE):
    """The ETag of an object that was uploaded in parts of this size."""
    digests = [hashlib.md5(data[at : at + part]).digest() for at in range(0, len(data), part)]
    return f'"{md5(b"".join(digests))}-{len(digests)}"'
