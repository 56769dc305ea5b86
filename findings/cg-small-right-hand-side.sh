#!/bin/sh
# Solvers of linear systems return nonsense for a small or a large right-hand side: SciPy says "converged", JAX says nothing.
#
# Guess: A x = b is linear, so with a relative tolerance b may have any size.
# Seen, SciPy 1.17.1 and JAX 0.10.2, A = diag(1, 2, 3), x scaled back by the size of b, right is 1, 0.5, 0.333:
#
#     scipy cg, float64      1e-160  [0.9997 0.5001 0.3334]  info 0
#     scipy cg, float64      1e-170  [1. 1. 1.]  info 0
#     scipy minres, float64  1e-170  [0. 0. 0.]  info 0
#     scipy minres, float64  1e+150  [0.4286 0.4286 0.4286]  info 0
#     scipy cg, float32      1e-23   [1. 1. 1.]  info 0
#     jax cg, float32        1e-20   [0. 0. 0.]  info None
#     jax cg, float32        1e+19   [0. 0. 0.]  info None
#
# Squares of norms underflow or overflow on the way. Gradients of a query set that is nearly fitted can be as small in float32.
# Instead: divide b by max |b| first and multiply x with it afterwards.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6 jax==0.10.2
"$folder/venv/bin/python" - <<'EOF'
import warnings

import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import cg as jax_cg
from scipy.sparse.linalg import cg, minres

warnings.simplefilter("ignore")
RIGHT = np.array([1, 1 / 2, 1 / 3])


def attempt(name, solve, size, dtype):
    A = np.diag([1, 2, 3]).astype(dtype)
    x, info = solve(A, np.full(3, size, dtype))
    x = np.asarray(x) / np.dtype(dtype).type(size)
    print(f"{name + ', ' + dtype:22} {size:<7g} {np.round(x, 4)}  info {info}")
    assert info in (0, None)
    return np.abs(x - RIGHT).max()


def on_jax(A, b):
    return jax_cg(lambda v: jnp.asarray(A) @ v, jnp.asarray(b))


for name, solve, dtype in (("scipy cg", cg, "float64"), ("scipy minres", minres, "float64"), ("jax cg", on_jax, "float32")):
    assert attempt(name, solve, 1.0, dtype) < 1e-5
assert attempt("scipy cg", cg, 1e-160, "float64") > 1e-5
assert attempt("scipy cg", cg, 1e-170, "float64") > 0.5
assert attempt("scipy minres", minres, 1e-170, "float64") > 0.5
assert attempt("scipy minres", minres, 1e150, "float64") > 0.1
assert attempt("scipy cg", cg, 1e-23, "float32") > 0.5
assert attempt("jax cg", on_jax, 1e-20, "float32") > 0.5
assert attempt("jax cg", on_jax, 1e19, "float32") > 0.5
EOF
