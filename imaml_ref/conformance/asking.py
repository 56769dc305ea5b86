"""Ask an object: any of the methods below; what it lacks is not attempted.

    loss(case) → (T,)                    L at case.phi, on the support sets
    grad(case) → (T, P)                  ∇L there
    hvp(case), gnvp(case) → (T, P)       H v and G v there, v = case.v
    solve(A, b) → (n,)                   x with A x = b
    inner(case) → (T, P)                 φ, the solution of (1), from θ
    meta_grad(case, phi) → (P,)          (5) at given φ (T, P); case.theta, case.lam
    meta_grad(case) → (P,)               (5) at the solution of (1)
    lam_grad(case, phi), lam_grad(case)  (7) likewise; () or (P,), of the shape of λ
    unrolled_grad(case) → (P,)           of the mean of Q_t(φ_K(θ)); see case.unrolled
    outer_step(case, theta, state)       → θ, or θ and a state; ``state`` is first None

An array may be given as a dict of tensors by name.  A method may raise
NotImplementedError: not attempted.  Where tasks are of unequal size, ``case.groups``
has cases of one size each, and T, φ and means are those of all tasks.

Where there is no trustworthy answer, say so: ``warnings.warn("not positive definite")``
in words that right answers do not come with, or raise ``conformance.Refused``, a
LinAlgError, or a class of your own that the object names: ``refusals = (MyError,)``.
Any other exception is a crash, and fails.  ``scalar_lam = True``: λ is a number, and
cases with one for each parameter are not attempted.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy

from .answers import Attempt, Attempts, asked
from .case import Case
from .levels import OUTER_STEPS
from .refusals import BETWEEN, refusals_of, refuses, warned

METHOD_OF = {"x": "solve", "theta": "outer_step"}  # others are named like the answer
METHODS = (
    *("loss", "grad", "hvp", "gnvp", "solve", "inner", "meta_grad", "lam_grad"),
    *("outer_step", "unrolled_grad"),
)
WITH_LAM = ("L4", "L5", *OUTER_STEPS)

Question = tuple[Case, str]


def ask(
    subject: Any,
    cases: Iterable[Case],
    dtype: str = "float64",
    observe: Callable[[Case, str], Any] | None = None,
) -> Attempts:
    """Return what an object answers to every level of some cases.

    Args:
        subject: An object with any of the methods above.
        cases: The cases, in float64.
        dtype: Precision in which it is asked, "float64" or "float32".
        observe: Called before each level with the case and the level.

    Raises:
        TypeError: If the object has none of the methods.
        ValueError: If the dtype is neither "float64" nor "float32".
    """
    return dict(answers_to(subject, asked(cases), dtype, observe))


def answers_to(
    subject: Any,
    questions: Iterable[Question],
    dtype: str = "float64",
    observe: Callable[[Case, str], Any] | None = None,
) -> Iterator[tuple[tuple[str, str], Attempt]]:
    """Yield what an object answers, under the name of the case and the level.

    Raises:
        TypeError: If the object has none of the methods.
        ValueError: If the dtype is neither "float64" nor "float32".
    """
    demand_methods(subject)
    if dtype not in ("float64", "float32"):
        raise ValueError(f"dtype must be float64 or float32, got {dtype!r}")
    for case, level in questions:
        if observe is not None:
            observe(case, level)
        yield (case.name, level), attempt(subject, case.astype(dtype), level)


def demand_methods(subject: Any) -> None:
    """Refuse an object that cannot be asked anything.

    Raises:
        TypeError: If it has none of the methods, or is a class.
    """
    if isinstance(subject, type):
        raise TypeError(
            f"the subject must be an object, got the class {subject.__name__}; "
            f"give {subject.__name__}()"
        )
    if not any(callable(getattr(subject, name, None)) for name in METHODS):
        raise TypeError(
            f"{type(subject).__name__} has none of the methods {', '.join(METHODS)}; "
            "see imaml_ref.conformance.asking"
        )


def attempt(subject: Any, case: Case, level: str) -> Attempt:
    """Return what an object answers to one level."""
    values, said, failures, by_adapter = {}, [], {}, {}
    asked_for = questions(subject, case, level)
    absent = {name: "" for name in case.asks(level) if name not in asked_for}
    for name, question in asked_for.items():
        # A method may come from another object: some of those of an adapter, say.
        owner = getattr(question.args[0], "__self__", subject)
        if level in WITH_LAM and numpy.ndim(case.lam) and scalar_only(subject, owner):
            absent[name] = "scalar λ only"
            continue
        if how := getattr(owner, "by_adapter", nobody)(name):
            by_adapter[name] = how
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                values[name] = question()
            except NotImplementedError as error:
                absent[name] = first_line(error)
            except Exception as error:
                failures[name] = f"{type(error).__name__}: {first_line(error)}"
                if not refuses(error, refusals_of(subject, owner)):
                    continue  # what was warned of before a crash is no refusal
                said.append(failures[name])
        said += warned(caught)
    heard, failed = (BETWEEN.join(dict.fromkeys(t)) for t in (said, failures.values()))
    return Attempt(values, heard, failed, absent, failures, by_adapter)


def nobody(answer: str) -> str:
    """Return how an adapter computed an answer: there is none."""
    return ""


def scalar_only(*owners: Any) -> bool:
    """Whether an object says that it knows no λ for each parameter."""
    return any(getattr(owner, "scalar_lam", False) for owner in owners)


def first_line(error: Exception) -> str:
    """Return what an error says, without the pages that some add."""
    return str(error).strip().partition("\n")[0]


def questions(subject: Any, case: Case, level: str) -> dict[str, partial]:
    """Return what to call for each answer of a level; absent methods are left out."""
    methods = {
        answer: getattr(subject, METHOD_OF.get(answer, answer), None)
        for answer in case.asks(level)
    }
    return {
        answer: partial(put, method, case, level)
        for answer, method in methods.items()
        if callable(method)
    }


def put(method: Callable, case: Case, level: str) -> Any:
    """Return what a method answers to a level."""
    if level == "L3":
        return method(case.A, case.b)
    if level == "L4":
        return method(case, case.solution)
    if level in OUTER_STEPS:
        return outer_steps(method, case, OUTER_STEPS[level])
    return method(case)


def outer_steps(outer_step: Callable, case: Case, count: int) -> Any:
    """Return θ after some outer steps, the state handed on."""
    theta, state = case.theta, None
    for _ in range(count):
        out = outer_step(case, theta, state)
        theta, state = out if isinstance(out, tuple) else (out, None)
        if isinstance(theta, dict):
            theta = case.pack({k: numpy.asarray(a) for k, a in theta.items()})
    return theta
