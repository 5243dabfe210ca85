"""Small real pictures, one for each type that Plane takes."""

import base64
import struct
import zlib


def png(width=8, height=8, red=0x3F):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + b"".join(bytes((red, x * 255 // width, y * 255 // height)) for x in range(width))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def gif():
    """One red pixel."""
    return base64.b64decode("R0lGODlhAQABAIAAAP8AAP///ywAAAAAAQABAAACAkQBADs=")


def webp():
    """One pixel, lossy."""
    return base64.b64decode("UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAgA0JaQAA3AA/vuUAAA=")


def jpeg():
    """One grey pixel, baseline: every segment that a decoder needs, and none other."""
    quantisation = b"\xff\xdb\x00\x43\x00" + bytes([1] * 64)
    frame = b"\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00"
    # One code of one bit for each table: DC category 0, and the AC code for the end of the block.
    huffman = b"".join(
        b"\xff\xc4\x00\x14" + bytes([table]) + b"\x01" + bytes(15) + b"\x00" for table in (0x00, 0x10)
    )
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x3f"
    return b"\xff\xd8" + quantisation + frame + huffman + scan + b"\xff\xd9"


def of(content_type):
    return {
        "image/png": png,
        "image/jpeg": jpeg,
        "image/jpg": jpeg,
        "image/webp": webp,
        "image/gif": gif,
    }[content_type]()


def filled(size, seed):
    """PNG's first bytes and then noise that no compression shortens: a body of any size that passes for a picture."""
    import random

    start = png()
    return start + random.Random(seed).randbytes(max(0, size - len(start)))
