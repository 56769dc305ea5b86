"""Families of the network and the loss: numbers that are drawn are found again."""

import numpy as np
import pytest

from imaml_ref.compute.parallel import one_blas_thread
from imaml_ref.conformance import judge
from imaml_ref.conformance.answers import Attempt
from imaml_ref.conformance.diagnosis import diagnose
from imaml_ref.conformance.families import FAMILIES
from imaml_ref.conformance.families.forward import Variant, answer
from imaml_ref.conformance.families.members import is_one
from imaml_ref.conformance.families.network import WHERE
from imaml_ref.conformance.families.trial import of_family
from imaml_ref.conformance.judge import FAIL, PASS, Verdict
from tests.helpers.blind import CASES, one_laboratory, perturbed

SMALL = (
    "ridge", "mlp-tanh", "mlp-elu", "mlp-softplus", "mlp-relu", "one-task",
    "conv-norm-tanh", "conv-norm-relu", "conv-tanh", "strided-softplus",
)  # fmt: skip
OURS = {n: f for n, f in FAMILIES.items() if ("L1", "grad") in f.where}
NAMED = 0.95
# Numbers are drawn where the case can tell them: not where a kink is out of reach, or
# where a tanh is linear.
RANGES = {"a": (0.3, 3.0), "c": (0.1, 2.0), "m": (0.1, 0.9), "eps": (0.01, 0.5)}
USUAL = (0.2, 2.0)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with one_blas_thread(), np.errstate(all="ignore"):
        yield


@pytest.fixture(scope="module", name="laboratory")
def make_laboratory():
    return one_laboratory()


def asked(case, name):
    return Verdict(case, "L1", name, PASS, got=CASES[case].answers["L1"][name].want)


def drawn(family, rng):
    ranges = [RANGES.get(n, USUAL) for n in family.numbers]
    return tuple(float(np.exp(rng.uniform(*np.log(r)))) for r in ranges)


def given(laboratory, family, case, name, values, steps):
    """What somebody with that mistake answers; None where it has no meaning."""
    if ("L1", name) not in family.where:
        return asked(case, name).got
    found = family.at(laboratory, asked(case, name), *values)
    if family.steps and found is not None:
        found = found[steps - 1] if len(found) >= steps else None
    return found if found is not None and np.isfinite(found).all() else None


def report_of(answers):
    """Judge answers by case and name."""
    found = {}
    for (case, name), a in answers.items():
        found.setdefault((case, "L1"), {})[name] = a
    cases = [CASES[c] for c in dict.fromkeys(c for c, _ in answers)]
    return judge(cases, {at: Attempt(values) for at, values in found.items()})


def handed_in(laboratory, family, values, rng, cases, names, dtype="float64", most=3):
    """Judge the answers of a family, perturbed, to its first cases among some."""
    answers, steps = {}, int(rng.integers(1, 4))
    for case in cases:
        got = {n: given(laboratory, family, case, n, values, steps) for n in names}
        if all(a is not None for a in got.values()) and len(answers) < most * len(
            names
        ):
            for name, a in got.items():
                changed = perturbed(CASES[case], "L1", a, rng)
                answers[case, name] = changed.astype(dtype)
    return report_of(answers)


def is_found(values, numbers, family):
    """Whether numbers are those that were drawn, to three digits."""
    shown = [numbers[n].replace("−", "-") for n in family.numbers]
    pairs = zip(values, shown, strict=True)
    return all(abs(as_number(s) - x) <= 1e-3 * abs(x) for x, s in pairs)


def as_number(text):
    try:
        return float(text)
    except ValueError:
        return np.nan  # a rule


@pytest.mark.parametrize("name", ["loss", "grad"])
def test_numbers_are_found_by_the_family_itself(laboratory, name):
    rng, missed, tried = np.random.default_rng(0), [], 0
    for family in OURS.values():
        values = drawn(family, rng)
        report = handed_in(laboratory, family, values, rng, SMALL, [name])
        failing = [v for v in report.verdicts if v.outcome == FAIL]
        if not failing:
            continue
        tried += 1
        verdicts = [v for v in report.verdicts if v.got is not None]
        trial = of_family(laboratory, verdicts, family)
        whole = [e for e in trial.explanations() if len(e.explained) == len(failing)]
        if not any(is_found(values, e.numbers, family) for e in whole):
            missed.append((family.name, values))
    assert tried > 160
    assert len(missed) <= (1 - NAMED) * tried, missed


def test_a_variant_that_changes_nothing_is_right(laboratory):
    """The layers without loops are those of the case."""
    nothing = Variant(inputs=lambda x: x)
    for case in SMALL:
        for level, name in WHERE:
            want = CASES[case].answers[level][name].want
            verdict = Verdict(case, level, name, PASS, got=want)
            got = answer(laboratory, verdict, nothing)
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-11 * abs(want).max())


def is_named(name, names):
    """Whether a family is, or one that says the same without norms."""
    return any(n == name or is_one(n, name) for n in names)


def enough(case, dtype):
    """Whether a case has more than one loss: in single precision one may be chance."""
    return dtype == "float64" or CASES[case].num_tasks > 1


def sample(count, seed):
    """Some families, drawn."""
    rng = np.random.default_rng(seed)
    return rng, [OURS[n] for n in rng.permutation([*OURS])[:count]]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("count", [2, 8], ids=["few", "more"])
def test_they_are_named_blind(laboratory, dtype, count):
    rng, families = sample(count, 1)
    missed, tried = [], 0
    for family in families:
        values = drawn(family, rng)
        cases = [c for c in rng.permutation(SMALL) if enough(c, dtype)]
        report = handed_in(
            laboratory, family, values, rng, cases, ["loss", "grad"], dtype
        )
        if any(v.outcome == FAIL for v in report.verdicts):
            tried += 1
            told = diagnose(report, CASES, laboratory).diagnoses
            named = [d for d in told if d.names]
            right = [is_named(family.name, d.names) for d in named]
            assert all(right), (family.name, values, [d.text for d in named])
            first = [d for d in named if is_named(family.name, d.names[:1])]
            right = any(is_found(values, d.numbers, family) for d in first)
            if not right or len(named) < len(told):
                missed.append((family.name, values, [d.what for d in told]))
    assert tried >= count / 2
    assert len(missed) <= (1 - NAMED) * tried, missed


def test_what_looks_like_another_mistake_in_some_cases_is_not_named_so(laboratory):
    """Clamping is the identity where nothing reaches it, without images here."""
    clamp, rng = OURS["relu-is-clamp"], np.random.default_rng(3)
    cases, names = ("relu-at-zero", "mlp-relu", "conv-norm-relu"), ("loss", "grad")
    report = handed_in(laboratory, clamp, (1.437,), rng, cases, names)
    assert {v.case for v in report.verdicts if v.outcome == FAIL} == {*cases}
    named = [n for d in diagnose(report, CASES, laboratory).diagnoses for n in d.names]
    assert "relu-is-identity" not in named


def changes(laboratory, family, case, values, steps):
    got = given(laboratory, family, case, "grad", values, steps)
    return got is not None and not np.allclose(got, asked(case, "grad").got)


def test_every_family_changes_some_case(laboratory):
    """At numbers that are drawn, wherever in the suite."""
    rng, nowhere = np.random.default_rng(4), []
    cases = [c for c in CASES if "grad" in CASES[c].answers.get("L1", {})]
    for family in OURS.values():
        values = drawn(family, rng)
        if not any(
            changes(laboratory, family, case, values, k)
            for k in range(1, 4 if family.steps else 2)
            for case in cases
        ):
            nowhere.append(family.name)
    assert nowhere == []


@pytest.mark.parametrize("case", ["mlp-tanh", "conv-norm-tanh"])
@pytest.mark.parametrize("size", [0.0, 1e-6, 1.0], ids=["right", "nearly", "noise"])
def test_what_is_right_or_noise_has_no_name(laboratory, case, size):
    rng, answers = np.random.default_rng(2), {}
    for name in ("loss", "grad"):
        want = CASES[case].answers["L1"][name].want
        answers[case, name] = want * (1 + size * rng.standard_normal(want.shape))
    report = report_of(answers)
    assert all(
        (v.outcome == FAIL) == bool(size) for v in report.verdicts if v.got is not None
    )
    for one in diagnose(report, CASES, laboratory).diagnoses:
        assert one.names == ()
