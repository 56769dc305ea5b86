"""PyTorch agrees with the certified answers, and its adapter tells right from wrong."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imaml_ref import conformance

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from imaml_ref.conformance.from_torch import from_torch, module_of  # noqa: E402
from tests.helpers.witness_torch import (  # noqa: E402
    flat,
    implicit,
    loss_at,
    slope_and_hessian,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "conformance_torch.py"
SUITE = conformance.load_suite()
BY_ADAPTER = "answered by the adapter"
BELOW = ("L1", "L2", "L4")  # φ is given
FEW = ["mlp-tanh", "conv-norm-tanh"]


def outcomes(report, *levels):
    """Return the set of outcomes at some levels."""
    return {v.outcome for v in report.verdicts if v.level in levels}


def of_meta_grad(report, *levels):
    """Return the set of outcomes of the meta-gradient at some levels."""
    found = [v for v in report.verdicts if v.answer == "meta_grad"]
    return {v.outcome for v in found if v.level in levels}


def halved(task):
    """Return (5) with λ/2 for λ in the system."""
    theta, lam = flat(task.theta), flat(task.lam)
    _, H = slope_and_hessian(loss_at(task, task.support), flat(task.phi))
    A = H + lam / 2 * torch.eye(len(theta), dtype=theta.dtype)
    return lam * torch.linalg.solve(A, first_order(task))


def first_order(task):
    """Return ∇Q: no solve."""
    point = flat(task.phi).requires_grad_()
    return torch.autograd.grad(loss_at(task, task.query)(point), point)[0]


@pytest.mark.parametrize("wrong", [halved, first_order])
def test_a_wrong_meta_gradient_fails_and_what_is_right_passes(wrong):
    mine = from_torch(meta_grad=wrong)
    report = conformance.check(mine, cases=FEW, levels=BELOW)
    assert outcomes(report, "L1", "L2") == {BY_ADAPTER}
    assert of_meta_grad(report, "L4") == {"fail"}


class OwnNet(nn.Module):
    """The network of conv-norm-tanh as one writes it, running statistics and all."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.classifier = nn.Linear(8, 5)

    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.tanh(self.norm(self.features(x))), 2)
        return self.classifier(x.flatten(1))


def with_named_parameters(task):
    """Return (5) by the names of the user."""
    found, sizes = implicit(task), [a.numel() for a in task.theta.values()]
    pieces = zip(task.theta.items(), found.split(sizes), strict=True)
    return {name: piece.view_as(a) for (name, a), piece in pieces}


FORMS = {
    "vector": implicit,
    "names": with_named_parameters,
    "order": lambda task: list(with_named_parameters(task).values()),
}


@pytest.mark.parametrize("mine", FORMS.values(), ids=FORMS)
def test_a_module_of_ones_own_passes_however_the_gradient_is_returned(mine):
    report = conformance.check(
        from_torch(OwnNet(), meta_grad=mine), cases=["more-queries"], levels=BELOW
    )
    assert outcomes(report, "L1") == {"pass", BY_ADAPTER}
    assert of_meta_grad(report, "L4") == {"pass"}


def test_a_module_is_not_asked_for_other_networks():
    report = conformance.check(from_torch(OwnNet()), cases=["mlp-tanh", "duplicates"])
    assert outcomes(report, "L1") == {"not attempted", "pass", BY_ADAPTER}
    assert all(v.got is None for v in report.verdicts if v.case == "mlp-tanh")


def test_a_loss_that_is_not_given_is_not_attempted():
    mine = from_torch(losses={"cross-entropy": nn.functional.cross_entropy})
    report = conformance.check(mine, cases=["ridge", "logistic"])
    assert all(v.got is None for v in report.verdicts if v.case == "ridge")
    assert outcomes(report, "L1", "L2") == {"not attempted", BY_ADAPTER}


def test_columns_after_flatten_are_put_in_order():
    case = SUITE["conv-norm-tanh"]
    ours = case.unpack(case.phi[0])["head.kernel"].reshape(2, 2, 2, 5)
    theirs = from_torch().params(case, case.phi[0])["head.weight"].reshape(5, 2, 2, 2)
    np.testing.assert_array_equal(theirs.numpy(), ours.transpose(3, 2, 0, 1))


@pytest.mark.parametrize("name", ["ridge", "strided-relu", "conv-global"])
def test_parameters_come_back_as_they_went(name):
    case, adapter = SUITE[name], from_torch()
    there = adapter.params(case, case.phi[0])
    np.testing.assert_array_equal(adapter.flat(case, there), case.phi[0])


def test_what_a_task_changes_in_its_module_stays_there():
    shared = module_of(SUITE["mlp-tanh"])

    def careless(task):
        found = implicit(task)
        with torch.no_grad():
            for a in task.model.parameters():
                a.zero_()
        return found

    mine = from_torch(lambda case: shared, meta_grad=careless)
    report = conformance.check(mine, cases=FEW[:1], levels=BELOW)
    assert outcomes(report, "L1", "L2") == {"pass", BY_ADAPTER}
    assert of_meta_grad(report, "L4") == {"pass"}


def test_the_mean_over_tasks_may_be_the_users():
    def summed(tasks):
        return sum(map(implicit, tasks))

    right = from_torch(batch_grad=lambda tasks: summed(tasks) / len(tasks))
    report = conformance.check(right, cases=["five-tasks"], levels="L4")
    assert of_meta_grad(report, "L4") == {"pass"}
    report = conformance.check(
        from_torch(batch_grad=summed), cases=["five-tasks"], levels="L4"
    )
    (ratio,) = [v.agreement.ratio for v in report.verdicts if v.answer == "meta_grad"]
    assert ratio == pytest.approx(5)


def test_products_of_ones_own_are_asked():
    def doubled(task, v):
        slope = torch.autograd.grad(
            task.loss(task.model(task.support[0]), task.support[1]),
            list(task.model.parameters()),
            create_graph=True,
        )
        inner = sum((s * a).sum() for s, a in zip(slope, v.values(), strict=True))
        return torch.autograd.grad(2 * inner, list(task.model.parameters()))

    report = conformance.check(from_torch(hvp=doubled), cases=FEW, levels="L2")
    found = {v.agreement.ratio for v in report.verdicts if v.answer == "hvp"}
    np.testing.assert_allclose(list(found), 2)


def test_a_solver_of_ones_own_is_asked():
    solve = torch.linalg.solve
    report = conformance.check(from_torch(solve=solve), cases=["spd-1e6", "indefinite"])
    assert [v.outcome for v in report.verdicts] == ["pass", "did not warn"]


def test_float32_stays_float32():
    report = conformance.check(from_torch(), cases=FEW, dtype="float32")
    assert outcomes(report, "L1", "L2") == {BY_ADAPTER}
    assert {v.got.dtype for v in report.verdicts if v.got is not None} == {
        np.dtype("float32")
    }


def test_a_gradient_of_another_form_is_told_in_one_line():
    def short(task):
        return {k: a for k, a in task.theta.items() if k != "head.bias"}

    def turned(task):
        return {k: a.T for k, a in task.theta.items()}

    for mine, text in (
        (short, "missing parameter head.bias"),
        (turned, "linear1.weight expects shape (4, 3), got (3, 4)"),
    ):
        report = conformance.check(
            from_torch(meta_grad=mine), cases=FEW[:1], levels="L4"
        )
        found, _ = report.of("mlp-tanh", "L4")
        assert found.outcome == "fail"
        assert text in found.message


def test_the_code_on_the_first_page_runs_and_fails_where_it_says():
    page = EXAMPLE.parents[1] / "docs" / "conformance.md"
    _, _, code = page.read_text("utf-8").partition("```python\n")
    code, _, _ = code.partition("```")
    assert code.count('levels=("L4",)') == 1
    scope = {}
    exec(code.replace('levels=("L4",)', 'levels=("L4",), cases=["ridge"]'), scope)
    assert scope["report"].count("fail") >= 1
    assert "first-order" in scope["report"].diagnoses[0].text


def run_the_example(*arguments):
    """Return what the example prints.

    Raises:
        AssertionError: If it fails, with what it said.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.thorough
def test_the_example_passes_and_warns():
    out = run_the_example()
    assert " 0 failed" in out
    assert "2 warned, 0 did not" in out
    assert "Diagnosis" not in out


def test_the_mistake_in_the_example_fails_and_is_named():
    out = run_the_example("--mistake")
    assert " 9 failed" in out
    assert "this is what you get with lam-not-multiplied" in " ".join(out.split())


def test_nothing_of_ours_imports_torch_unasked():
    code = "import imaml_ref.conformance, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
