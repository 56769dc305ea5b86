#!/bin/sh
# gradhpo's T1T2Optimizer gives every entry of an array of hyperparameters the sum of all entries' gradients.
#
# Guess: a hypergradient by finite differences has an error of the order of its step, 1e-4, for an array as for a number.
# Seen, gradhpo 0.1.3, JAX 0.10.2, weight decays λ = (0.1, 0.5, 2) of three weights, one step of gradient descent:
#
#     true               -0.1500   0.0800  -0.0100
#     OneStepOptimizer   -0.1500   0.0800  -0.0100
#     T1T2Optimizer      -0.0800  -0.0800  -0.0800    the sum, three times
#     T1T2, three numbers in a dict: as the true ones
#
# All entries of an array are moved together in its difference quotient.  A test with one number passes, and the
# hyperparameters of an array all get one direction, of either sign.
# Instead: OneStepOptimizer, which is a vector-Jacobian product; or a dict of numbers.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check gradhpo==0.1.3 jax==0.10.2 jaxlib==0.10.2 optax==0.2.8
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'EOF'
import jax
import numpy as np
from gradhpo import OneStepOptimizer, T1T2Optimizer
from jax import numpy as jnp

jax.config.update("jax_enable_x64", True)
w, lam, rate = jnp.array([1.0, -2.0, 0.5]), jnp.array([0.1, 0.5, 2.0]), 0.1


def step(w, lam, batch):
    """One step on ½ Σ λ w²; lam is an array or a dict of numbers."""
    lam = lam if isinstance(lam, jax.Array) else jnp.stack([lam[k] for k in "abc"])
    return w - rate * lam * w


def outer(w, lam, batch):
    """Whose gradient at the new w is (1.5, 0.4, 0.2)."""
    return w @ jnp.array([1.5, 0.4, 0.2])


def hypergradient(kind, lam):
    optimizer = kind(update_fn=step)
    state = optimizer.init(w, lam).update(step=1)
    found = optimizer.compute_hypergradient(state, None, None, None, outer)
    return np.array(found if isinstance(found, jax.Array) else [found[k] for k in "abc"])


true = np.array(jax.grad(lambda lam: outer(step(w, lam, None), lam, None))(lam))
one_step, t1t2 = (hypergradient(kind, lam) for kind in (OneStepOptimizer, T1T2Optimizer))
numbers = hypergradient(T1T2Optimizer, dict(zip("abc", lam)))
for name, found in (("true", true), ("OneStep", one_step), ("T1T2", t1t2), ("T1T2, dict", numbers)):
    print(f"{name:12}", *(f"{a:8.4f}" for a in found))
assert np.allclose(one_step, true) and np.allclose(numbers, true)
assert np.allclose(t1t2, true.sum())
EOF
