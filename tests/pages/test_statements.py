"""What docs/mathematics.md says in words, computed: sections 3 and 5 to 8.

Inequalities where rounding decides digits.  A claim that something "can happen" is one
example of it.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.layers import Tanh
from tests.helpers.meta_oracles import dense_answer, hessian, newton
from tests.helpers.oracles import dense
from tests.helpers.problems import PROBLEMS, curved, make_problem
from tests.helpers.systems import (
    indefinite,
    positive_definite,
    product_of,
    solution,
    symmetric,
)

EPS32 = 2.0**-23


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


# Section 3


def first_step(rule, grad):
    theta = np.zeros_like(grad)
    return rule.step(theta, grad, rule.init(theta))[0]


def test_section_3_adam_hides_a_constant_factor_only_where_eps_is_small():
    """Of g and g/2, the λ = 2 that was forgotten, at gradients of the size 1e-3."""
    g = 1e-3 * np.random.default_rng(0).uniform(0.5, 1, 7)
    hidden, shown = ir.Adam(0.1, eps=1e-9), ir.Adam(0.1, eps=1e-3)
    assert_allclose(first_step(hidden, g), first_step(hidden, g / 2), rtol=1e-4)
    ratio = first_step(shown, g) / first_step(shown, g / 2)
    assert (ratio > 1.3).all()


def test_section_3_g_is_longer_than_v_along_negative_curvature():
    A, v = np.diag([-0.5, 3.0]) + np.eye(2), np.array([1.0, 1.0])
    down, up = np.linalg.solve(A, v)
    assert down > 1 > up > 0


# Section 5


def few_examples():
    """Three examples of six features: most directions of H are null."""
    net = ir.architectures.linear((6,), 3)
    return make_problem(
        net, ir.SquaredError(), lam=0.05, step_size=0.1, support=3, query=5
    )


def test_section_5_null_directions_have_no_error_so_log_rho_is_an_upper_bound():
    problem = few_examples()
    tasks, options = problem.tasks, {"lam": problem.lam}
    flat = np.tile(problem.theta, (len(tasks), 1))
    H = hessian(problem.loss, flat, tasks.support_x, tasks.support_y)
    h = np.linalg.eigvalsh(H)
    rho = np.abs(1 - problem.step_size * (h + problem.lam)).max()
    assert_allclose(rho, 1 - problem.step_size * problem.lam, rtol=1e-12)
    star = dense_answer(problem, newton(problem, steps=3))[0].mean(0)
    errors = [
        np.linalg.norm(
            ir.unrolled_gradient(
                problem.loss,
                problem.theta,
                tasks,
                inner=problem.descent(num_steps),
                **options,
            ).grad
            - star
        )
        for num_steps in (50, 100)
    ]
    slope = np.log(errors[1] / errors[0]) / 50
    others = np.abs(1 - problem.step_size * (h[h > 1e-9] + problem.lam)).max()
    assert slope < 3 * np.log(rho)
    assert_allclose(slope, np.log(others), rtol=0.1)


@pytest.mark.parametrize("terms", [1, 2, 4, 7])
def test_section_5_cg_is_never_behind_the_neumann_series(terms):
    A, b = positive_definite()
    alpha = 1 / np.linalg.eigvalsh(A).max(1)[:, None]
    series, term = np.zeros_like(b), alpha * b
    for _ in range(terms):
        series, term = series + term, term - alpha * product_of(A)(term)
    x, _ = ir.cg_batched(product_of(A), b, rtol=0.0, maxiter=terms)
    assert (energy(A, x, b) <= energy(A, series, b) * (1 + 1e-9)).all()


def energy(A, x, b):
    """Return the A-norm of the error of x, (T,)."""
    e = x - solution(A, b)
    return np.sqrt((e * product_of(A)(e)).sum(-1))


# Section 6


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_section_6_the_error_of_cg_falls_at_least_by_the_rate_of_kappa(steps):
    A, b = positive_definite(conditions := (3.0, 30.0, 8.0))
    root = np.sqrt(conditions)
    x, _ = ir.cg_batched(product_of(A), b, rtol=0.0, maxiter=steps)
    bound = 2 * ((root - 1) / (root + 1)) ** steps * energy(A, 0 * b, b)
    assert (energy(A, x, b) <= bound + 1e-12).all()


@pytest.mark.parametrize("name", ["softmax_regression", "ridge", "batch_normed-lam"])
def test_section_6_one_step_is_first_order_task_by_task_but_not_in_the_mean(name):
    problem = PROBLEMS[name]
    out = ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam / 10,
        inner=problem.descent(8),
        solver=ir.CG(1),
        keep=("phi", "task_grads"),
    )
    tasks = problem.tasks
    v = problem.loss.linearize(out.phi, tasks.query_x, tasks.query_y).grad
    for g_t, v_t in zip(out.task_grads, v, strict=True):
        assert abs(cosine(g_t, v_t)) > 1 - 1e-12
    assert cosine(out.grad, v.mean(0)) < 0.99


def test_section_6_one_step_points_against_v_where_its_curvature_is_negative():
    A, _ = indefinite()
    v = np.linalg.eigh(A[0])[1][:, 0]  # with eigenvalue −3
    x, _ = ir.cg_batched(product_of(A), v[None], rtol=0.0, maxiter=1)
    assert_allclose(x[0], v / -3, atol=1e-12)


def nearly_singular():
    """Return 300 systems of condition 5e7 in float32, and their λ_min, all positive."""
    rng = np.random.default_rng(0)
    spectrum = np.linspace(1, 5e7, 11) / 5e7
    A = np.stack([symmetric(spectrum, rng) for _ in range(300)]).astype("f")
    least = np.linalg.eigvalsh(A.astype(float))[:, 0]
    assert (least > 0).all()
    return A, rng.normal(size=(300, 11)).astype("f"), least


def test_section_6_rounding_puts_ritz_values_below_lam_min_and_below_zero():
    A, b, least = nearly_singular()
    products = lambda v: (A @ v[..., None])[..., 0]  # noqa: E731
    _, info = ir.CertifiedCG(1e-6, maxiter=400).solve(products, b)
    assert (info.smallest_ritz < least).sum() > 30
    assert (info.smallest_ritz < 0).any()
    assert (info.smallest_ritz < -1e3 * EPS32).any()  # no multiple of ε‖A‖ bounds it
    # 2 P √P ε‖A‖ bounds what a product and a dot of P terms each round.
    rounding = 2 * 11**1.5 * EPS32
    assert (info.smallest_rayleigh > least - rounding).all()
    value, _ = ir.solvers.smallest_eigenvalue(products, b)
    assert (np.abs(value - least) < 11 * rounding).all()


# Section 8


def curvatures(lin, phi):
    """Return the dense H and G of one task, (P, P)."""
    return dense(lin.hvp, phi)[0], dense(lin.gnvp, phi)[0]


def test_section_8_at_an_exact_fit_of_squared_error_h_is_g():
    net = ir.architectures.mlp((3,), (5,), 4, activation=Tanh)
    problem = make_problem(net, ir.SquaredError(), lam=1.0, num_tasks=1)
    phi, x = problem.theta[None], problem.tasks.support_x
    H, G = curvatures(problem.loss.linearize(phi, x, net.logits(phi, x)), phi)
    assert_allclose(H, G, atol=1e-14)
    H, G = curvatures(problem.loss.linearize(phi, x, problem.tasks.support_y), phi)
    assert np.linalg.norm(H - G, 2) > 0.05 * np.linalg.norm(H, 2)


def test_section_8_cross_entropy_fits_in_the_limit_where_h_and_g_vanish_together():
    problem = make_problem(
        curved().loss.net, ir.SoftmaxCrossEntropy(), lam=1.0, num_tasks=1
    )
    tasks = problem.tasks
    plain = ir.ProximalObjective(
        problem.loss, problem.theta, tasks.support_x, tasks.support_y, 0
    )
    phi = ir.GradientDescent(0.5, 1500).solve(plain, problem.theta)
    lin = problem.loss.linearize(phi, tasks.support_x, tasks.support_y)
    H, G = curvatures(lin, phi)
    assert lin.accuracy() == 1
    assert lin.value > 0
    assert np.linalg.norm(H, 2) < 0.05
    assert np.linalg.norm(G, 2) < 0.05
    assert np.linalg.norm(H - G, 2) > 0.05 * np.linalg.norm(H, 2)
    assert np.linalg.eigvalsh(H)[0] < 0 <= np.linalg.eigvalsh(G)[0] + 1e-15
