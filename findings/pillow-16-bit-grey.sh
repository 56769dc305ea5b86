#!/bin/sh
# A grey picture of 16 bits becomes black and white, the same picture in colour does not.
#
# Guess: convert("L") brings 16 bits to 8 by scaling, as opening a 16-bit colour PNG does.
# Seen, Pillow 13.0.0: modes I;16, I and F are clipped at 255, so of a ramp from 0 to 1 all but the black is
# white, and of a float picture in [0, 1] all is black; a 16-bit RGB PNG is scaled (and is 8-bit once it is open, without a word).
#
#     16-bit grey PNG     I;16  [  0 255 255 255 255]
#     16-bit colour PNG   RGB   [  0  64 128 191 255]
#     32-bit integer TIFF I     [  0 255 255 255 255]
#     float TIFF in 0..1  F     [0 0 0 0 1]
#
# Instead: scale in NumPy, np.asarray(image) / 257 for I;16, before any conversion; refuse modes that you do not know.
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

ramp = np.tile(np.round(np.linspace(0, 1, 5) * 65535).astype(np.uint16), (5, 1))


def png(pixels, colour_type):
    """A PNG of 16 bits by its definition: Pillow writes none in colour."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    height, width = pixels.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF")
    return file.getvalue()


def grey(name, content):
    image = Image.open(io.BytesIO(content))
    row = np.asarray(image.convert("L"))[0]
    print(f"{name:20}{image.mode:6}{row}")
    return row.tolist()


clipped = [0, 255, 255, 255, 255]
assert grey("16-bit grey PNG", png(ramp, 0)) == clipped
assert grey("16-bit colour PNG", png(np.repeat(ramp[..., None], 3, 2), 2)) == [0, 64, 128, 191, 255]
assert grey("32-bit integer TIFF", tiff(ramp.astype(np.int32))) == clipped
assert grey("float TIFF in 0..1", tiff((ramp / 65535).astype(np.float32))) == [0, 0, 0, 0, 1]
EOF
