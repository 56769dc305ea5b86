"""A task has the bits of a run on its own, wherever its row begins in memory.

Rows of an odd number of float64 begin at a multiple of 16 bytes in turns, and old
kernels of OpenBLAS (``OPENBLAS_CORETYPE=Prescott``) sum by that.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute import dot, norm
from imaml_ref.compute.parallel import sums_by_address

LENGTHS = (3, 16, 101, 1001, 8193, 20001)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("length", LENGTHS)
def test_a_row_has_the_dot_product_of_a_copy_on_its_own(length, dtype, rng):
    a, b = (rng.normal(size=(5, length)).astype(dtype) for _ in range(2))
    together, norms = dot(a, b), norm(a)
    for t in range(5):
        assert_array_equal(dot(a[t : t + 1].copy(), b[t : t + 1].copy()), together[t])
        assert_array_equal(norm(a[t : t + 1].copy()), norms[t])


@pytest.mark.parametrize("length", LENGTHS)
def test_the_dot_product_is_the_sum_to_rounding(length, rng):
    a, b = rng.normal(size=(2, 3, length))
    exact = (a.astype(np.longdouble) * b).sum(1)
    # n ε Σ|a b|: the order of a sum may be any
    room = length * np.finfo(np.float64).eps * np.abs(a * b).sum(1)
    assert (np.abs(dot(a, b) - exact) <= room).all()


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_layer_has_the_bits_of_a_run_on_its_own_or_the_blas_is_named(outputs, rng):
    net = ir.architectures.mlp((3,), (outputs,), outputs, activation=ir.layers.Tanh)
    loss, size = ir.TaskLoss(net, ir.SquaredError()), len(net.init(rng))
    phi, v = rng.normal(size=(2, 4, size))
    x, y = rng.normal(size=(4, 5, 3)), rng.normal(size=(4, 5, outputs))
    together = loss.linearize(phi, x, y)
    hv, same = together.hvp(v), True
    for t in range(4):
        one = slice(t, t + 1)
        alone = loss.linearize(phi[one], x[one], y[one])
        same &= np.array_equal(alone.grad[0], together.grad[t])
        same &= np.array_equal(alone.hvp(v[one])[0], hv[t])
    assert same or (outputs == 1 and sums_by_address())


@pytest.fixture
def rng():
    return np.random.default_rng(7)
