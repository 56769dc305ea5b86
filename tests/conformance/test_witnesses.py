"""What certifies the answers: the naive pass, exact solutions, the whole map."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from imaml_ref.checks import central_difference
from imaml_ref.conformance import Computation, Engine, Refused, load_suite
from imaml_ref.conformance.axes import along_axes
from imaml_ref.conformance.certify import Witness
from imaml_ref.conformance.grid import Grid
from imaml_ref.conformance.naive import Naive, outputs
from imaml_ref.conformance.plain import built, described, tensors
from imaml_ref.conformance.systems import congruent, exact_solution

SUITE = load_suite()
NETS = [name for name, case in SUITE.items() if case.network and not case.sets]


@pytest.mark.parametrize("name", NETS)
def test_the_naive_pass_has_the_outputs_of_the_network(name):
    case = SUITE[name]
    for t in range(case.num_tasks):
        x = case.tasks.support_x[t]
        z = outputs(case.network, case.unpack(case.phi[t : t + 1]), x)
        ours = case.net.logits(case.phi[t : t + 1], x[None])
        assert_allclose(z.astype(float), ours, rtol=1e-12, atol=1e-13)


def test_the_naive_pass_is_a_softmax_regression_by_hand():
    case = SUITE["logistic"]
    p, x, y = case.unpack(case.phi), case.tasks.support_x, case.tasks.support_y
    for t in range(case.num_tasks):
        z = x[t] @ p["head.kernel"][t] + p["head.bias"][t]
        chance = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
        value = -np.log(chance[np.arange(len(z)), y[t]]).mean()
        naive = Naive(case, t)
        assert_allclose(float(naive.value(case.phi[t : t + 1])[0]), value, rtol=1e-14)
        grad = x[t].T @ (chance - np.eye(3)[y[t]]) / len(z)
        got = naive.grad(case.phi[t]).astype(float)
        assert_allclose(got[: grad.size], grad.ravel(), rtol=1e-12, atol=1e-15)


def test_richardsons_differences_are_the_second_derivative_of_a_ridge():
    case = SUITE["ridge"]
    x = case.tasks.support_x[0]
    x = np.concatenate([x, np.ones((len(x), 1))], 1)
    H = np.kron(x.T @ x / len(x), np.eye(3))  # kernel (4, 3) in C order, then the bias
    got = Naive(case, 0).hvp(case.phi[0], case.v[0]).astype(float)
    assert_allclose(got, H @ case.v[0], rtol=1e-12)
    gauss_newton = Naive(case, 0).gnvp(case.phi[0], case.v[0]).astype(float)
    assert_allclose(gauss_newton, H @ case.v[0], rtol=1e-12)


@pytest.mark.parametrize("name", ["mlp-tanh", "conv-lam-vector", "ridge-lam-vector"])
def test_the_whole_map_has_the_slopes_of_differences(name):
    case = SUITE[name]
    direction = np.random.default_rng(0).normal(size=case.theta.shape)

    def F(theta):
        at = case.at(theta)
        return Computation().at_query(at, Computation().solution(at)).value.mean()

    slope = central_difference(F, case.theta, direction, 1e-5)
    assert_allclose(Witness().meta_grad(case) @ direction, slope, rtol=1e-7)


def test_the_jacobian_along_axes_is_that_of_a_known_map():
    case = SUITE["one-task"]
    phi = np.array([[0.5, -1.0, 2.0]])
    got = along_axes(lambda c, p: p**2 * np.array([1.0, 2.0, 3.0]), case, phi)
    assert_allclose(got[0], np.diag([1.0, -4.0, 12.0]), rtol=1e-14)
    mixed = along_axes(lambda c, p: p[:, :1] * p, case, phi)
    assert_allclose(mixed[0], [[1.0, 0, 0], [-1.0, 0.5, 0], [2.0, 0, 0.5]], rtol=1e-14)


def test_exact_solutions_solve_exactly():
    A, b = SUITE["spd-1e6"].A, SUITE["spd-1e6"].b
    x = exact_solution(A, b)
    for row, right in zip(A.tolist(), b.tolist(), strict=True):
        residual = sum(Fraction(a) * Fraction(c) for a, c in zip(row, x, strict=True))
        scale = sum(abs(a * c) for a, c in zip(row, x, strict=True))
        assert abs(float(residual - Fraction(right))) <= 2.0**-52 * scale


def test_congruent_matrices_have_the_signs_of_their_diagonal():
    A = congruent(Grid(1), 5, np.array([1.0, -2, 3, 4, -5]))
    assert (np.linalg.eigvalsh(A) < 0).sum() == 2
    assert_allclose(A, A.T)


@pytest.mark.parametrize("name", NETS)
def test_a_network_as_plain_data_is_the_network(name):
    case = SUITE[name]
    net = built(case.network)
    assert described(net) == case.network
    places = tensors(net)
    assert [t.name for t in places] == list(net.layout.names)
    assert [t.where for t in places] == list(net.layout.slices)
    for tensor in places:
        assert len(tensor.axes) == len(tensor.shape)


def test_plain_data_of_an_unknown_layer_are_refused():
    layer = {"name": "odd", "type": "Dropout"}
    with pytest.raises(ValueError, match="layer odd is of unknown type 'Dropout'"):
        built({"input_shape": [3], "layers": [layer]})


@pytest.mark.parametrize("subject", [Computation(), Engine()])
def test_a_phi_that_is_no_solution_is_refused(subject):
    case = SUITE["not-stationary"]
    with pytest.raises(Refused, match="φ is not stationary"):
        subject.meta_grad(case, case.solution)
    at = SUITE["mlp-tanh"]
    assert subject.meta_grad(at, at.solution).shape == at.theta.shape


@pytest.mark.parametrize("subject", [Computation(), Engine()])
def test_an_indefinite_operator_is_refused(subject):
    case = SUITE["saddle"]
    with pytest.raises(ArithmeticError, match="not positive definite"):
        subject.meta_grad(case, case.solution)
    with pytest.raises(Refused, match="not positive definite"):
        subject.solve(SUITE["indefinite"].A, SUITE["indefinite"].b)


def test_a_solution_is_stationary_and_another_theta_has_another():
    case = SUITE["conv-norm-tanh"]
    subject = Computation()
    for c in (case, case.at(case.theta * 0.75)):
        phi = subject.solution(c)
        assert np.abs(subject.inner_gradient(c, phi)).max() < 1e-13
    assert np.abs(phi - case.solution).max() > 1e-3


def test_a_case_in_single_precision_keeps_its_labels():
    case = SUITE["mlp-tanh"].astype("float32")
    assert case.theta.dtype == case.tasks.support_x.dtype == np.float32
    assert case.tasks.support_y.dtype == np.int64
    assert isinstance(replace(case).lam, float)
