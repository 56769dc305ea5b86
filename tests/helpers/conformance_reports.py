"""Reports for the tests of what shows them: one with every outcome there is."""

from dataclasses import dataclass, replace

import numpy as np

from imaml_ref.conformance import Computation, check, load_suite
from imaml_ref.conformance.explanation import Diagnosis

NAMES = ("ridge", "mlp-tanh", "conv-tanh", "saddle", "spd-10", "indefinite")
SUITE = load_suite()
CASES = [SUITE[name] for name in NAMES]
OUTCOMES = (
    *("pass", "fail", "not attempted", "warned", "did not warn"),
    *("another convention", "answered by the adapter"),
)
DIAGNOSES = ("This is λ halved: <14.2> digits & more.", "no\nname fits")


class Mistaken(Computation):
    """Wrong in a different way in each case; its name needs escaping."""

    name = 'mine <λ> & "co"'

    def hvp(self, case):
        found = super().hvp(case)
        if case.name == "ridge":
            return found / 2
        if case.name == "mlp-tanh":
            raise ValueError('x < y & "z"')
        kernel = case.unpack(found)["head.kernel"]
        kernel[:] = kernel.swapaxes(1, 2).reshape(kernel.shape)
        return found

    def gnvp(self, case):
        raise NotImplementedError

    def meta_grad(self, case, phi=None):
        if case.name == "ridge":
            return np.full(case.theta.shape, np.nan)
        return super().meta_grad(case, phi)

    def refuse_indefinite(self, A):
        """Trust every matrix."""


@dataclass(frozen=True)
class Told(Diagnosis):
    """A diagnosis of another text."""

    text: str = ""


def mistaken(**changes):
    """Return a report with every outcome, and with diagnoses."""
    report = check(Mistaken(), cases=NAMES)
    found = tuple(Told((("ridge", "L2", "hvp"),), text=text) for text in DIAGNOSES)
    return replace(report, diagnoses=found, **changes)


def counts(report):
    """Return how many answers ended in each way, where any did."""
    return {o: report.count(o) for o in OUTCOMES if report.count(o)}


def correct():
    """Return a report without a failure."""
    return check(Computation(), cases=NAMES)
