"""Families of the network and the loss against autograd in PyTorch."""

import numpy as np
import pytest

from imaml_ref.conformance.families import FAMILIES
from imaml_ref.conformance.judge import PASS, Verdict
from tests.helpers.blind import CASES, one_laboratory

torch = pytest.importorskip("torch")
functional = torch.nn.functional


def torch_gradient(case, forward):
    """∇L (T, P) by autograd, of z = forward(p, x) and a loss of z and y."""
    found = []
    for t, phi in enumerate(case.phi):
        phi = torch.tensor(phi, requires_grad=True)
        p = {k.name: phi[k.where].reshape(k.shape) for k in case.tensors}
        x, y = (torch.tensor(case.inputs[f"support_{k}"][t]) for k in "xy")
        found.append(torch.autograd.grad(forward(p, x, y), phi)[0].numpy())
    return np.stack(found)


def convolved(p, x, normalise):
    """The outputs of conv-norm-tanh, normalised by a function, (N, H, W, C) → same."""
    a = x.permute(0, 3, 1, 2)
    a = functional.conv2d(a, p["conv1.kernel"].permute(3, 2, 0, 1), padding=1)
    a = normalise(a.permute(0, 2, 3, 1)) * p["norm1.gamma"] + p["norm1.beta"]
    a = functional.avg_pool2d(torch.tanh(a).permute(0, 3, 1, 2), 2)
    a = a.permute(0, 2, 3, 1).flatten(1)
    return a @ p["head.kernel"] + p["head.bias"]


def statistics(x, hold_mean=False, hold_variance=False, m=1.0):
    """Normalise, ε = 1e-5, statistics held or moved by m from 0 and 1."""
    mean = x.mean((0, 1, 2))
    mean = mean.detach() if hold_mean else mean
    variance = ((x - mean) ** 2).mean((0, 1, 2))
    variance = variance.detach() if hold_variance else variance
    return (x - m * mean) / (1 - m + m * variance + 1e-5) ** 0.5


class Bent(torch.autograd.Function):
    """tanh with the slope 1 − y."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(torch.tanh(x))
        return torch.tanh(x)

    @staticmethod
    def backward(ctx, bar):
        return bar * (1 - ctx.saved_tensors[0])


def dense(p, x, act=torch.tanh):
    """The outputs of mlp-tanh."""
    first, last = dict.fromkeys(k.partition(".")[0] for k in p)
    a = act(x @ p[f"{first}.kernel"] + p[f"{first}.bias"])
    return a @ p[f"{last}.kernel"] + p[f"{last}.bias"]


def weighted(z, y):
    """Cross-entropy with weights from 0.8 to 1.4."""
    weight = torch.linspace(0.8, 1.4, z.shape[1], dtype=z.dtype)
    return functional.cross_entropy(z, y, weight, reduction="none").mean()


CE, FROM_TORCH = functional.cross_entropy, {
    ("bn-mean-held", "conv-norm-tanh"): lambda p, x, y: CE(
        convolved(p, x, lambda a: statistics(a, hold_mean=True)), y),
    ("bn-variance-held", "conv-norm-tanh"): lambda p, x, y: CE(
        convolved(p, x, lambda a: statistics(a, hold_variance=True)), y),
    ("bn-running-differentiated", "conv-norm-tanh", 0.17): lambda p, x, y: CE(
        convolved(p, x, lambda a: statistics(a, m=0.17)), y),
    ("tanh-slope-one-less-y", "mlp-tanh"): lambda p, x, y: CE(
        dense(p, x, Bent.apply), y),
    ("class-weights", "mlp-tanh", 0.8, 1.4): lambda p, x, y: weighted(dense(p, x), y),
    ("class-weights-normalised", "mlp-tanh", 1.75): lambda p, x, y: CE(
        dense(p, x), y, torch.linspace(0.8, 1.4, 3, dtype=torch.float64)),
    ("logits-capped", "mlp-tanh", 2.3): lambda p, x, y: CE(
        2.3 * torch.tanh(dense(p, x) / 2.3), y),
}  # fmt: skip


@pytest.mark.parametrize("which", FROM_TORCH, ids=lambda w: w[0])
def test_they_are_what_autograd_has(which):
    name, case, *values = which
    want = torch_gradient(CASES[case], FROM_TORCH[which])
    right = CASES[case].answers["L1"]["grad"].want
    verdict = Verdict(case, "L1", "grad", PASS, got=right)
    got = FAMILIES[name].at(one_laboratory(), verdict, *values)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * abs(want).max())
