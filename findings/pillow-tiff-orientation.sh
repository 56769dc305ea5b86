#!/bin/sh
# An uncompressed TIFF with a turn by 90° comes out scrambled if it is opened by its name, and right from a file object.
#
# Guess: open(path) and open(open(path, "rb")) give the same pixels.
# Seen, Pillow 13.0.0, a grey picture of 48 × 32 with orientation 6: by its name the file is mapped into memory with the size that it
# has after the turn, so that rows are cut at the wrong length; the size comes out as it was before the turn. 10.0.0 is right.
#
#     13.0.0  uncompressed, by name       32 × 48, then 48 × 32   False
#     13.0.0  uncompressed, file object   32 × 48, then 32 × 48   True
#     13.0.0  tiff_lzw, by name           32 × 48, then 32 × 48   True
#     10.0.0  uncompressed, by name       48 × 32, then 32 × 48   True
#
# And who turns by EXIF turns twice: load() turns a TIFF, and no other format. The tag then stays (10.0.0, where exif_transpose turns once
# more) or goes (13.0.0, where who read it before load() turns once more).
#
#     13.0.0  turned by the tag as read before load(): wrong   exif_transpose: right
#     10.0.0  turned by the tag as read before load(): wrong   exif_transpose: wrong
#
# Instead: open a file object; never turn a TIFF.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'EOF'
import sys

import numpy as np
import PIL
from PIL import Image, ImageOps

folder, old = sys.argv[1], PIL.__version__ == "10.0.0"
pixels = np.random.default_rng(0).integers(0, 256, (32, 48), dtype=np.uint8)
right = np.rot90(pixels, -1)  # what orientation 6 asks for


def same(image):
    return np.array_equal(np.asarray(image), right)


def look(name, source):
    with Image.open(source) as image:
        before = image.size
        image.load()
        found = "{} × {}, then {} × {}".format(*before, *image.size)
        print(f"{PIL.__version__}  {name:25}   {found}   {same(image)}")
        return same(image)


for compression, by_name in ((None, old), ("tiff_lzw", True)):
    path = f"{folder}/{compression}.tif"
    Image.fromarray(pixels).save(path, tiffinfo={0x0112: 6}, compression=compression)
    name = compression or "uncompressed"
    assert look(f"{name}, by name", path) == by_name
    with open(path, "rb") as file:
        assert look(f"{name}, file object", file)

with Image.open(path) as image:
    assert image.getexif()[0x0112] == 6
    by_hand = same(image.transpose(Image.Transpose.ROTATE_270))
with Image.open(path) as image:
    by_pillow = same(ImageOps.exif_transpose(image))
said = "wrong", "right"
print(f"{PIL.__version__}  turned by the tag as read before load(): {said[by_hand]}   exif_transpose: {said[by_pillow]}")
assert not by_hand
assert by_pillow != old
EOF
for version in 13.0.0 10.0.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check pillow==$version numpy==2.4.6
    "$folder/$version/bin/python" "$folder/look.py" "$folder"
done
