"""What an adapter computes is not the user's; what it hands over is, in any layout."""

from dataclasses import replace

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.conformance import Case, as_text, check, load_suite

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from imaml_ref.conformance.from_torch import from_torch, module_of  # noqa: E402
from tests.helpers import witness_torch as witness  # noqa: E402

SUITE = load_suite()
BY_ADAPTER = "answered by the adapter"
STEPS = {"steps": 3, "step_size": 0.125}


def outcomes(report):
    """Return the outcome of each answer; all cases must agree."""
    found = {}
    for v in report.verdicts:
        assert found.setdefault(v.answer, v.outcome) == v.outcome
    return found


# Whose an answer is.


def test_what_autograd_gives_is_not_counted():
    report = check(from_torch(), cases=["mlp-tanh"], levels=("L1", "L2"))
    assert set(outcomes(report).values()) == {BY_ADAPTER}
    assert not report.passed
    text = as_text(report)
    assert "0 passed, 0 failed" in text
    assert text.endswith("; 4 answered by the adapter, not counted")


def test_a_forward_pass_and_products_of_ones_own_are_counted():
    mine = from_torch(module_of, hvp=lambda task, v: from_torch().product(task, v))
    report = check(mine, cases=["mlp-tanh"], levels=("L1", "L2"))
    assert outcomes(report) == {
        "loss": "pass",
        "grad": BY_ADAPTER,
        "hvp": "pass",
        "gnvp": BY_ADAPTER,
    }
    assert report.passed


def test_some_methods_of_an_adapter_stay_the_adapters():
    class Some:
        hvp = from_torch().hvp

    report = check(Some(), cases=["mlp-tanh"], levels="L2")
    assert outcomes(report) == {"hvp": BY_ADAPTER, "gnvp": "not attempted"}


class OwnNet(nn.Module):
    """The network of conv-norm-tanh, flattened as images are in NumPy."""

    def __init__(self, activation=torch.tanh):
        super().__init__()
        self.features = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.classifier = nn.Linear(8, 5)
        self.activation = activation

    def forward(self, x):
        x = nn.functional.avg_pool2d(self.activation(self.norm(self.features(x))), 2)
        return self.classifier(x.permute(0, 2, 3, 1).flatten(1))


def test_a_failure_of_what_the_adapter_computed_says_so():
    report = check(from_torch(OwnNet(torch.relu)), cases=["more-queries"], levels="L1")
    loss, grad = report.verdicts
    assert (loss.outcome, grad.outcome) == ("fail", "fail")
    assert "adapter" not in loss.message
    assert grad.message == (
        "computed by the adapter, from a model of yours, by autograd of PyTorch"
    )
    assert report.notes == ()


def test_a_module_that_flattens_in_the_other_order_is_recognised():
    mine = from_torch(OwnNet(), meta_grad=witness.implicit)
    levels = ("L1", "L2", "L4")
    report = check(mine, cases=["more-queries", "conv-norm-tanh"], levels=levels)
    assert {v.outcome for v in report.verdicts} <= {"pass", BY_ADAPTER, "not attempted"}
    (note,) = report.notes
    assert note == (
        "the Module flattens H, W, C, and got its kernels in that order: more-queries, "
        "conv-norm-tanh"
    )
    assert note in as_text(report)


def test_a_module_that_does_not_fit_says_which_tensor_has_which_shape():
    said = "the Module has features.weight of shape (2, 1, 3, 3), mlp-tanh expects (4, "
    fixed = check(from_torch(OwnNet()), cases=["mlp-tanh"], levels="L1")
    made = check(from_torch(lambda case: OwnNet()), cases=["mlp-tanh"], levels="L1")
    assert outcomes(fixed) == {"loss": "not attempted", "grad": "not attempted"}
    assert outcomes(made) == {"loss": "fail", "grad": "fail"}
    assert said in as_text(fixed)
    assert said in as_text(made)

    class Short(nn.Linear):
        def __init__(self):
            super().__init__(4, 3, bias=False)

    short = from_torch(lambda case: Short())
    case = SUITE["logistic"]
    width, ways = case.tensors[0].shape
    found = check(short, cases=["logistic"], levels="L1").verdicts[0].message
    assert (width, ways) == (4, 3) or "expects" in found
    if (width, ways) == (4, 3):
        assert "the Module has no more parameters, logistic expects (3,)" in found


# What a user may show beside the meta-gradient.


def problem(case):
    """Return loss, θ and tasks of a case for the hand-derived routes."""
    criterion = {
        "cross-entropy": ir.SoftmaxCrossEntropy,
        "squared-error": ir.SquaredError,
    }[case.loss]()
    return ir.TaskLoss(case.net, criterion), case.theta, case.tasks


@pytest.mark.parametrize("name", ["mlp-tanh", "conv-lam-vector"])
def test_inner_and_lam_grad_agree_with_the_derivation(name):
    case = SUITE[name]
    mine = from_torch(inner=witness.solution, lam_grad=witness.lam_grad)
    want = ir.implicit_gradient_at(
        *problem(case)[:2], case.solution, case.tasks, lam=case.lam, solver=ir.Dense()
    )
    np.testing.assert_allclose(mine.inner(case), case.solution, rtol=0, atol=1e-10)
    found = mine.lam_grad(case, case.solution)
    assert found.shape == np.shape(case.lam)
    np.testing.assert_allclose(found, want.lam_grad, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        mine.lam_grad(case), want.lam_grad, rtol=1e-8, atol=1e-10
    )


def unrolling(case):
    """Return a case that asks for an unrolled gradient."""
    case = replace(case)
    object.__setattr__(case, "unrolled", STEPS)
    return case


def test_the_unrolled_gradient_agrees_with_the_derivation():
    case = unrolling(SUITE["mlp-tanh"])
    descent = ir.GradientDescent(STEPS["step_size"], STEPS["steps"])
    want = ir.unrolled_gradient(*problem(case), lam=None, inner=descent).grad
    found = from_torch(unrolled_grad=witness.unrolled).unrolled_grad(case)
    np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_lam_grad_is_of_the_precision_that_was_asked_for(dtype):
    case = SUITE["mlp-tanh"].astype(dtype)
    for form in (float, torch.tensor, lambda a: torch.tensor([a])):
        found = from_torch(lam_grad=lambda task, f=form: f(task.lam)).lam_grad(case)
        assert (found.shape, found.dtype) == ((), np.dtype(dtype))
        assert found == np.float32(case.lam)


def test_lam_grad_of_another_shape_is_told_in_one_line():
    wrong = from_torch(lam_grad=lambda task: torch.ones(3))
    with pytest.raises(
        ValueError, match=r"expects a number, as λ is one, got .* \(3,\)"
    ):
        wrong.lam_grad(SUITE["mlp-tanh"])


class Grouped(Case):
    """A case whose tasks come as the first, and then the rest."""

    @property
    def groups(self):
        return tuple(self.part(rows) for rows in (slice(0, 1), slice(1, None)))

    def part(self, rows):
        inputs = {
            k: a if k in ("theta", "lam") else a[rows] for k, a in self.inputs.items()
        }
        return unrolling(Case(**{**vars_of(self), "inputs": inputs}))


def vars_of(case):
    """Return the fields of a case."""
    return {name: getattr(case, name) for name in Case.__dataclass_fields__}


def test_the_tasks_of_all_groups_are_one_list_and_each_counts_once():
    case = unrolling(SUITE["five-tasks"])
    grouped = unrolling(Grouped(**vars_of(case)))
    counted = []
    for mine in (
        from_torch(meta_grad=witness.implicit),
        from_torch(batch_grad=lambda ts: counted.append(len(ts)) or ts[-1].theta),
        from_torch(inner=witness.solution),
        from_torch(lam_grad=witness.lam_grad),
        from_torch(unrolled_grad=witness.unrolled),
    ):
        for name in ("meta_grad", "inner", "lam_grad", "unrolled_grad"):
            if getattr(mine.hooks, name) or (
                name == "meta_grad" and mine.hooks.batch_grad
            ):
                pair = [getattr(mine, name)(c) for c in (case, grouped)]
                np.testing.assert_array_equal(*pair)
    assert counted == [5, 5]
    mine = from_torch(meta_grad=witness.implicit)
    pair = [mine.meta_grad(c, c.solution) for c in (case, grouped)]
    np.testing.assert_array_equal(*pair)


def test_no_outer_step_and_scalar_lambda_are_said_in_one_word():
    mine = from_torch(meta_grad=witness.implicit, outer_step=False, scalar_lam=True)
    report = check(mine, cases=["mlp-tanh", "conv-lam-vector"])
    found = {(v.case, v.level): v for v in report.verdicts if v.answer != "lam_grad"}
    assert found["mlp-tanh", "L6"].message == "no outer_step"
    assert found["conv-lam-vector", "L4"].message == "scalar λ only"
    assert found["mlp-tanh", "L4"].outcome == "pass"
    assert report.count("fail") == 0


def test_an_adapter_takes_refusals_of_the_users():
    class NoMinimum(Exception):
        pass

    def careful(task):
        slope, _ = witness.slope_and_hessian(
            witness.loss_at(task, task.support), witness.flat(task.phi)
        )
        pull = task.lam * (witness.flat(task.phi) - witness.flat(task.theta))
        if (slope + pull).norm() > 1e-6 * pull.norm():
            raise NoMinimum("no minimum")
        return witness.implicit(task)

    for refusals, outcome in (((), "fail"), ((NoMinimum,), "warned")):
        mine = from_torch(meta_grad=careful, refusals=refusals)
        (found,) = check(mine, cases=["not-stationary"]).verdicts
        assert (found.outcome, found.message) == (outcome, "NoMinimum: no minimum")


def test_a_hook_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'metagrad'"):
        from_torch(metagrad=witness.implicit)
