"""G = RᵀR of fused sweeps."""

import numpy as np
from numpy.testing import assert_allclose

import imaml_ref as ir


def test_it_is_the_factor_of_fused_sweeps_too_and_stays_at_its_point():
    net = ir.architectures.omniglot_cnn(3, input_shape=(7, 6, 2), num_filters=3)
    rng, loss = np.random.default_rng(0), ir.SoftmaxCrossEntropy()
    x, y = rng.normal(size=(2, 5, 7, 6, 2)), rng.integers(0, 3, (2, 5))
    loss, phi = ir.TaskLoss(net, loss), np.stack([net.init(rng), net.init(rng)])
    at = loss.linearize(phi, x, y)
    assert type(at).__name__ == "FusedLinearization"
    v, other = rng.normal(size=phi.shape), rng.normal(size=phi.shape)
    factor, want = at.factor(), at.gnvp(v)
    loss.linearize(other, x, y).gnvp(v)
    assert_allclose(factor.pull(factor.push(v)), want, rtol=1e-9, atol=1e-12)
