#!/bin/sh
# A list of the iterates that SciPy's cg hands to its callback holds the solution, once for each step.
#
# Guess: callback=history.append collects x_1, x_2, ..., as it does with minres in the same module.
# Seen, SciPy 1.17.1: cg and bicgstab hand over the array that they go on writing into. Residuals of the history of A = diag(1, 2, 3, 4):
#
#     cg         copy    9e-01 4e-01 1e-01 2e-16
#     cg         as_is   2e-16 2e-16 2e-16 2e-16
#     bicgstab   as_is   2e-16 2e-16 2e-16
#     minres     as_is   8e-01 4e-01 1e-01 2e-16
#
# A curve of convergence drawn from it is flat at rounding, and a stopping rule tried on it afterwards stops after one step.
# Instead: callback=lambda x: history.append(x.copy()).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
from scipy.sparse.linalg import bicgstab, cg, minres

A, b = np.diag([1.0, 2.0, 3.0, 4.0]), np.ones(4)


def first_residual(solve, keep):
    history = []
    _, info = solve(A, b, rtol=1e-10, callback=lambda x: history.append(keep(x)))
    residuals = [np.linalg.norm(b - A @ x) for x in history]
    assert info == 0
    assert len(history) > 1
    print(f"{solve.__name__:10} {keep.__name__:8}" + " ".join(f"{r:.0e}" for r in residuals))
    return residuals[0]


def as_is(x):
    return x


for solve in (cg, bicgstab, minres):
    assert first_residual(solve, np.copy) > 0.1
assert first_residual(cg, as_is) < 1e-9
assert first_residual(bicgstab, as_is) < 1e-9
assert first_residual(minres, as_is) > 0.1
EOF
