#!/bin/sh
# A grey TIFF in which 0 is white is read as a negative if it has 16 bits, and as it is meant with 1 to 8 bits.
#
# Guess: Pillow turns it at every depth or at none, and white comes out as the largest value of the pixels' type.
# Seen, Pillow 13.0.0 (10.0.0 is alike), the values that a white and a black pixel have once they are read:
#
#     2 bits    1 is white: 255 and 0      0 is white: 255 and 0
#     8 bits    1 is white: 255 and 0      0 is white: 255 and 0
#     12 bits   1 is white: 4095 and 0     0 is white: refused
#     16 bits   1 is white: 65535 and 0    0 is white: 0 and 65535
#
# 12 and 16 bits are both of mode I;16, so a scan of 12 bits divided by 65535 is a black picture. Scanners and microscopes write both.
# Instead: read image.tag_v2, 258 for the bits and 262 for what is white, before image is converted.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import io
import struct

import numpy as np
from PIL import Image, UnidentifiedImageError


def tiff(bits, one_is_white):
    """A TIFF of one row by its definition: four white pixels, then four black ones."""
    white, black = (2**bits - 1, 0) if one_is_white else (0, 2**bits - 1)
    row = [white] * 4 + [black] * 4
    data = int("".join(f"{value:0{bits}b}" for value in row), 2).to_bytes(bits, "big")
    if bits == 16:  # the one depth here whose bytes have an order
        data = struct.pack("<8H", *row)
    tags = {256: 8, 257: 1, 258: bits, 259: 1, 262: int(one_is_white)}
    tags |= {273: 8 + 2 + 12 * 9 + 4, 277: 1, 278: 1, 279: bits}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def read(bits, one_is_white):
    try:
        image = Image.open(io.BytesIO(tiff(bits, one_is_white)))
    except UnidentifiedImageError:
        return "refused"
    row = np.asarray(image)[0]
    return f"{row[0]} and {row[-1]}"


def look(bits):
    found = read(bits, True), read(bits, False)
    print(f"{f'{bits} bits':9} 1 is white: {found[0]:13}  0 is white: {found[1]}")
    return found


assert look(2) == ("255 and 0", "255 and 0")
assert look(8) == ("255 and 0", "255 and 0")
assert look(12) == ("4095 and 0", "refused")
assert look(16) == ("65535 and 0", "0 and 65535")
EOF
