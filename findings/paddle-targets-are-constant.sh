#!/bin/sh
# Paddle's losses hold their targets constant, without a word: soft labels that are learned get no gradient.
#
# Guess: a tensor with stop_gradient = False that a loss depends on gets its gradient, or an error says why not.
# Seen, Paddle 3.3.1, derivative of the loss along a direction of t, where the targets are softmax(t), sigmoid(t) and exp(t):
#
#                                             backward   differences
#     cross_entropy, soft_label=True              None      0.052406
#     binary_cross_entropy                        None      0.040365
#     binary_cross_entropy_with_logits            None      0.040365
#     kl_div                                      None      0.606873
#     cross_entropy by hand                   0.052406      0.052406
#     mse_loss                                0.353422      0.353422
#
# Where z depends on the same parameter there is a gradient, and it lacks that part: distillation and learned labels train on it.
# Instead: the loss in elementary operations; mse_loss is right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check paddlepaddle==3.3.1 numpy==2.4.6 setuptools
"$folder/venv/bin/python" -W ignore - <<'EOF'
import numpy as np
import paddle
import paddle.nn.functional as F

paddle.set_default_dtype("float64")
rng = np.random.default_rng(0)
z, t, v = (paddle.to_tensor(rng.normal(size=(4, 3))) for _ in range(3))


def by_hand(z, t):
    return -(F.softmax(t) * F.log_softmax(z)).sum(-1).mean()


def compared(name, loss):
    leaf = t.clone().detach()
    leaf.stop_gradient = False
    logits = z.clone().detach()
    logits.stop_gradient = False
    loss(logits, leaf).backward()
    assert float(logits.grad.abs().sum()) > 0
    found = None if leaf.grad is None else float((leaf.grad * v).sum())
    true = float((loss(z, t + 1e-6 * v) - loss(z, t - 1e-6 * v)) / 2e-6)
    shown = "None" if found is None else f"{found:.6f}"
    print(f"{name:38}{shown:>14}{true:14.6f}")
    assert abs(true) > 1e-3
    return found or 0.0, true


for name, loss in (
    ("cross_entropy, soft_label=True", lambda z, t: F.cross_entropy(z, F.softmax(t), soft_label=True)),
    ("binary_cross_entropy", lambda z, t: F.binary_cross_entropy(F.sigmoid(z), F.sigmoid(t))),
    ("binary_cross_entropy_with_logits", lambda z, t: F.binary_cross_entropy_with_logits(z, F.sigmoid(t))),
    ("kl_div", lambda z, t: F.kl_div(z, paddle.exp(t))),
):
    assert compared(name, loss)[0] == 0.0
found, true = compared("cross_entropy by hand", by_hand)
assert abs(found - true) < 1e-8
found, true = compared("mse_loss", F.mse_loss)
assert abs(found - true) < 1e-8
EOF
