#!/bin/sh
# What another program left in Inductor's cache decides whether a product of second order is silently wrong or raises.
#
# Guess: a cache of compiled code changes how long a program takes, not what it answers.
# Seen, PyTorch 2.13.0, default backend, one and the same program (a compiled loss, an eager penalty ‖p‖², gradient of gradient):
#
#     empty cache                             H v is that of the penalty alone, no word said
#     after it, the same again                H v is that of the penalty alone, no word said
#     empty cache, then a gradient elsewhere  0.3 MB lie on disk
#     after it, the same again                RuntimeError: This backward function was compiled with non-empty donated buffers
#
# A plain gradient caches code that gives up its buffers, and only that code notices that it is asked for a second derivative.
# So a suite that trains first, in another process, sees an exception; one that starts fresh sees nothing.
# Instead: do not compile what is differentiated twice; test it with TORCHINDUCTOR_FORCE_DISABLE_CACHES=1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat > "$folder/program.py" <<'EOF'
import sys

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
v, p = torch.randn(9), torch.randn(9, requires_grad=True)


def loss(p):
    w = p.reshape(-1, 3)
    return (w.tanh() @ w.T).exp().mean()


def product(loss):
    (gradient,) = torch.autograd.grad(loss(p) + p @ p, p, create_graph=True)
    return torch.autograd.grad(gradient @ v, p)[0]


compiled = torch.compile(loss)
if sys.argv[1] == "gradient":
    torch.autograd.grad(compiled(p), p)
    print("a gradient")
    sys.exit()
try:
    found = product(compiled)
except RuntimeError as error:
    assert "donated buffers" in str(error), error
    print("raises")
else:
    assert torch.allclose(found, 2 * v)
    assert not torch.allclose(found, product(loss), rtol=0.01)
    print("silently wrong")
EOF
run() {
    TORCHINDUCTOR_CACHE_DIR="$folder/$1" "$folder/venv/bin/python" "$folder/program.py" "$2"
}
expect() {
    said=$(run "$1" "$2")
    echo "cache $1, $2: $said"
    test "$said" = "$3"
}
expect one product "silently wrong"
expect one product "silently wrong"
expect two gradient "a gradient"
expect two product "raises"
