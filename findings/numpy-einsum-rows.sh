#!/bin/sh
# The sum of a row depends on how many rows stand beside it, if einsum sums.
#
# Guess: numpy.einsum("tp,tp->t", a, b) is a dot product for each row, and a row of a batch has the bits of that row on its own.
# Seen, NumPy 2.4.6: so up to 8,192 entries, NumPy's buffer. Beyond, one row is summed in one go, and of several rows each
# in pieces of the buffer's size, in another order. In both dtypes, float32 and float64:
#
#     einsum  8192: 0 of 9 rows differ     einsum  20001: 9 of 9 rows differ
#     vecdot  8192: 0 of 9 rows differ     vecdot  20001: 0 of 9 rows differ
#     sum     8192: 0 of 9 rows differ     sum     20001: 0 of 9 rows differ
#
# A task's numbers then depend on which batch it is in. Instead: (a * b).sum(1).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
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
EOF
