#!/bin/sh
# Through torch's weight_norm the gradient is exact and the gradient of the gradient is wrong.
#
# Guess: what autograd differentiates once it differentiates twice, or refuses.
# Seen, PyTorch 2.13.0, torch.nn.utils.parametrizations.weight_norm of a Linear(4, 4), float64, CPU:
#
#     gradient against differences of the loss   4.2e-13
#     H v against differences of the gradient    3.0e-01
#     H v, weights normalised by hand            6.1e-12
#
# MAML, and every implicit method, on a net with weight norm gets another meta-gradient than its own.
# Instead: g * v / v.norm(dim=1, keepdim=True), in elementary operations.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import torch
from torch.nn.utils.parametrizations import weight_norm

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
x, y = torch.randn(6, 4), torch.randn(6, 4)
layer = weight_norm(torch.nn.Linear(4, 4))
parameters = list(layer.parameters())
directions = [torch.randn_like(p) for p in parameters]


def library(_):
    return layer(x)


def by_hand(parameters):
    bias, g, v = parameters
    return x @ (g * v / v.norm(dim=1, keepdim=True)).T + bias


def loss(forward):
    return ((torch.tanh(forward(parameters)) - y) ** 2).mean()


def gradient(forward, create_graph=False):
    return torch.autograd.grad(loss(forward), parameters, create_graph=create_graph)


def flat(parts):
    return torch.cat([part.reshape(-1) for part in parts])


def moved(function, k):
    """The function where the parameters are k steps of 1e-3 along the directions."""
    with torch.no_grad():
        for p, d in zip(parameters, directions):
            p.add_(d, alpha=1e-3 * k)
    value = function().detach()
    with torch.no_grad():
        for p, d in zip(parameters, directions):
            p.sub_(d, alpha=1e-3 * k)
    return value


def slope(function):
    at = {k: moved(function, k) for k in (-3, -2, -1, 1, 2, 3)}
    return (45 * (at[1] - at[-1]) - 9 * (at[2] - at[-2]) + at[3] - at[-3]) / 0.06


def product(forward):
    along = flat(gradient(forward, create_graph=True)) @ flat(directions)
    return flat(torch.autograd.grad(along, parameters))


def error(got, true):
    return ((got - true).norm() / true.norm()).item()


assert torch.allclose(library(parameters), by_hand(parameters))
first = error(flat(gradient(library)) @ flat(directions), slope(lambda: loss(library)))
second = error(product(library), slope(lambda: flat(gradient(library))))
hand = error(product(by_hand), slope(lambda: flat(gradient(by_hand))))
print(f"gradient against differences of the loss   {first:.1e}")
print(f"H v against differences of the gradient    {second:.1e}")
print(f"H v, weights normalised by hand            {hand:.1e}")
assert first < 1e-8
assert second > 0.01
assert hand < 1e-8
EOF
