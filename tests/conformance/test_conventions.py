"""Answers by another convention are told apart from mistakes, and files by version."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from imaml_ref import conformance
from imaml_ref.conformance.answers import Attempt, version_of
from imaml_ref.conformance.conventions import conventions
from imaml_ref.conformance.judge import CONVENTION, FAIL
from imaml_ref.files import BadFile

SUITE = conformance.load_suite()
OLD = conformance.load_suite(version="1.1")
WHERE = [
    ("relu-at-zero", "slope ½ of ReLU at 0"),
    ("relu-at-zero", "slope 1 of ReLU at 0"),
    ("max-pool-ties", "ties of max-pooling shared evenly"),
    ("unequal-tasks", "tasks weighted by size (query sets)"),
    ("unequal-ridge", "tasks weighted by size (support sets)"),
]


@pytest.mark.parametrize(("name", "convention"), WHERE)
def test_another_convention_is_an_outcome_of_its_own(name, convention):
    case = SUITE[name]
    subject = dict(conventions(case))[convention]
    report = conformance.judge([case], conformance.ask(subject, [case]))
    found = [v for v in report.verdicts if v.outcome == CONVENTION]
    assert found
    assert {v.message for v in found} == {convention}
    assert report.passed
    assert report.count(FAIL) == 0
    assert f"{len(found)} by another convention" in conformance.as_text(report)
    assert f"another convention: {convention}" in conformance.as_text(report)
    assert "another convention" in conformance.as_html(report)


def test_half_way_between_two_conventions_is_a_failure():
    case = SUITE["relu-at-zero"]
    answer = case.answers["L1"]["grad"]
    other = answer.conventions["slope ½ of ReLU at 0"]
    got = {"grad": answer.want + 0.3 * (other - answer.want)}
    report = conformance.judge([case], {(case.name, "L1"): Attempt(got)})
    assert report.count(FAIL) == 1


def test_conventions_are_kept_only_where_they_show():
    for case in SUITE.values():
        for level, answers in case.answers.items():
            for name, answer in answers.items():
                for other in answer.conventions.values():
                    gap = np.linalg.norm(other - answer.want)
                    assert gap > 1e-3 * np.linalg.norm(answer.want), (level, name)
    assert not SUITE["mlp-relu"].answers["L1"]["grad"].conventions


@pytest.mark.parametrize("name", ["unequal-tasks", "unequal-ridge"])
def test_a_subject_that_knows_no_groups_has_not_attempted(name):
    class Plain(conformance.Computation):
        def meta_grad(self, case, phi=None):
            return np.zeros(len(case.theta)) * len(case.tasks.support_x)

    case = SUITE[name]
    verdicts = conformance.judge([case], conformance.ask(Plain(), [case])).verdicts
    (found,) = [v for v in verdicts if (v.level, v.answer) == ("L4", "meta_grad")]
    assert found.outcome == "not attempted"
    assert "case.groups" in found.message


def test_groups_have_the_rows_of_the_whole():
    case = SUITE["unequal-ridge"]
    assert [c.num_tasks for c in case.groups] == [4, 1, 2]
    rows = np.concatenate([c.solution for c in case.groups])
    np.testing.assert_array_equal(rows, case.solution)
    assert SUITE["ridge"].groups == (SUITE["ridge"],)
    single = case.astype("float32")
    assert {c.tasks.support_x.dtype for c in single.groups} == {np.dtype("float32")}


def test_the_mean_of_groups_counts_every_task_once():
    case = SUITE["unequal-ridge"]
    each = [
        conformance.Computation().meta_grad(replace(c, inputs=one(c, t)))
        for c in case.groups
        for t in range(c.num_tasks)
    ]
    want = case.answers["L5"]["meta_grad"].want
    np.testing.assert_allclose(np.mean(each, 0), want, rtol=1e-10)


def one(case, t):
    """Return the inputs of a case with one of its tasks."""
    shared = ("theta", "lam")
    return {k: a if k in shared else a[t : t + 1] for k, a in case.inputs.items()}


def written(path, case, version):
    """Write the right answers of a case, for some version of the suite."""
    attempts = {
        (case.name, level): Attempt({n: a.want for n, a in found.items()})
        for level, found in case.answers.items()
    }
    conformance.write_answers(path, attempts, suite_version=version)


def test_answers_to_either_version_are_judged_by_it(tmp_path):
    path = tmp_path / "answers.h5"
    for suite, version in ((SUITE, "2.0"), (OLD, "1.1")):
        written(path, suite["mlp-tanh"], version)
        report = conformance.check_file(path, cases=["mlp-tanh"])
        assert report.suite_version == version
        assert {v.outcome for v in report.verdicts} == {"pass"}
    with h5py.File(path, "a") as file:
        del file.attrs["suite_version"]
    assert version_of(path) == "1.1"
    assert conformance.check_file(path, cases=["mlp-tanh"]).passed
    written(path, OLD["mlp-tanh"], "2.0")
    assert not conformance.check_file(path, cases=["mlp-tanh"]).passed


def test_an_unknown_version_is_refused(tmp_path):
    written(tmp_path / "a.h5", SUITE["ridge"], "3.1")
    with pytest.raises(BadFile, match=r"answers suite 3\.1, .*knows 1\.1 and 2\.0"):
        conformance.check_file(tmp_path / "a.h5")
    with pytest.raises(ValueError, match=r"suite 0\.9 is unknown"):
        conformance.load_suite(version="0.9")


def test_the_old_suite_asks_what_it_asked():
    case = OLD["mlp-tanh"]
    assert case.asks("L5") == ("meta_grad",)
    assert case.asks("L4") == ("meta_grad",)
    assert SUITE["mlp-tanh"].asks("L5") == ("inner", "meta_grad", "lam_grad")
    assert set(OLD) < set(SUITE)
