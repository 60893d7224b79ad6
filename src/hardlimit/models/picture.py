"""A small picture, drawn without a library, to find out whether a model takes images."""

import struct
import zlib


def half_black_png(width: int = 32, height: int = 32) -> bytes:
    r"""Draw a PNG file that is white on the left and black on the right.

    >>> half_black_png()[:8]
    b'\x89PNG\r\n\x1a\n'
    """

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = b"\0" + b"\xff" * (3 * (width // 2)) + b"\0" * (3 * (width - width // 2))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(row * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
