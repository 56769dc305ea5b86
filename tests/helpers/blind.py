"""Answers of mistakes, handed in as somebody's own."""

from functools import cache

from imaml_ref.conformance import Report, judge, load_suite
from imaml_ref.conformance.answers import Attempt
from imaml_ref.conformance.diagnosis import diagnose
from imaml_ref.conformance.judge import FAIL
from imaml_ref.conformance.laboratory import Laboratory
from imaml_ref.conformance.levels import OUTER_STEPS
from imaml_ref.conformance.matrix import REACH
from imaml_ref.conformance.mutants import CATALOGUE

CASES = load_suite()
SMALL = ("ridge", "logistic", "mlp-tanh", "spd-10")
ROUNDING = 1e-12  # of another program: relative, entry by entry


@cache
def one_laboratory():
    """Return that of all tests of a process: what a mistake answers is kept."""
    return Laboratory(CASES)


def perturbed(case, level, a, rng, size=ROUNDING):
    """An outer step is judged by how far it goes: that is what is perturbed."""
    origin = case.theta if level in OUTER_STEPS else 0.0
    return origin + (a - origin) * (1 + size * rng.uniform(-1, 1, a.shape))


def attempts(laboratory, names, case, levels, change):
    return {
        (case.name, level): Attempt(
            {
                name: change(case, level, a)
                for name, a in laboratory.answers(names, case.name, level).items()
            }
        )
        for level in levels
        if level in case.levels and level not in case.refuse
    }


def report_of(laboratory, names, cases, levels, change=lambda case, level, a: a):
    cases, found = [CASES[n] for n in cases], {}
    for case in cases:
        found |= attempts(laboratory, names, case, levels, change)
    return judge(cases, found)


def diagnoses(report, laboratory):
    return diagnose(report, CASES, laboratory).diagnoses


def up_to_failure(laboratory, name, case, change):
    """What a mistake answers to a case, up to the first level that fails."""
    verdicts = []
    for level in case.levels:
        if level > REACH.get(CATALOGUE[name].level, "L7"):
            break
        found = attempts(laboratory, (name,), case, [level], change)
        verdicts += judge([case], found).of(case.name, level)
        if any(v.outcome == FAIL for v in verdicts):
            return Report("somebody's", tuple(verdicts))
    return None
