"""Cross-entropy of outputs that are all but certain, where p rounds to 1.

The value, z̄ of the largest output and R{z̄} are then as small as e^(−margin).  Their
witness has 60 digits.  ε |z| bounds what a rounded difference of outputs makes of an
exponential; 16 ε is room for the rest.
"""

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.fused.softmax import softmax_bar
from imaml_ref.networks.losses import SoftmaxCrossEntropy

DTYPES = [np.float32, np.float64]
MARGINS = [0, 1, 9, 20, 40, 60]


def sure(dtype):
    """Return outputs (1, N, 3), ż, and labels, of which two are wrong."""
    z = np.array([[[m, 0.5, -1] for m in MARGINS]], dtype)
    z_dot = np.random.default_rng(0).normal(size=z.shape).astype(dtype)
    return z, z_dot, np.array([[0, 0, 0, 0, 1, 2]])


def witness(z, z_dot, y):
    """Return value, z̄ and R{z̄} of one example, by their definitions."""
    with mpmath.workdps(60):
        z, z_dot = ([mpmath.mpf(float(a)) for a in row] for row in (z, z_dot))
        e = [mpmath.exp(a) for a in z]
        p = [a / mpmath.fsum(e) for a in e]
        along = mpmath.fsum(a * b for a, b in zip(p, z_dot, strict=True))
        bar = [a - (d == y) for d, a in enumerate(p)]
        bend = [a * (b - along) for a, b in zip(p, z_dot, strict=True)]
        value = mpmath.log(mpmath.fsum(e)) - z[y]
        return [np.array(a, float) for a in (value, bar, bend)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_lost_where_an_output_is_all_but_certain(dtype):
    loss, (z, z_dot, labels) = SoftmaxCrossEntropy(), sure(dtype)
    eps = np.finfo(dtype).eps
    for n, y in enumerate(labels[0]):
        one = (slice(None), slice(n, n + 1))
        value, saved = loss.forward(z[one], labels[one])
        found = value[0], loss.grad(saved)[0, 0], loss.hvp(saved, z_dot[one])[0, 0]
        true = witness(z[0, n], z_dot[0, n], y)
        room = (16 + np.ptp(z[0, n])) * eps
        for got, want in zip(found, true, strict=True):
            assert_allclose(got, want, rtol=room, err_msg=f"margin {z[0, n, 0]}")
        quick = np.empty_like(z[one])
        softmax_bar(z[one], saved.e_y, quick)
        assert_array_equal(quick, loss.grad(saved))


def test_an_output_of_minus_infinity_is_no_loss_where_the_label_is_another():
    z = np.array([[[1.0, -np.inf, 2.0]]])
    value, saved = SoftmaxCrossEntropy().forward(z, np.array([[0]]))
    assert_allclose(value, np.log(1 + np.e))
    p = 1 / (1 + np.exp([1, -1]))
    assert_allclose(SoftmaxCrossEntropy().grad(saved)[0, 0], [p[0] - 1, 0, p[1]])
