"""``diagnose_at``: mistakes on a user's own problem are found, and nothing else."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imaml_ref import conformance
from imaml_ref.conformance import candidates, own_certificate, own_search
from imaml_ref.conformance.judge import FAIL, PASS
from imaml_ref.conformance.own_problem import judged, problem_of
from imaml_ref.data import TaskBatch
from imaml_ref.inner import GradientDescent
from imaml_ref.layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    Softplus,
    SupportNorm2d,
    Tanh,
)
from imaml_ref.meta_gradients import TaskLoss
from imaml_ref.networks import (
    Network,
    SoftmaxCrossEntropy,
    SquaredError,
    architectures,
)
from imaml_ref.solvers import CG


def batch(rng, shape, outputs, classes, tasks=3, support=5, query=7):
    """Return tasks with normal inputs and labels, or targets."""
    found = []
    for count in (support, query):
        lead = (tasks, count)
        found.append(rng.normal(size=(*lead, *shape)))
        y = rng.integers(0, outputs, lead)
        found.append(y if classes else rng.normal(size=(*lead, outputs)))
    return TaskBatch(*found)


def ridge():
    """Linear, squared error, a λ per parameter."""
    rng = np.random.default_rng(1)
    net = architectures.linear((6,), 2)
    lam = rng.uniform(0.5, 2, net.layout.size)
    tasks = batch(rng, (6,), 2, False)
    return problem_of(TaskLoss(net, SquaredError()), net.init(rng), tasks, lam)


def tanh():
    """Two layers and tanh."""
    rng = np.random.default_rng(2)
    net = architectures.mlp((4,), (5,), 3, activation=Tanh)
    tasks = batch(rng, (4,), 3, True)
    loss = TaskLoss(net, SoftmaxCrossEntropy())
    return problem_of(loss, net.init(rng), tasks, 0.83)


def conv():
    """A convolution with batch normalisation."""
    rng = np.random.default_rng(3)
    layers = {
        "conv": Conv2d(1, 3, stride=(2, 2), padding=(1, 1)),
        "norm": BatchNorm2d(3),
        "softplus": Softplus(),
        "flatten": Flatten(),
        "head": Linear(48, 3),
    }
    net = Network(layers, (8, 8, 1))
    tasks = batch(rng, (8, 8, 1), 3, True, tasks=2, support=6)
    loss = TaskLoss(net, SoftmaxCrossEntropy())
    return problem_of(loss, net.init(rng), tasks, 3.1)


PROBLEMS = {p.__name__: p() for p in (ridge, tanh, conv)}


def at_star(own):
    """Return (5) at φ*."""
    phi, _ = own.once("star", own.solution)
    return own.once(phi.tobytes(), lambda: own.at(phi))


def solved(own, b=None, c=1.0, scale=1.0, shift=0.0):
    """Return Λ (c H + scale Λ + shift I)⁻¹ b at φ*, (T, P), dense."""
    at, lam = at_star(own), own.lam * np.ones(len(own.theta))
    A = own.once("A", lambda: own.matrix(at.phi)) - np.diag(lam)
    A = c * A + np.diag(scale * lam + shift)
    b = at.v if b is None else b
    return lam * np.linalg.solve(A, b[..., None])[..., 0]


def cg_steps(own, k):
    """Return Λ x of k steps of the package's CG."""
    at = at_star(own)
    x, _ = CG(maxiter=k, rtol=0.0).solve(lambda p: at.lin.hvp(p) + own.lam * p, at.v)
    return own.lam * x


def clipped(g, share):
    """Return g_t clipped to a share of the median norm."""
    size = np.linalg.norm(g, axis=1, keepdims=True)
    return g * np.minimum(1, share * np.median(size) / size)


def series(own, terms):
    """Return Λ x of a Neumann series whose step is all but too long."""
    at = at_star(own)
    A = own.once("A", lambda: own.matrix(at.phi))
    step, x, term = 1.9 / np.linalg.eigvalsh(A).max(), 0.0, at.v
    for _ in range(terms):
        x, term = x + term, term - step * (at.lin.hvp(term) + own.lam * term)
    return own.lam * step * x


# Meta-gradients (T, P), and a name and a word that the diagnosis must hold.
MISTAKES = {
    "damping": (lambda o: solved(o, shift=0.0371), "damped", "0.0371 I"),
    "strength": (lambda o: solved(o, scale=1.7), "strength-times", "1.7 "),
    "curvature": (lambda o: solved(o, c=1.37), "curvature-times", "1.37 H"),
    "steps": (lambda o: cg_steps(o, 7), "cg-steps", "7 steps"),
    "first order": (lambda o: at_star(o).v, "first-order", "g = v"),
    "left out": (lambda o: solved(o) / o.lam, "lam-not-multiplied", "not multiplied"),
    "divided": (lambda o: solved(o) / len(o.tasks), "sum", "g"),
    "in v": (
        lambda o: solved(o, at_star(o).v + 0.23 * at_star(o).lin.grad),
        "support-gradient-in-v", "0.23",
    ),
    "clipped": (lambda o: clipped(solved(o), 0.9), "clipped-task-by-task", "norm"),
    # All of them are: the norm could be taken for a factor in front.
    "v clipped": (
        lambda o: solved(o, clipped(at_star(o).v, 0.3)), "v-clipped", "to the norm",
    ),
    "series": (lambda o: series(o, 6), "neumann", "6 terms"),
}  # fmt: skip
SOME = [("ridge", m) for m in ("strength", "left out")]
SOME += [("tanh", m) for m in MISTAKES if m != "clipped"] + [
    ("conv", "damping"),
    ("conv", "curvature"),
]


def first(found):
    """Return the one diagnosis."""
    (only,) = found.diagnoses
    return only


@pytest.mark.parametrize(("name", "mistake"), SOME)
def test_a_planted_mistake_is_named_with_its_number(name, mistake):
    own, (make, family, word) = PROBLEMS[name], MISTAKES[mistake]
    found = judged(own, {"phi": at_star(own).phi, "meta_grad": make(own).mean(0)})
    assert family in first(found).names, str(found)
    assert word in first(found).what
    assert min(found.certified.values()) > 9, str(found)


def test_it_says_that_one_problem_does_not_tell_steps_from_a_tolerance():
    own = PROBLEMS["tanh"]
    for g, said in ((cg_steps(own, 7), True), (solved(own, scale=1.7), False)):
        found = judged(own, {"phi": at_star(own).phi, "meta_grad": g.mean(0)})
        assert ("may end alike" in first(found).what) == said, str(found)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("given_phi", [True, False])
def test_what_is_right_passes(name, given_phi):
    own = PROBLEMS[name]
    at = at_star(own)
    each = -at.x * (at.phi - own.theta)
    of_lam = each.mean(0) if np.ndim(own.lam) else each.sum(1).mean()
    mine = {"meta_grad": solved(own).mean(0), "lam_grad": of_lam, "v": at.v}
    mine |= {"grad": at.lin.grad, "loss": at.lin.value, "direction": own.theta}
    mine["hvp"] = at.lin.hvp(np.tile(own.theta, (len(at.v), 1)))
    found = judged(own, mine | ({"phi": at.phi} if given_phi else {}))
    assert found.report.passed, str(found)
    assert not found.diagnoses
    assert len(found.report.verdicts) == 6 + given_phi


def test_noise_of_a_millionth_gets_no_name(monkeypatch):
    monkeypatch.setattr(candidates, "SECONDS", 5.0)  # what is not named in 5 s is not
    own, rng = PROBLEMS["tanh"], np.random.default_rng(0)
    g = solved(own).mean(0)
    g = g * (1 + 1e-6 * rng.normal(size=g.shape))
    found = judged(own, {"meta_grad": g})
    assert found.report.count(FAIL) == 1
    assert not first(found).names, str(found)


@pytest.mark.thorough
def test_an_inner_loop_of_five_steps_is_told_from_the_formula():
    own = replace(PROBLEMS["tanh"], lam=2.5)
    loop = GradientDescent(0.137, 5)
    phi = loop.solve(own.objective, own.theta)
    g = own.lam * own.at(phi).x.mean(0)
    found = judged(own, {"phi": phi, "meta_grad": g})
    outcomes = {v.answer: v.outcome for v in found.report.verdicts}
    assert outcomes == {"inner": FAIL, "meta_grad": PASS}, str(found)
    assert "inner-steps" in first(found).names, str(found)
    assert "5 steps of gradient descent of size 0.137" in first(found).what
    assert "the inner loop is where to look" in first(found).what
    assert found.at_solution < 3 < 12 < found.certified["(5) at your φ"]


def test_a_saddle_is_refused():
    own = replace(PROBLEMS["tanh"], lam=1e-3)
    phi = np.tile(own.theta, (3, 1))
    found = judged(own, {"phi": phi, "meta_grad": own.theta})
    assert "no minimum" in found.refused["(5) at your φ"]
    assert not [v for v in found.report.verdicts if v.answer == "meta_grad"]
    assert "Refused" in str(found)


@pytest.fixture(name="as_if_large")
def make_it_large(monkeypatch):
    """No matrix is made: what is large is treated so."""
    monkeypatch.setattr(own_certificate, "DENSE", 10)
    monkeypatch.setattr(own_search, "DENSE", 10)


WITH_PRODUCTS = ("damping", "curvature", "steps", "in v")


@pytest.mark.parametrize("mistake", WITH_PRODUCTS)
def test_products_with_h_suffice(as_if_large, mistake):
    own = replace(PROBLEMS["tanh"])
    make, family, word = MISTAKES[mistake]
    g = make(PROBLEMS["tanh"]).mean(0)
    found = judged(own, {"phi": at_star(own).phi, "meta_grad": g})
    assert family in first(found).names, str(found)
    assert word in first(found).what
    assert found.not_tried


def test_errors_name_the_array():
    own = PROBLEMS["tanh"]
    for mine, word in (
        ({"meta_grad": own.theta[1:]}, "meta_grad expects"),
        ({"meta_gradient": own.theta}, "got meta_gradient"),
        ({"hvp": at_star(own).phi}, "together"),
        ({}, "got none"),
    ):
        with pytest.raises(ValueError, match=word):
            judged(own, mine)
    with pytest.raises(ValueError, match="lam must be > 0"):
        conformance.diagnose_at({}, own.loss, own.theta, own.tasks, lam=-1.0)
    net = Network({"norm": SupportNorm2d(2), "flatten": Flatten()}, (3, 4, 2))
    loss = TaskLoss(net, own.loss.loss)
    with pytest.raises(TypeError, match="no network that looks at the support set"):
        conformance.diagnose_at({}, loss, own.theta, own.tasks)
    with pytest.raises(TypeError, match="TaskBatch"):
        conformance.diagnose_at({}, own.loss, own.theta, [own.tasks])


def test_the_example_of_the_page_runs(capsys):
    page = Path(__file__).parents[2] / "docs" / "diagnose-at.md"
    _, code, _ = re.split(r"```(?:python)?\n", page.read_text(encoding="utf-8"))
    exec(code, {})
    said = capsys.readouterr().out
    assert "damped" in said
    assert "0.0371 I" in said
