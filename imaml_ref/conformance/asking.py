"""Ask an object: any of ``METHODS``, most of them named like the answer.

    loss(case) → (T,)                    L at case.phi, on the support sets
    grad(case) → (T, P)                  ∇L there
    hvp(case), gnvp(case) → (T, P)       H v and G v there, v = case.v
    solve(A, b) → (n,)                   x with A x = b
    meta_grad(case, phi) → (P,)          (5) at given φ (T, P); case.theta, case.lam
    meta_grad(case) → (P,)               (5) at the solution of (1)
    lam_grad(case, phi), lam_grad(case)  (7) there: () for a number λ, else (P,)
    inner(case) → (T, P)                 the solution of (1)
    unrolled_grad(case) → (P,)           of the mean of Q_t(φ_K(θ)); case.unrolled
    outer_step(case, theta, state)       → θ, or θ and a state; ``state`` is first None

An array may be given as a dict of tensors by name.  A method that is absent, or raises
NotImplementedError, is not attempted.  Where there is no trustworthy answer, warn
(``warnings.warn``) or raise one of ``REFUSALS``; any other exception is a failure.
"""

import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy

from .answers import Attempt, Attempts, asked
from .case import Case
from .levels import OUTER_STEPS

# Warnings about the use of a library, not about its answer.
HOUSEKEEPING = (
    DeprecationWarning,
    PendingDeprecationWarning,
    FutureWarning,
    ImportWarning,
)
# Exceptions that say "there is no answer", not "there is a mistake in this program".
REFUSALS = (ArithmeticError, ValueError, RuntimeError)
METHOD_OF = {"x": "solve", "theta": "outer_step"}  # others are named like the answer
METHODS = (
    *("loss", "grad", "hvp", "gnvp", "solve", "inner", "meta_grad", "lam_grad"),
    *("outer_step", "unrolled_grad"),
)


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
    demand_methods(subject)
    if dtype not in ("float64", "float32"):
        raise ValueError(f"dtype must be float64 or float32, got {dtype!r}")
    found = {}
    for case, level in asked(cases):
        if observe is not None:
            observe(case, level)
        found[case.name, level] = attempt(subject, case.astype(dtype), level)
    return found


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
    values, said, failed = {}, [], ""
    asked_for = questions(subject, case, level)
    absent = {name: "" for name in case.asks(level) if name not in asked_for}
    for name, question in asked_for.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                values[name] = question()
            except NotImplementedError as error:
                absent[name] = first_line(error)
            except Exception as error:
                failed = f"{type(error).__name__}: {first_line(error)}"
                said += [failed] if isinstance(error, REFUSALS) else []
        said += [
            str(w.message) for w in caught if not issubclass(w.category, HOUSEKEEPING)
        ]
    return Attempt(values, "; ".join(dict.fromkeys(said)), failed, absent)


def first_line(error: Exception) -> str:
    """Return what an error says, without the pages that some add."""
    return str(error).strip().partition("\n")[0]


def questions(subject: Any, case: Case, level: str) -> dict[str, Callable[[], Any]]:
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
