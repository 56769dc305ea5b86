"""The losses and their derivatives in the outputs z.

The functions that take a ``case`` are also what ``mutation/derivatives.py`` runs on
losses with a planted mistake.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.checks import complex_step
from imaml_ref.networks.losses import SoftmaxCrossEntropy, SquaredError
from tests.helpers import oracles

T, N, D = 2, 3, 5
EXACTLY = {"rtol": 1e-13, "atol": 1e-15}


def half_squares(z, y):
    return np.array([0.5 * np.linalg.norm(z[t] - y[t]) ** 2 / N for t in range(T)])


def soft(z, y):
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return -(y * log_p).sum((1, 2)) / N


@dataclass(frozen=True)
class LossCase:
    """A loss, labels for it, and its value computed in another way."""

    loss: object
    y: np.ndarray
    witness: object

    def of(self, module):
        """Return the same case with the loss as another module defines it."""
        made = getattr(module, type(self.loss).__name__)()
        return LossCase(made, self.y, self.witness)


rng = np.random.default_rng(0)
LOSSES = {
    "softmax_cross_entropy": LossCase(
        SoftmaxCrossEntropy(), np.array([[0, 3, 2], [4, 2, 2]]), oracles.cross_entropy
    ),
    "soft_labels": LossCase(
        SoftmaxCrossEntropy(), np.eye(D)[[[0, 3, 2], [4, 2, 2]]] * 0.6 + 0.4 / D, soft
    ),
    "squared_error": LossCase(SquaredError(), rng.normal(size=(T, N, D)), half_squares),
}


@pytest.fixture(params=LOSSES.values(), ids=LOSSES.keys())
def case(request):
    return request.param


def outputs(seed=1, number=2):
    return np.random.default_rng(seed).normal(size=(number, T, N, D))


def test_forward_is_what_its_name_says(case):
    z, _ = outputs()
    value, _ = case.loss.forward(z, case.y)
    assert value.shape == (T,)
    assert_allclose(value, case.witness(z, case.y), **EXACTLY)


def test_grad_is_the_gradient_of_the_value(case):
    z, _ = outputs()
    value = oracles.jacobian(
        lambda flat: case.loss.forward(flat.reshape(T, N, D), case.y)[0],
        z.reshape(T, -1),
    )
    got = case.loss.grad(case.loss.forward(z, case.y)[1])
    assert_allclose(got, value.reshape(T, N, D), **EXACTLY)


def test_hvp_is_the_derivative_of_grad(case):
    z, z_dot = outputs()

    def grad(z):
        return case.loss.grad(case.loss.forward(z, case.y)[1])

    got = case.loss.hvp(case.loss.forward(z, case.y)[1], z_dot)
    assert_allclose(got, complex_step(grad, z, z_dot), **EXACTLY)


def test_the_hessian_is_positive_semidefinite(case):
    z, _ = outputs()
    _, saved = case.loss.forward(z, case.y)

    def product(flat):
        return case.loss.hvp(saved, flat.reshape(T, N, D)).reshape(T, -1)

    matrices = oracles.dense(product, z.reshape(T, -1))
    assert_allclose(matrices, matrices.swapaxes(1, 2), **EXACTLY)
    assert np.linalg.eigvalsh(matrices).min() > -1e-15


def test_float32_stays_float32(case):
    z, z_dot = outputs().astype(np.float32)
    y = case.y.astype(np.float32) if case.y.dtype == float else case.y
    value, saved = case.loss.forward(z, y)
    results = (value, case.loss.grad(saved), case.loss.hvp(saved, z_dot))
    assert {a.dtype for a in results} == {np.dtype(np.float32)}
    assert_allclose(value, case.witness(z.astype(float), case.y), rtol=1e-6)


def test_large_outputs_do_not_overflow(case):
    z, z_dot = outputs()
    value, saved = case.loss.forward(1e4 * z, case.y)
    results = (value, case.loss.grad(saved), case.loss.hvp(saved, z_dot))
    assert all(np.isfinite(a).all() for a in results)


def test_a_certain_output_keeps_its_curvature(case):
    """Of two classes: p (1 − p) (ż₀ − ż₁), where p rounds to 1 in float32."""
    if type(case.loss).__name__ != "SoftmaxCrossEntropy":
        return
    z, z_dot = np.array([[[20, 0]], [[0, 20]]], "f4"), np.array([[[1, 3]]] * 2, "f4")
    _, saved = case.loss.forward(z, np.array([[0], [1]]))
    q = np.exp(-20.0)
    want = q / (1 + q) ** 2 * np.array([-2, 2])
    assert_allclose(case.loss.hvp(saved, z_dot), [[want]] * 2, rtol=4e-6)


CASE_TESTS = (
    test_forward_is_what_its_name_says,
    test_grad_is_the_gradient_of_the_value,
    test_hvp_is_the_derivative_of_grad,
    test_the_hessian_is_positive_semidefinite,
    test_float32_stays_float32,
    test_large_outputs_do_not_overflow,
    test_a_certain_output_keeps_its_curvature,
)


def test_cross_entropy_does_not_overflow():
    loss = SoftmaxCrossEntropy()
    z = np.array([[[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]]])
    value, saved = loss.forward(z, np.array([[1, 0]]))
    assert_allclose(value, (2e4 + np.log(3)) / 2)
    assert np.isfinite(loss.grad(saved)).all()


def test_cross_entropy_does_not_know_a_constant():
    loss, (z, _) = SoftmaxCrossEntropy(), outputs()
    y = LOSSES["softmax_cross_entropy"].y
    shifted = loss.forward(z + 37.5, y)[0]
    assert_allclose(shifted, loss.forward(z, y)[0], rtol=1e-12)


def test_accuracy_is_the_share_of_right_answers():
    z = np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]], [[0.0, 1.0]] * 3])
    y = np.array([[0, 1, 1], [1, 1, 1]])
    assert_array_equal(SoftmaxCrossEntropy().accuracy(z, y), [2 / 3, 1])
    assert SquaredError().accuracy(z, z) is None


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.zeros((T, N)), TypeError, "labels must be integers, got dtype float64"),
        (np.zeros((T, 4), int), ValueError, r"expect shape \(2, 3\), got \(2, 4\)"),
        (np.full((T, N), 5), ValueError, "from 0 to 4.* got 5 to 5"),
        (np.full((T, N), -1), ValueError, "from 0 to 4.* got -1 to -1"),
        (np.ones((T, N, D), "f4"), TypeError, "real dtype of φ, float64, got float32"),
        (np.ones((T, N, 4)), ValueError, r"shape \(2, 3, 5\), got \(2, 3, 4\)"),
    ],
)
def test_wrong_labels_are_named(y, error, message):
    with pytest.raises(error, match=message):
        SoftmaxCrossEntropy().forward(np.zeros((T, N, D)), y)


def test_targets_of_another_shape_are_named():
    with pytest.raises(ValueError, match=r"shape \(2, 3, 5\), got \(2, 3, 1\)"):
        SquaredError().forward(np.zeros((T, N, D)), np.zeros((T, N, 1)))


def soft_labels(dtype=np.float64, seed=3):
    """Return what a softmax computes in a dtype, (T, N, D)."""
    e = np.exp(3 * np.random.default_rng(seed).normal(size=(T, N, D))).astype(dtype)
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("ways", [2, 5])  # (1, 5, 5) once went for (1, 5)
def test_unit_vectors_have_the_accuracy_of_the_labels_they_stand_for(ways):
    draw = np.random.default_rng(0)
    z, y = draw.normal(size=(1, ways, ways)), draw.integers(ways, size=(1, ways))
    loss, e_y = SoftmaxCrossEntropy(), np.eye(ways)[y]
    want = sum(z[0, n].argmax() == y[0, n] for n in range(ways)) / ways
    assert_array_equal(loss.accuracy(z, y), [want])
    assert_array_equal(loss.accuracy(z, e_y), [want])
    assert_array_equal(loss.forward(z, e_y)[0], loss.forward(z, y)[0])


def test_the_likeliest_classes_of_soft_labels_are_right():
    z = np.array([[[3.0, 1, 2], [1, 3, 2], [1, 2, 3], [3, 2, 1]]])
    y = np.array([[[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.1, 0.7, 0.2]]])
    assert_array_equal(SoftmaxCrossEntropy().accuracy(z, y), [0.5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_grad_is_the_gradient_for_soft_labels_too(dtype):
    (z, _), y = outputs(), soft_labels(dtype)
    loss, z = SoftmaxCrossEntropy(), z.astype(dtype)
    got = loss.grad(loss.forward(z, y)[1])

    def value(flat):
        e = np.exp(flat.reshape(T, N, D))
        return -(y * np.log(e / e.sum(-1, keepdims=True))).sum((1, 2)) / N

    want = oracles.jacobian(value, z.astype(float).reshape(T, -1))
    assert_allclose(got, want.reshape(T, N, D), atol=8 * D * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_classes", [1, 2, 7, 500])
def test_labels_that_sum_to_one_but_for_rounding_are_taken(num_classes, dtype):
    e = np.random.default_rng(0).random((3, 40, num_classes)).astype(dtype)
    y, z = e / e.sum(-1, keepdims=True), np.zeros(e.shape, dtype)
    SoftmaxCrossEntropy().forward(z, y)
    with pytest.raises(ValueError, match=r"sums from 1\.0\d+ to 1\.0\d+; divide by"):
        SoftmaxCrossEntropy().forward(z, y * dtype(1.01))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, 0.5, 0.5, 0, 0], r"sums from 1 to 1.5; divide by y.sum"),
        ([0, 0, 0, 0, 0], r"sums from 0 to 1; divide by y.sum"),
        ([np.nan, 1, 0, 0, 0], r"sums from nan to nan; divide"),
        ([1.5, -0.5, 0, 0, 0], r"from 0 to 1, got -0.5; give integers"),
    ],
)
def test_labels_that_are_no_probabilities_are_refused(row, message):
    y = np.eye(D)[np.zeros((T, N), int)]
    y[1, 2] = row
    for use in (SoftmaxCrossEntropy().forward, SoftmaxCrossEntropy().accuracy):
        with pytest.raises(ValueError, match=rf"\(T, N, D\) must be .*{message}"):
            use(np.zeros((T, N, D)), y)
