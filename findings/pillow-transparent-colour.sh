#!/bin/sh
# The transparent colour of a PNG is honoured at 8 bits, ignored at 2 and 4, and at 16 bits it is another colour.
#
# Guess: convert("RGBA") makes transparent what the file calls transparent, whatever its depth, for one chunk (tRNS) says it in one way.
# Seen, Pillow 13.0.0 (10.0.0 is alike): pixels of 2 and 4 bits are scaled to 0..255 and the transparent value is not; of a value of 16 bits
# the low byte is compared with pixels brought to 8, so that 32768, a middle grey, makes black transparent and stays itself.
#
#     8 bits grey, 85 is transparent       opaque: 0 170 255
#     2 bits grey, 1 is transparent        opaque: 0 85 170 255
#     4 bits grey, 5 is transparent        opaque: 0 85 170 255
#     16 bits grey, 32768 is transparent   opaque: 255 255
#     16 bits RGB, 32768 is transparent    opaque: 128 255
#
# Drawings with a transparent ground become black on black, or keep their ground. Instead: save them with 8 bits and an alpha channel.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import io
import struct
import zlib

import numpy as np
from PIL import Image


def png(depth, channels, values, key):
    """A PNG of one row by its definition, each value in all its channels."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    bits = "".join(f"{value:0{depth}b}" * channels for value in values)
    row = int(bits, 2).to_bytes(len(bits) // 8, "big")
    head = struct.pack(">IIBBBBB", len(values), 1, depth, {1: 0, 3: 2}[channels], 0, 0, 0)
    parts = (
        chunk(b"IHDR", head),
        chunk(b"tRNS", struct.pack(">H", key) * channels),
        chunk(b"IDAT", zlib.compress(b"\0" + row)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def opaque(depth, channels, values, key):
    image = Image.open(io.BytesIO(png(depth, channels, values, key))).convert("RGBA")
    row = np.asarray(image)[0]
    found = row[row[:, 3] == 255, 0].tolist()
    name = f"{depth} bits {'grey' if channels == 1 else 'RGB'}, {key} is transparent"
    print(f"{name:36} opaque: {' '.join(map(str, found))}")
    return found


assert opaque(8, 1, (0, 85, 170, 255), 85) == [0, 170, 255]
assert opaque(2, 1, (0, 1, 2, 3), 1) == [0, 85, 170, 255]
assert opaque(4, 1, (0, 5, 10, 15), 5) == [0, 85, 170, 255]
assert opaque(16, 1, (0, 32768, 65535), 32768) == [255, 255]
assert opaque(8, 3, (0, 128, 255), 128) == [0, 255]
assert opaque(16, 3, (0, 32768, 65535), 32768) == [128, 255]
EOF
