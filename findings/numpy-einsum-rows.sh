#!/bin/sh
# NumPy 2.4.6: the sum of a row depends on how many rows stand beside it, if einsum sums.
#
# numpy.einsum("tp,tp->t", a, b) is one dot product for each row t.  One expects a row of a
# batch to have the bits of that row on its own, as it has with matmul, vecdot or (a * b).sum(1):
# no other row enters.  Beyond 8,192 entries (NumPy's buffer) it has not: with one row the inner
# loop runs over the whole row, with more rows in pieces of the buffer's size, and partial sums
# are added in another order.  Who promises "the same bits in any batch" must not use einsum.
#
# Seen: of 9 rows of 20,001 entries all nine differ from the same row alone (float32, float64); of 8,192
# entries none; with matmul, vecdot and sum none.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np

ways = {
    "einsum": lambda a, b: np.einsum("tp,tp->t", a, b),
    "vecdot": np.vecdot,
    "sum": lambda a, b: (a * b).sum(1),
    "matmul": lambda a, b: (a[:, None, :] @ b[:, :, None])[:, 0, 0],
}
found = {}
for length in (8192, 20001):
    for dtype in (np.float32, np.float64):
        a, b = np.random.default_rng(0).normal(size=(2, 9, length)).astype(dtype)
        for name, way in ways.items():
            alone = [way(a[t : t + 1].copy(), b[t : t + 1].copy())[0] for t in range(9)]
            differ = int((way(a, b) != alone).sum())
            found[name, length] = found.get((name, length), 0) + differ
            print(f"{name:7} {length} {np.dtype(dtype)}: {differ} of 9 rows differ")
assert found["einsum", 8192] == 0, found
assert found["einsum", 20001] > 0, found
assert found["sum", 20001] == 0, found
PYTHON
