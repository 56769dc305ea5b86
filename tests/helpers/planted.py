"""Families of mistakes, planted with drawn numbers in answers that are right."""

import zlib

import numpy as np

from imaml_ref.conformance import load_suite
from imaml_ref.conformance.answers import Attempt
from imaml_ref.conformance.families import FAMILIES
from imaml_ref.conformance.judge import Verdict, judge
from imaml_ref.conformance.laboratory import Laboratory

CASES = (
    *("ridge", "ridge-slow", "logistic", "mlp-tanh", "one-task", "unequal-ridge"),
    *("ridge-lam-vector", "mlp-lam-vector", "lam-small", "kappa-10", "adam"),
    *("ridge-adam", "ridge-adam-wide", "spd-10", "spread-30", "two-eigenvalues"),
    *("identity", "spd-1e3"),
)
SUITE = {name: case for name, case in load_suite().items() if name in CASES}
LABORATORY = Laboratory(SUITE)
ODD = (3e-3, 30.0)  # numbers that are drawn, where a family allows them
ROUNDING = 1e-12


def drawn(name, seed=0):
    """Return odd numbers and a number of steps for a family, log-uniform."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    values = []
    for number in FAMILIES[name].numbers.values():
        low, high = max(number.low, ODD[0]), min(number.high, ODD[1])
        middle, half = np.log(low * high) / 2, np.log(high / low) / 2
        spread = rng.uniform(-0.7, 0.7) * half
        values.append(float(np.exp(middle + spread)))
    return tuple(values), int(rng.integers(2, 8))


def changed(case, level, a, rng, dtype):
    """Return an answer as another program has it: rounded otherwise, or float32."""
    origin = case.theta if level in ("L6", "L7") else 0.0
    noisy = origin + (a - origin) * (1 + ROUNDING * rng.uniform(-1, 1, np.shape(a)))
    return np.asarray(noisy, dtype)


def planted(name, values, steps, dtype="float64"):
    """Return the report of somebody who makes a mistake where it shows first."""
    family, rng = FAMILIES[name], np.random.default_rng(1)
    LABORATORY.hear(())  # nothing that another report answered below
    attempts = {}
    for case in SUITE.values():
        for level in case.levels:
            if level in case.refuse:
                continue
            found = {}
            for answer, right in case.answers[level].items():
                a = right.want
                if (level, answer) in family.where:
                    at = Verdict(case.name, level, answer, "", got=a)
                    theirs = family.at(LABORATORY, at, *values)
                    if theirs is not None and family.steps:
                        theirs = theirs[min(steps, len(theirs)) - 1]
                    if theirs is not None:
                        a = LABORATORY.restored(at, theirs)
                found[answer] = changed(case, level, a, rng, dtype)
            attempts[case.name, level] = Attempt(found)
    return judge(SUITE.values(), attempts)
