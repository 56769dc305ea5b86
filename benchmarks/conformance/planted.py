"""Families of mistakes, planted with drawn numbers in answers that are right."""

import zlib

import numpy as np

from imaml_ref.conformance.answers import Attempt
from imaml_ref.conformance.families import FAMILIES
from imaml_ref.conformance.judge import Verdict, judge

# Cases in which a family is looked for: small, of every kind.
CASES = (
    *("ridge", "ridge-slow", "logistic", "mlp-tanh", "one-task", "unequal-ridge"),
    *("ridge-lam-vector", "mlp-lam-vector", "lam-small", "kappa-10", "adam"),
    *("ridge-adam", "ridge-adam-wide", "spd-10", "spread-30", "two-eigenvalues"),
    *("identity", "spd-1e3", "conv-norm-tanh"),
)
WITH_LAYERS = (
    *("ridge", "mlp-tanh", "mlp-elu", "mlp-softplus", "mlp-relu", "relu-at-zero"),
    *("one-task", "max-pool-ties", "conv-global", "conv-norm-bias"),
    *("conv-norm-tanh", "conv-norm-relu", "conv-tanh", "strided-softplus"),
)
ODD = (3e-3, 30.0)  # numbers that are drawn, where a family allows them
# Those of the network are drawn where the cases can tell them: not where a kink is out
# of reach, or where a tanh is linear.
OF_LAYERS = {"a": (0.3, 3.0), "c": (0.1, 2.0), "m": (0.1, 0.9), "eps": (0.01, 0.5)}
USUAL = (0.2, 2.0)
ROUNDING = 1e-12


def is_of_layers(name):
    """Whether a family is of the network or the loss: it shows at L1 or L2."""
    return FAMILIES[name].where[0][0] in ("L1", "L2")


def drawn(name, seed=0):
    """Return odd numbers and a number of steps for a family, log-uniform."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    values = []
    for n, number in FAMILIES[name].numbers.items():
        if is_of_layers(name):
            low, high = OF_LAYERS.get(n, USUAL)
            values.append(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
            continue
        low, high = max(number.low, ODD[0]), min(number.high, ODD[1])
        middle, half = np.log(low * high) / 2, np.log(high / low) / 2
        spread = rng.uniform(-0.7, 0.7) * half
        values.append(float(np.exp(middle + spread)))
    return tuple(values), int(rng.integers(2, 4 if is_of_layers(name) else 8))


def changed(case, level, a, rng, dtype="float64", size=ROUNDING):
    """Return an answer as another program has it: rounded otherwise, or float32."""
    origin = case.theta if level in ("L6", "L7") else 0.0
    noisy = origin + (a - origin) * (1 + size * rng.uniform(-1, 1, np.shape(a)))
    return np.asarray(noisy, dtype)


def given(laboratory, name, case, level, answer, values, steps):
    """Return what a family gives; None where it has no meaning, or fewer steps."""
    family = FAMILIES[name]
    at = Verdict(case.name, level, answer, "", got=case.answers[level][answer].want)
    theirs = family.at(laboratory, at, *values)
    if theirs is not None and family.steps:
        few = is_of_layers(name) and steps > len(theirs)
        theirs = None if few or not theirs else theirs[min(steps, len(theirs)) - 1]
    if theirs is None or not np.isfinite(theirs).all():
        return None
    return laboratory.restored(at, theirs)


def report_of(cases, answer, levels=None):
    """Judge what ``answer`` (case, level, name, right) gives for all that is asked."""
    attempts = {
        (case.name, level): Attempt(
            {
                name: answer(case, level, name, right.want)
                for name, right in case.answers[level].items()
            }
        )
        for case in cases
        for level in case.levels
        if level not in case.refuse and (levels is None or level in levels)
    }
    return judge(cases, attempts, among=attempts)


def planted(laboratory, name, values, steps, dtype="float64", cases=None):
    """Return the report of somebody who makes a mistake where it shows first."""
    family, rng = FAMILIES[name], np.random.default_rng(1)
    laboratory.hear(())  # nothing that another report answered below
    names = cases or (WITH_LAYERS if is_of_layers(name) else CASES)

    def answer(case, level, which, right):
        theirs = None
        if (level, which) in family.where:
            theirs = given(laboratory, name, case, level, which, values, steps)
        return changed(case, level, right if theirs is None else theirs, rng, dtype)

    # What is computed from a loss that is wrong would be wrong as well.
    levels = ("L1", "L2") if is_of_layers(name) else None
    return report_of([laboratory.cases[n] for n in names], answer, levels)
