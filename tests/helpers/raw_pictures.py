"""Pictures written byte by byte: PNG, TIFF and PGM of any depth, with no library."""

import struct
import zlib


def png(samples, depth, colour_type, *chunks):
    """Return a PNG of one row; ``samples`` is the packed row, big-endian."""
    width = len(samples) * 8 // (depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type])
    header = struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" + samples))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk, [*parts, (b"IEND", b"")]))


def chunk(part):
    """Return a chunk of a PNG from its name and content."""
    name, content = part
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def tiff(samples, bits, width, *, photometric=1, sample_format=1, order="<"):
    """Return a grey TIFF of one row, not compressed."""
    short, long = 3, 4
    tags = {
        256: (short, width),
        257: (short, 1),
        258: (short, bits),
        259: (short, 1),
        262: (short, photometric),
        273: (long, 8 + 2 + 12 * 10 + 4),
        277: (short, 1),
        278: (short, 1),
        279: (long, len(samples)),
        339: (short, sample_format),
    }
    directory = struct.pack(f"{order}H", len(tags))
    for number, (kind, value) in tags.items():
        form = "HHIHH" if kind == short else "HHII"
        padding = [0] if kind == short else []
        directory += struct.pack(f"{order}{form}", number, kind, 1, value, *padding)
    magic = b"II" if order == "<" else b"MM"
    head = magic + struct.pack(f"{order}HI", 42, 8)
    return head + directory + bytes(4) + samples


def pgm(samples, most, width):
    """Return a binary PGM of one row, whose white is ``most``."""
    return f"P5 {width} 1 {most}\n".encode() + samples


def exif(orientation, *entries):
    """Return EXIF with an orientation and other entries (tag, type, number, bytes)."""
    entries = [(0x0112, 3, 1, struct.pack("<HH", orientation, 0)), *entries]
    end = 8 + 2 + 12 * len(entries) + 4
    directory, data = struct.pack("<H", len(entries)), b""
    for number, kind, count, content in sorted(entries):
        if len(content) > 4:
            data, content = data + content, struct.pack("<I", end + len(data))
        directory += struct.pack("<HHI", number, kind, count) + content.ljust(4, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0" + directory + bytes(4) + data
