"""The table of witnesses: it passes, it is complete, and it notices mistakes."""

import json

import numpy as np
import pytest

from imaml_ref import layers, verify
from imaml_ref.compute.backend import to_device
from imaml_ref.inner import GradientDescent, NewtonCG
from imaml_ref.layers import Tanh
from imaml_ref.meta_gradients import unrolled
from imaml_ref.meta_gradients.estimators import Estimate, Implicit
from imaml_ref.meta_gradients.partial import PartialLinearization
from imaml_ref.verify import Row, meta_gradients, strongly_convex
from imaml_ref.verify.convergence import convergence_rows
from imaml_ref.verify.layers import LAYERS, layer_rows, loss_rows
from imaml_ref.verify.quadratics import quadratic_rows
from imaml_ref.verify.rational import exact, solve
from imaml_ref.verify.rows import make_setting
from imaml_ref.verify.solvers import solver_rows
from imaml_ref.verify.variants import variant_rows

QUICK = make_setting(quick=True, device="cpu", dtype="float64")


@pytest.fixture(scope="module")
def rows():
    return verify.run(quick=True)


def test_every_check_passes_in_float64(rows):
    assert [row for row in rows if not row.passed] == []


def test_float32_passes_with_requirements_of_its_own():
    single = make_setting(quick=True, device="cpu", dtype="float32")
    problem = meta_gradients.tanh_problem()
    found = [
        row
        for part in (layer_rows, loss_rows, solver_rows, quadratic_rows)
        for row in part(single)
    ]
    found += meta_gradients.dense_rows(single, problem)
    found += meta_gradients.unrolled_rows(single, problem, 16)
    found += variant_rows(single)
    assert [row for row in found if not row.passed] == []
    assert max(r.digits for r in found if "dense solve" in r.witness) < 9


def test_every_layer_is_in_the_table(rows):
    kinds = {type(layer).__name__ for _, layer, _ in LAYERS}
    named = [getattr(layers, name) for name in layers.__all__]
    layer_kinds = {
        k.__name__ for k in named if isinstance(k, type) and issubclass(k, layers.Layer)
    }
    assert kinds == layer_kinds - {"Layer"}
    assert {name for name, *_ in LAYERS} <= {row.part for row in rows}


@pytest.mark.parametrize(
    ("words", "least"),
    [
        ("derivative of vjp", 12),
        ("Hessian product", 12),
        ("dense solve", 10),
        ("closed form", 12),
        ("fractions", 13),
        ("unrolled, K", 6),
        ("implicit, K = 100", 6),
        ("unrolled → implicit", 1),
        ("Adam", 8),
        ("Newton-CG", 8),
        ("L-BFGS", 8),
        ("momentum", 8),
        ("gradient descent", 8),
        ("gradient in λ", 6),
        ("scipy", 11),
        ("bound", 16),
    ],
)
def test_the_requirements_are_those_promised(rows, words, least):
    found = [row for row in rows if words in row.claim + row.witness]
    assert found
    assert min(row.required for row in found) == least


def test_steps_of_unrolled_to_implicit(rows):
    found = [row.claim for row in rows if "unrolled → implicit" in row.claim]
    pairs = ("5 → 20", "20 → 80", "80 → 320")
    assert [any(f"K = {p}:" in claim for claim in found) for p in pairs] == [True] * 3


@pytest.mark.parametrize(
    "problem", [meta_gradients.tanh_problem(), meta_gradients.softplus_problem()]
)
def test_first_order_is_far_from_the_answer(problem):
    inner = problem.inner(problem.long)
    want = problem.dense_solution(inner, problem.lam)
    v = problem.query_gradients(inner).mean(0)
    assert np.linalg.norm(v - want) > 0.2 * np.linalg.norm(want)
    assert problem.contraction(inner) < 0.8


def test_a_wrong_second_derivative_fails(monkeypatch):
    monkeypatch.setattr(Tanh, "bend", lambda self, y, s: 0 * y)
    failed = {row.claim for row in layer_rows(QUICK) if not row.passed}
    assert failed == {"jvp: derivative of forward"}


def spoil(self, at, v):
    """H + 2λI, multiplied back with λ: the factor that is lost or doubled."""
    x, info = self.solver.solve(lambda p: at.hvp(p) + at.lam * p, v)
    return Estimate(at.lam * x, x, info)


def test_a_wrong_operator_fails(monkeypatch):
    monkeypatch.setattr(Implicit, "estimate", spoil)
    found = list(quadratic_rows(QUICK))
    failed = {row.claim for row in found if not row.passed}
    assert {"meta-gradient, scalar λ", "meta-gradient"} <= failed
    assert "φ*, scalar λ" not in failed


def test_an_unrolled_gradient_without_its_proximal_term_fails(monkeypatch):
    def forgetful(objective, iterates, alpha, slope, first):
        v = slope(len(iterates) - 1)
        for phi in reversed(iterates[:-1]):
            v = v - alpha * objective.linearize(phi).support.hvp(v)
        return v, 0 * v, 0 * v

    monkeypatch.setattr(unrolled, "adjoint", forgetful)
    problem = meta_gradients.tanh_problem()
    found = list(meta_gradients.unrolled_rows(QUICK, problem, 4))
    assert [row.passed for row in found] == [False, False]


def test_layers_that_stay_without_their_way_through_phi_fail(monkeypatch):
    def short(self, x, curvature, v):
        return np.where(self.objective.mask, self.lam * x, v)

    monkeypatch.setattr(PartialLinearization, "pulled_back", short)
    failed = [row.claim for row in variant_rows(QUICK) if not row.passed]
    assert failed == ["implicit, head only"]


def test_an_inner_solver_that_stops_early_fails(monkeypatch):
    stopped = {"momentum": GradientDescent(0.25, 10), "Newton-CG": NewtonCG(12, 24)}
    monkeypatch.setattr(strongly_convex, "INNER", stopped)
    theta = np.random.default_rng(1).normal(size=strongly_convex.SIZE)
    found = strongly_convex.inner_rows(QUICK, strongly_convex.random_tasks(), theta)
    failed = [row.claim for row in found if not row.passed]
    assert failed == ["meta-gradient after momentum"]


def test_a_slope_that_is_not_the_contraction_fails():
    want = np.ones(3)
    right = list(convergence_rows(QUICK, "", lambda k: want + 0.9**k, want, 0.9))
    wrong = list(convergence_rows(QUICK, "", lambda k: want + 0.9**k, want, 0.92))
    assert [row.passed for row in right] == [True] * 2  # then comes rounding
    assert [row.passed for row in wrong] == [False] * 2


def test_rational_elimination_is_exact():
    A, b = exact([[2.5, 1, 0], [1, 3.5, 1], [0, 1, 4.5]]), exact([1, 2, 3])
    assert (A @ solve(A, b) == b).all()


ROWS = [
    Row("CG", "A x = b", "LAPACK", 14.25, 10),
    Row("CG", "iterates", "SciPy", 3.0, 10),
]


def test_text_is_aligned_and_says_what_failed():
    head, first, second, last = verify.as_text(ROWS).splitlines()
    assert head.split() == ["part", "claim", "witness", "digits", "required"]
    assert first.endswith("14.2        10  pass")
    assert second.endswith("3.0        10  FAIL")
    assert last == "1 of 2 checks passed"


def test_table_has_a_heading_for_each_part():
    table = verify.as_table(ROWS)
    assert [list(column.cells) for column in table.columns][:3] == [
        ["CG", "  A x = b", "  iterates"],
        ["", "LAPACK", "SciPy"],
        ["", "14.2", "3.0"],
    ]
    assert table.rows[2].style == "bold red"


def test_json_can_be_read_back():
    document = json.loads(verify.as_json(ROWS))
    assert document["passed"] is False
    assert document["rows"][1] == {
        "part": "CG",
        "claim": "iterates",
        "witness": "SciPy",
        "digits": 3.0,
        "required": 10,
        "passed": False,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "device must be one of cpu, cuda, got 'tpu'"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64, got 'float16'"),
    ],
)
def test_what_cannot_be_had_is_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        verify.rows(**options)


def test_a_missing_gpu_is_named():
    try:
        to_device(np.zeros(1))
    except RuntimeError:
        with pytest.raises(RuntimeError, match=r"CuPy|CUDA"):
            verify.rows(device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_check_passes_on_the_gpu(dtype):
    try:
        to_device(np.zeros(1))
    except RuntimeError as error:
        pytest.skip(str(error))
    found = verify.run(quick=True, device="cuda", dtype=dtype)
    assert [row for row in found if not row.passed] == []
