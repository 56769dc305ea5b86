#!/bin/sh
# The drawings of Omniglot are 1-bit PNG: resized with LANCZOS they are resized with NEAREST.
#
# Guess: resize((28, 28), LANCZOS) averages black and white to grey, for it is the filter that was asked for.
# Seen, Pillow 13.0.0: for modes "1" and "P" every filter is nearest neighbour, without a word. So one line of
# code, with convert("L") before or after it, makes two data sets of one name; both are in circulation.
#
#     NEAREST  as it is:   2 values   after convert("L"):   2
#     BILINEAR as it is:   2 values   after convert("L"): 111
#     LANCZOS  as it is:   2 values   after convert("L"): 145
#
# Instead: convert("L") first; say with the data which of the two they are.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
from PIL import Image

drawing = Image.fromarray(np.random.default_rng(0).random((105, 105)) < 0.5)
assert drawing.mode == "1"
nearest = np.asarray(drawing.resize((28, 28), Image.Resampling.NEAREST))
for name in ("NEAREST", "BILINEAR", "LANCZOS"):
    how = Image.Resampling[name]
    plain = np.asarray(drawing.resize((28, 28), how))
    before = np.asarray(drawing.convert("L").resize((28, 28), how))
    counts = len(np.unique(plain)), len(np.unique(before))
    print(f"{name:8} as it is: {counts[0]:3} values   after convert(\"L\"): {counts[1]:3}")
    assert (plain == nearest).all()
    assert counts[1] > 50 or name == "NEAREST"
EOF
