#!/bin/sh
# PyHessian: an object made while another of the same model waits holds the Hessian of both batches together.
#
# Guess: hessian(model, criterion, data=batch) is the Hessian on that batch, however many there are.
# Seen, PyHessian 0.1, PyTorch 2.13.0, one object for each of three batches, then the largest eigenvalue of each:
#
#     batch   alone   in a list   dense, batches up to it together
#         1   0.980       0.980       0.980
#         2   0.835       1.737       1.737
#         3   0.825       2.512       2.512
#
# The constructor adds to the model's grad, graph and all, and reads it there.  It also leaves the model in eval mode:
# what is trained afterwards is trained without dropout and with running statistics.
# Instead: use an object up before the next is made; model.zero_grad() before each; model.train() after.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyhessian==0.1 torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import warnings

import torch
from pyhessian import hessian

warnings.simplefilter("ignore")
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
loss = torch.nn.CrossEntropyLoss()
batches = [(torch.randn(8, 3), torch.randint(2, (8,))) for _ in range(3)]
params = list(model.parameters())


def largest(inputs, targets):
    """The largest eigenvalue by the dense Hessian of a batch or of several together."""
    sizes = [a.numel() for a in params]

    def value(flat):
        parts = [p.view_as(a) for p, a in zip(flat.split(sizes), params)]
        named = dict(zip(dict(model.named_parameters()), parts))
        outputs = (torch.func.functional_call(model, named, (x,)) for x in inputs)
        return sum(loss(z, y) for z, y in zip(outputs, targets))

    flat = torch.cat([a.detach().ravel() for a in params])
    return float(torch.linalg.eigvalsh(torch.func.hessian(value)(flat))[-1])


made = [hessian(model, loss, data=batch, cuda=False) for batch in batches]
print("batch   alone   in a list   dense, batches up to it together")
for k, (x, y) in enumerate(batches, 1):
    listed = made[k - 1].eigenvalues(maxIter=1000, tol=1e-7)[0][0]
    model.zero_grad()
    alone = hessian(model, loss, data=(x, y), cuda=False).eigenvalues(maxIter=1000, tol=1e-7)[0][0]
    together = largest(*zip(*batches[:k]))
    print(f"{k:5} {alone:7.3f} {listed:11.3f} {together:11.3f}")
    assert abs(alone - largest([x], [y])) < 1e-3 * abs(alone)
    assert abs(listed - together) < 1e-3 * abs(together)
assert listed > 2 * alone
assert not model.training
EOF
