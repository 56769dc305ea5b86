"""What is said of failing answers: two mistakes, ties, what passes, what is left."""

import numpy as np
import pytest

from imaml_ref.compute.parallel import one_blas_thread
from imaml_ref.conformance import Report, ask, candidates, judge
from imaml_ref.conformance.diagnosis import diagnose
from imaml_ref.conformance.judge import FAIL
from tests.helpers.blind import (
    CASES,
    SMALL,
    diagnoses,
    one_laboratory,
    perturbed,
    report_of,
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with one_blas_thread():
        yield


@pytest.fixture(scope="module", name="laboratory")
def make_laboratory():
    return one_laboratory()


@pytest.fixture(name="rng")
def make_rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("pair", "name", "factor"),
    [
        (("lam-not-multiplied", "curvature-at-theta"), "curvature-at-theta", "1/λ"),
        (("cg-one-step", "tasks-summed"), "cg-steps", "T"),
    ],
)
def test_a_mistake_and_a_factor_are_named(laboratory, rng, pair, name, factor):
    """From meta-gradients alone: nothing tells that each is wrong below."""
    report = report_of(
        laboratory, pair, ["mlp-tanh"], ("L4",), lambda *at: perturbed(*at, rng)
    )
    found = diagnoses(report, laboratory)[0]
    assert name in found.names
    assert found.numbers["factor"] == factor
    assert f"the result comes {factor} times" in found.text


def test_a_common_factor_is_recognised(laboratory):
    report = report_of(laboratory, (), SMALL, ("L4",), lambda c, level, a: 0.3 * a)
    (found,) = diagnoses(report, laboratory)
    assert (found.names, found.numbers) == (("sum",), {"factor": "0.3"})
    assert "What comes is 0.3 · g; right is g." in found.text
    assert len(found.cases) == 3


def test_mistakes_that_give_the_same_numbers_are_tied(laboratory):
    """λ added twice, or contained in H v: the same meta-gradient, another product."""
    report = report_of(laboratory, ("lam-added-twice",), ["mlp-tanh"], ("L4",))
    found = diagnoses(report, laboratory)[0]
    assert found.names == ("lam-added-twice", "hvp-with-lam")
    assert "cannot be told apart here" in found.text


def test_what_passes_decides_between_mistakes(laboratory):
    report = report_of(laboratory, ("lam-added-twice",), ["mlp-tanh"], ("L2", "L4"))
    (found,) = diagnoses(report, laboratory)
    assert found.names == ("lam-added-twice",)


def test_one_explanation_is_told_once_for_all_its_cases(laboratory):
    cases = ["one-example", "mlp-tanh"]
    report = report_of(laboratory, ("tasks-summed",), cases, ("L4",))
    (found,) = diagnoses(report, laboratory)
    assert found.names == ("tasks-summed",)
    assert set(found.cases) == set(cases)


def test_no_name_contradicts_what_an_answer_is_computed_from(laboratory):
    """The loss is right where it is asked for: its sum is not what is wrong above."""
    right = report_of(laboratory, (), ["mlp-tanh"], ("L1", "L2")).verdicts
    wrong = report_of(laboratory, ("loss-sum",), ["mlp-tanh"], ("L4",)).verdicts
    mixed = [v for v in right if v.level < "L4"] + [v for v in wrong if v.level == "L4"]
    found = diagnoses(Report("mixed", tuple(mixed)), laboratory)
    assert found
    assert all("loss-sum" not in d.names for d in found)
    alone = diagnoses(Report("alone", tuple(wrong)), laboratory)
    assert [d.names for d in alone] == [("loss-sum",)]


def test_no_name_contradicts_an_answer_to_the_same_question_that_passes(
    laboratory, monkeypatch
):
    """λ halved, in one case alone: whoever does it does so in the others too."""
    monkeypatch.setattr(candidates, "SECONDS", 5.0)  # what is not named in 5 s is not
    wrong = report_of(laboratory, ("lam-halved",), ["ridge"], ("L4",)).verdicts
    right = report_of(laboratory, (), ["mlp-tanh", "kappa-10"], ("L4",)).verdicts
    found = diagnoses(Report("mixed", wrong + right), laboratory)
    assert all("lam-halved" not in d.names for d in found)


def test_the_paragraph_says_where_what_how_well_and_who_else(laboratory):
    report = report_of(laboratory, ("released-operator",), ["mlp-tanh"], ("L4",))
    (found,) = diagnoses(report, laboratory)
    assert found.text == (
        "L4 lam_grad, L4 meta_grad of mlp-tanh: this is what you get with "
        "released-operator (16.0 digits). ((1 + c) I + H/(λ + d)) g = v with c = 1 "
        "and d = 10 is solved. Found in imaml_dev and files that copy its line."
    )
    assert (found.level, found.answer, found.cases) == (
        "L4",
        "meta_grad",
        ("mlp-tanh",),
    )


def test_swapped_layouts_are_left_to_the_judge(laboratory):
    def swapped(case, level, a):
        if not a.ndim:  # dF/dλ
            return a
        named = case.unpack(a)
        kernel = named["linear1.kernel"]
        named["linear1.kernel"] = kernel.swapaxes(-1, -2).reshape(kernel.shape)
        return case.pack(named)

    report = report_of(laboratory, (), ["mlp-tanh"], ("L4",), swapped)
    assert report.count(FAIL) == 1
    assert diagnoses(report, laboratory) == ()


def test_without_numbers_there_is_nothing_to_diagnose(laboratory):
    report = report_of(laboratory, (), SMALL, ("L4",), lambda c, level, a: np.nan * a)
    assert report.count(FAIL) == 6
    assert diagnoses(report, laboratory) == ()


class HalvedLam:
    """Somebody's own program: dense algebra on what the case holds."""

    def meta_grad(self, case, phi=None):
        if phi is None:
            raise NotImplementedError
        x, y = case.tasks.support_x, case.tasks.support_y
        n, inputs = x.shape[1:]
        rows = np.concatenate([x, np.ones((*x.shape[:2], 1))], 2)
        P, outputs = phi.shape[1], y.shape[-1]
        order = np.r_[: inputs * outputs, inputs * outputs : P]
        query = np.concatenate(
            [case.tasks.query_x, np.ones((*case.tasks.query_x.shape[:2], 1))], 2
        )
        W = phi[:, order].reshape(len(phi), inputs + 1, outputs)
        v = query.swapaxes(1, 2) @ (query @ W - case.tasks.query_y) / query.shape[1]
        H, lam = rows.swapaxes(1, 2) @ rows / n, case.lam / 2
        x = np.linalg.solve(H + lam * np.eye(inputs + 1), v)
        return lam * x.mean(0).ravel()


def test_another_program_is_diagnosed():
    """Without a laboratory, on ridge regression in closed form."""
    cases = [CASES["ridge"], CASES["kappa-10"]]
    report = diagnose(judge(cases, ask(HalvedLam(), cases)), CASES)
    assert [d.names for d in report.diagnoses] == [("lam-halved",)]
    assert report.diagnoses[0].digits > 12


def test_one_factor_everywhere_is_said_so(laboratory):
    """Coincidences explain some cases each; one number explains them all."""
    cases = ["ridge", "mlp-tanh", "lam-small", "one-task", "kappa-10"]

    def halved(case, level, a):
        return a / 2

    report = report_of(laboratory, (), cases, ("L4",), halved)
    (found,) = diagnoses(report, laboratory)
    assert (found.names, found.numbers) == (("sum",), {"factor": "0.5"})
    assert len(found.cases) == 5


def test_single_precision_is_told_from_an_error_that_is_larger(laboratory):
    def rounded(case, level, a):
        return (a * (1 + 1e-4)).astype(np.float32).astype(float)

    report = report_of(laboratory, (), ["mlp-tanh"], ("L4",), rounded)
    found = diagnoses(report, laboratory)
    assert all("single-precision" not in d.names for d in found)
    assert "1.0001 · g" in found[0].text
    single = report_of(
        laboratory,
        (),
        ["mlp-tanh"],
        ("L4",),
        lambda case, level, a: a.astype(np.float32).astype(float),
    )
    (found,) = diagnoses(single, laboratory)
    assert found.names == ("single-precision",)


@pytest.mark.parametrize("size", [1e-8, 1e-6, 1e-3, 0.1])
def test_what_is_nearly_right_gets_no_name(laboratory, rng, monkeypatch, size):
    monkeypatch.setattr(candidates, "SECONDS", 3.0)  # what is not named in 3 s is not
    report = report_of(
        laboratory, (), ["mlp-tanh"], ("L4",), lambda *at: perturbed(*at, rng, size)
    )
    assert report.count(FAIL)
    found = diagnoses(report, laboratory)
    assert all(not d.names for d in found)
    assert ("right to" in found[0].text) == (size < 1e-5)
