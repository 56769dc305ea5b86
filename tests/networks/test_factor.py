"""G = RᵀR: the factor's products are those of the Gauss-Newton operator."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.layers import Tanh

RNG = np.random.default_rng(0)


def convolutional(ways=3):
    net = ir.architectures.omniglot_cnn(ways, num_filters=2)
    x = RNG.uniform(size=(2, 4, 28, 28, 1))
    return net, x, RNG.integers(0, ways, (2, 4)), ir.SoftmaxCrossEntropy()


def perceptron():
    net = ir.architectures.mlp((4,), (5,), 3, activation=Tanh)
    return (
        net,
        RNG.normal(size=(2, 6, 4)),
        RNG.normal(size=(2, 6, 3)),
        ir.SquaredError(),
    )


def affine():
    net = ir.architectures.linear((4,), 3)
    y = RNG.dirichlet(np.ones(3), size=(2, 5))
    return net, RNG.normal(size=(2, 5, 4)), y, ir.SoftmaxCrossEntropy()


def linearised(make):
    net, x, y, loss = make()
    phi = np.stack([net.init(RNG), net.init(RNG)])
    return ir.TaskLoss(net, loss), phi, x, y


@pytest.mark.parametrize("make", [convolutional, perceptron, affine])
def test_the_product_of_the_factors_is_the_gauss_newton_product(make):
    loss, phi, x, y = linearised(make)
    at, v = loss.linearize(phi, x, y), RNG.normal(size=phi.shape)
    factor = at.factor()
    assert factor.size == x.shape[1] * loss.net.num_outputs
    pushed = factor.push(v)
    assert pushed.shape == (2, factor.size)
    assert_allclose(factor.pull(pushed), at.gnvp(v), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [convolutional, perceptron, affine])
def test_the_two_products_are_each_others_transposes(make):
    loss, phi, x, y = linearised(make)
    factor = loss.linearize(phi, x, y).factor()
    v, s = RNG.normal(size=phi.shape), RNG.normal(size=(2, factor.size))
    left, right = (s * factor.push(v)).sum(1), (factor.pull(s) * v).sum(1)
    assert_allclose(left, right, rtol=1e-10)
    assert (np.abs(left) > 1e-3).all()


def test_rows_are_what_unit_vectors_pull():
    loss, phi, x, y = linearised(perceptron)
    factor = loss.linearize(phi, x, y).factor()
    rows = np.stack(list(factor.rows(phi)), 1)
    v = RNG.normal(size=phi.shape)
    assert_allclose((rows @ v[..., None])[..., 0], factor.push(v), rtol=1e-11)
    assert next(factor.rows(phi.astype("f"))).shape == phi.shape


def test_float32_stays_float32():
    loss, phi, x, y = linearised(convolutional)
    at = loss.linearize(phi.astype("f"), x.astype("f"), y)
    factor = at.factor()
    pushed = factor.push(phi.astype("f"))
    assert pushed.dtype == factor.pull(pushed).dtype == np.float32
