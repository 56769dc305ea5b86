#!/bin/sh
# A compiled loss and an eager penalty: the Hessian-vector product is that of the penalty alone.
#
# Guess: torch.compile changes the speed, or raises where it cannot differentiate twice.
# Seen, PyTorch 2.13.0, backend aot_eager (inductor is built on it): the gradient is right, the gradient of the gradient
# leaves the loss out without a word; functional.hvp and hessian of the loss alone are exactly 0.
#
#     the true H v                     [-0.7775  0.0743 -1.4047  0.9526]
#     functional.hvp, not compiled     [-0.7775  0.0743 -1.4047  0.9526]
#     functional.hvp, compiled         [0. 0. 0. 0.]
#     loss + penalty, not compiled     [-0.3987 -0.3637  2.7105  0.8818]
#     loss + penalty, compiled         [ 0.3788 -0.438   4.1152 -0.0708]  is 2 v, the penalty's
#
# A proximal term outside the compiled loss is what an implicit MAML has: CG then solves with a multiple of the identity.
# Instead: do not compile what is differentiated twice; compare one product with a difference of gradients.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
x, y = torch.randn(6, 4), torch.randn(6)
v, p = torch.randn(4), torch.randn(4, requires_grad=True)


def loss(p):
    return ((torch.tanh(x @ p) - y) ** 2).mean()


def show(name, vector):
    print(f"{name:32} {np.round(vector.detach().numpy(), 4)}")
    return vector.detach()


def product(loss):
    (gradient,) = torch.autograd.grad(loss(p) + p @ p, p, create_graph=True)
    (hv,) = torch.autograd.grad(gradient @ v, p)
    return gradient.detach(), hv


step = 1e-5 * v
gradient = torch.func.grad(loss)
true = show("the true H v", (gradient(p + step) - gradient(p - step)) / 2e-5)
compiled = torch.compile(loss, backend="aot_eager")
functional = torch.autograd.functional.hvp
eager = show("functional.hvp, not compiled", functional(loss, p.detach(), v)[1])
assert torch.allclose(eager, true, atol=1e-6)
assert (show("functional.hvp, compiled", functional(compiled, p.detach(), v)[1]) == 0).all()
right, wrong = product(loss), product(compiled)
assert torch.allclose(show("loss + penalty, not compiled", right[1]), true + 2 * v, atol=1e-6)
assert torch.allclose(show("loss + penalty, compiled", wrong[1]), 2 * v)
assert torch.allclose(right[0], wrong[0])
EOF
