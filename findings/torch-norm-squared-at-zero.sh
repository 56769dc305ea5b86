#!/bin/sh
# A penalty written as (phi - theta).norm()**2 has curvature 0, or NaN, at phi = theta: where every inner problem starts.
#
# Guess: it is (phi - theta) @ (phi - theta), whose Hessian is 2 everywhere; its gradient at phi = theta is right.
# Seen, PyTorch 2.13.0 and JAX 0.10.2, at phi = theta, v = (1, 2, 3), right is 0 0 0 and 2 4 6:
#
#                                           gradient          H v
#     torch d @ d,       grad of grad       0.0 0.0 0.0       2.0 4.0 6.0
#     torch d.norm()**2, grad of grad       0.0 0.0 0.0       nan nan nan
#     torch d.norm()**2, jvp of grad        0.0 0.0 0.0       0.0 0.0 0.0
#     torch d.norm()**2, functional.hvp     0.0 0.0 0.0       0.0 0.0 0.0
#     jax   norm(d)**2,  jvp of grad        nan nan nan       nan nan nan
#
# The 0 goes unseen: H + 2 becomes H. So with biases that start at 0 under a penalty of their own. Instead: (d**2).sum().
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.func import grad, jvp

v, theta = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, -1.0, 2.0])


def reverse_reverse(loss):
    return grad(loss)(theta), grad(lambda phi: grad(loss)(phi) @ v)(theta)


def forward_reverse(loss):
    return jvp(grad(loss), (theta,), (v,))


def functional(loss):
    return grad(loss)(theta), torch.autograd.functional.hvp(loss, theta, v)[1]


def in_jax(loss):
    return jax.jvp(jax.grad(loss), (jnp.asarray(theta),), (jnp.asarray(v),))


def look(name, products):
    gradient, product = (" ".join(f"{x:.1f}" for x in np.asarray(p)) for p in products)
    print(f"{name:38}{gradient:18}{product}")
    return gradient, product


def square(phi):
    return (phi - theta) @ (phi - theta)


def norm(phi):
    return (phi - theta).norm() ** 2


def jax_square(phi):
    return (phi - jnp.asarray(theta)) @ (phi - jnp.asarray(theta))


def jax_norm(phi):
    return jnp.linalg.norm(phi - jnp.asarray(theta)) ** 2


ZERO, TRUE, NAN = "0.0 0.0 0.0", "2.0 4.0 6.0", "nan nan nan"
print(f"{'':38}{'gradient':18}H v")
assert look("torch d @ d,       grad of grad", reverse_reverse(square)) == (ZERO, TRUE)
assert look("torch d.norm()**2, grad of grad", reverse_reverse(norm)) == (ZERO, NAN)
assert look("torch d.norm()**2, jvp of grad", forward_reverse(norm)) == (ZERO, ZERO)
assert look("torch d.norm()**2, functional.hvp", functional(norm)) == (ZERO, ZERO)
assert look("jax   d @ d,       jvp of grad", in_jax(jax_square)) == (ZERO, TRUE)
assert look("jax   norm(d)**2,  jvp of grad", in_jax(jax_norm)) == (NAN, NAN)
EOF
