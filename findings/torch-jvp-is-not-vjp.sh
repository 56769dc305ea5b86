#!/bin/sh
# Four functions of PyTorch whose derivative forwards is not the transpose of the one backwards: Jᵀ (J v) is no product with JᵀJ.
#
# Guess: a Gauss-Newton product needs first derivatives alone, and those of a released function are right, forwards and backwards.
# Seen, PyTorch 2.13.0, u·(J v) by jvp, (Jᵀ u)·v by vjp, and u·(J v) by differences of the function:
#
#                                               jvp          vjp  differences
#     scatter_reduce, prod                 0.000000    -1.726783    -1.726783   torch.func.jvp
#     cholesky_inverse                    -0.113320    -0.104693    -0.104693   torch.func.jvp
#     logcumsumexp                              nan     3.944414     3.944414   autograd.functional.jvp
#     embedding, padding_idx              -0.253054     0.190426    -0.253054   torch.func.jvp
#
# No warning comes. autograd.functional.jvp goes backwards twice, from a zero cotangent, whose logarithm logcumsumexp takes; its
# vjp makes 0 of that NaN, so that G v is exactly 0. An embedding's padding row has no gradient, but jvp sees it move.
# Instead: compare u·(J v) with (Jᵀ u)·v before G is trusted; take the other of the two jvp, which is right for the first three.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import torch
import torch.nn.functional as F
from torch.autograd import functional

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
ids = torch.tensor([0, 1, 0, 1])


def triangular(x):
    return x.reshape(2, 2).tril() + 2 * torch.eye(2)


def padded(x):
    return F.embedding(torch.tensor([0, 1]), x.reshape(2, 2), padding_idx=1)


def forwards(f, x, v):
    return torch.func.jvp(f, (x,), (v,))[1]


def twice_backwards(f, x, v):
    return functional.jvp(f, x, v)[1]


def compared(name, f, jvp):
    x, v = torch.randn(4), torch.randn(4)
    at = {k: f(x + 1e-3 * k * v) for k in (-3, -2, -1, 1, 2, 3)}
    z_dot = (45 * (at[1] - at[-1]) - 9 * (at[2] - at[-2]) + at[3] - at[-3]) / 0.06
    u = torch.randn(z_dot.shape)
    found = (
        (u * jvp(f, x, v)).sum().item(),
        (torch.func.vjp(f, x)[1](u)[0] * v).sum().item(),
        (u * z_dot).sum().item(),
    )
    print(f"{name:32}" + "".join(f"{number:13.6f}" for number in found))
    return found


def wrong(found, true):
    return not abs(found - true) < 1e-3 * abs(true)


print(" " * 32 + "".join(f"{name:>13}" for name in ("jvp", "vjp", "differences")))
for name, f, jvp in (
    ("scatter_reduce, prod", lambda x: torch.ones(2).scatter_reduce(0, ids, x, "prod"), forwards),
    ("cholesky_inverse", lambda x: torch.cholesky_inverse(triangular(x)), forwards),
    ("logcumsumexp", lambda x: torch.logcumsumexp(x, 0), twice_backwards),
):
    jvp_of, vjp_of, true = compared(name, f, jvp)
    assert abs(vjp_of - true) < 1e-8
    assert wrong(jvp_of, true)
    other = twice_backwards if jvp is forwards else forwards
    jvp_of, _, true = compared("    the other way forwards", f, other)
    assert abs(jvp_of - true) < 1e-8
jvp_of, vjp_of, true = compared("embedding, padding_idx", padded, forwards)
assert abs(jvp_of - true) < 1e-8
assert wrong(vjp_of, true)
x, v = torch.randn(4), torch.randn(4)
z_dot = twice_backwards(lambda x: torch.logcumsumexp(x, 0), x, v)
assert z_dot.isnan().all()
assert (torch.func.vjp(lambda x: torch.logcumsumexp(x, 0), x)[1](z_dot)[0] == 0).all()
EOF
