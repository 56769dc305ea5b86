#!/bin/sh
# Through torch.linalg.solve and logdet the gradient of a jvp is wrong, and the jvp of a gradient is right.
#
# Guess: the order in which forward and reverse mode are nested is a matter of speed.
# Seen, PyTorch 2.13.0, relative errors of H v against differences of the gradient:
#
#                         grad(grad)   jvp(grad)   grad(jvp)
#     solve                  4.4e-13     4.4e-13     4.0e-01
#     logdet                 1.8e-13     1.8e-13     1.2e+00
#     logdet by Cholesky     1.7e-13     1.7e-13     1.7e-13
#
# It is the road of whoever differentiates through an inner problem in closed form (ridge regression heads).
# Instead: jvp of grad; or cholesky and cholesky_solve, which are right on all roads.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import torch
from torch.func import grad, jvp

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
b = torch.randn(4, 2)


def definite(p):
    root = p[:16].reshape(4, 4)
    return root @ root.T + torch.eye(4)


def solve(p):
    return (torch.linalg.solve(definite(p), b + p[16:].reshape(4, 2)) ** 2).mean()


def logdet(p):
    return torch.logdet(definite(p))


def logdet_by_cholesky(p):
    return 2 * torch.linalg.cholesky(definite(p)).diagonal().log().sum()


def errors(name, loss):
    p, v, gradient = torch.randn(24), torch.randn(24), grad(loss)
    at = {k: gradient(p + 1e-3 * k * v) for k in (-3, -2, -1, 1, 2, 3)}
    true = (45 * (at[1] - at[-1]) - 9 * (at[2] - at[-2]) + at[3] - at[-3]) / 0.06
    routes = (
        grad(lambda q: gradient(q) @ v)(p),
        jvp(gradient, (p,), (v,))[1],
        grad(lambda q: jvp(loss, (q,), (v,))[1])(p),
    )
    found = [((hv - true).norm() / true.norm()).item() for hv in routes]
    print(f"{name:20}" + "".join(f"{error:12.1e}" for error in found))
    return found


print(" " * 20 + "".join(f"{name:>12}" for name in ("grad(grad)", "jvp(grad)", "grad(jvp)")))
for name, loss in (("solve", solve), ("logdet", logdet)):
    found = errors(name, loss)
    assert max(found[:2]) < 1e-7
    assert found[2] > 0.01
assert max(errors("logdet by Cholesky", logdet_by_cholesky)) < 1e-7
EOF
