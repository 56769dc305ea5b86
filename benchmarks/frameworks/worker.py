"""A framework, imported once; every case in a process forked from there.

    python -m benchmarks.frameworks.worker FRAMEWORK

It reads questions, one a line: {"case": NAME, "jobs": [...], "seconds": S}.  A job is
``case:ROUTE`` or ``control:ROUTE``; ``case:gradient`` is the gradient itself.  The
process that is forked for it has computed nothing before, answers until something
raises, since what was caught may have left something behind, and ends.  The line that
comes back is {"answers": [...], "ending": ""}, the ending said if it was none of these.
"""

import importlib
import json
import os
import signal
import sys
import warnings
from functools import cached_property

import numpy as np

from .cases import SEEDS, SIZES, target
from .witness import Witness, derivative, jacobian, judged, relative


def framework(name: str):
    """Return the framework of a file ``in_NAME.py``."""
    return importlib.import_module(f".in_{name}", __package__).FRAMEWORK


class Point:
    """A case at one size and seed."""

    def __init__(self, at, case, fresh, size, seed):
        self.at, self.case, self.fresh = at, case, fresh
        self.p, self.v = case.start(size, seed)
        self.free = case.free(size, len(self.p))
        self.z, self.f = fresh()

    def values(self, p):
        """Return the outputs as an array (n,); a loss is one output."""
        return np.ravel(
            self.at.numpy(self.at.evaluate(self.z, self.at.array(p)))
        ).astype(float)

    def gradient(self, p):
        """Return the framework's gradient at p, or None."""
        return self.plain(self.at.gradient(self.f, self.at.array(p)))

    def plain(self, found):
        """Return what a framework returned as an array (P,), or None."""
        return None if found is None else np.asarray(self.at.numpy(found), dtype=float)

    @cached_property
    def witnesses(self) -> dict:
        """Return ∇f, H v and G v by differences."""
        z, jac = self.values(self.p), jacobian(self.values, self.p, self.at.steps)
        j = jac.value * self.free
        slope = np.ones(1) if self.case.is_loss else 2 * (z - target(len(z))) / len(z)
        found = {"gradient": Witness(slope @ j, jac.digits)}
        if self.gradient(self.p) is not None:
            along = derivative(self.gradient, self.p, self.v * self.free)
            found["H"] = Witness(along.value * self.free, along.digits)
        if not self.case.is_loss:
            found["G"] = Witness(2 / len(z) * j.T @ (j @ self.v), jac.digits)
        return found

    def answer(self, route: str):
        """Return a product by a route, (P,) or None."""
        z, f = self.fresh()
        p, v = self.at.array(self.p), self.at.array(self.v)
        if route in self.at.routes:
            return self.plain(self.at.routes[route](f, p, v))
        return self.plain(self.at.gn_routes[route](z, p, v))


class Asked:
    """A case with its control: answers to jobs."""

    def __init__(self, at, case):
        self.at, self.case, self.known = at, case, {}

    def points(self, subject):
        """Return the case or its control at every size and seed, made at first need."""
        if subject not in self.known:
            self.known[subject] = [
                Point(self.at, self.case, fresh, size, seed)
                for size in SIZES
                for fresh in [self.functions(subject, size)]
                for seed in SEEDS
            ]
        return self.known[subject]

    def functions(self, subject, size):
        """Return what returns outputs and loss; nobody called them if that matters."""
        function = self.case.function if subject == "case" else self.case.control

        def fresh():
            z = self.at.outputs(self.case, function, size)
            return z, self.at.scalar(self.case, z)

        if self.case.make:
            return fresh
        once = fresh()
        return lambda: once

    def witness(self, subject, k, kind):
        """Return what is right; from the control where the gradient is wrong."""
        point = self.points(subject)[k]
        if kind == "H" and subject == "case" and self.case.control is not None:
            first = judged(
                point.gradient(point.p), point.witnesses["gradient"], self.at.needed
            )
            if first[0] != "right":
                return self.witness("control", k, kind)
        return point.witnesses.get(kind, Witness(np.full(1, np.nan), 0.0))

    def result(self, subject, route) -> dict:
        """Return verdict, errors and digits of a route, over sizes and seeds."""
        verdicts, errors, digits = [], [], []
        kind = "G" if route in self.at.gn_routes else "H"
        kind = "gradient" if route == "gradient" else kind
        for k, point in enumerate(self.points(subject)):
            # First the answer: what raises needs no witness.
            got = point.gradient(point.p) if kind == "gradient" else point.answer(route)
            want = self.witness(subject, k, kind)
            verdict, error = judged(got, want, self.at.needed)
            verdicts.append(verdict)
            errors.append(error if error is None else float(f"{error:.2g}"))
            digits.append(round(want.digits, 1))
        same = {"same_values": self.same_values()} if subject == "control" else {}
        verdict = overall(verdicts)
        each = {"each": verdicts} if verdict == "differs" else {}
        return (
            {"verdict": verdict, "errors": errors, "digits": min(digits)} | each | same
        )

    def same_values(self) -> bool:
        """Whether the control has the values of the case."""
        pairs = zip(self.points("case"), self.points("control"), strict=True)
        return all(
            relative(b.values(b.p), a.values(a.p)) < 10 ** (-1 - self.at.needed)
            for a, b in pairs
        )


def overall(verdicts) -> str:
    """Return one verdict for all sizes and seeds."""
    if len(set(verdicts)) == 1:
        return verdicts[0]
    harmless = {"right", "unclear", "no witness"}
    return "no witness" if set(verdicts) <= harmless else "differs"


def main():
    """Answer the questions of the standard input."""
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    warnings.simplefilter("ignore")
    at = framework(sys.argv[1])
    for line in sys.stdin:
        question = json.loads(line)
        (case,) = [c for c in at.cases if c.name == question["case"]]
        told.write(json.dumps(in_a_process(Asked(at, case), **question)) + "\n")


def in_a_process(asked, jobs, seconds, **_) -> dict:
    """Return the answers of a process of its own, and how it ended if it had to."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            answer_all(asked, jobs, seconds, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        found = [json.loads(line) for line in answers if line.endswith("\n")]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {"answers": found, "ending": signal.Signals(-code).name if code < 0 else ""}


def answer_all(asked, jobs, seconds, writing):
    """Write a line for each job until one raises; too slow is SIGALRM."""
    with os.fdopen(writing, "w", buffering=1) as told:
        for job in jobs:
            signal.alarm(seconds)
            found = answer(asked, *job.split(":", 1))
            told.write(json.dumps(found) + "\n")
            if found["verdict"] == "raises":
                return


def answer(asked, subject, route) -> dict:
    """Return what came of a route, be it an exception."""
    try:
        return asked.result(subject, route)
    except Exception as error:  # whatever a framework raises
        first = str(error).strip().partition("\n")[0][:160]
        return {"verdict": "raises", "message": f"{type(error).__name__}: {first}"}


if __name__ == "__main__":
    main()
