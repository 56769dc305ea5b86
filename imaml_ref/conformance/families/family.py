"""What a family of mistakes is, and how one is written.

    @of_rows("operator", MEANT, mu=Real(1e-6, 1e6, "λ"))
    def shifted(ground, mu):
        '''(H + {mu} I) x = v is solved.'''
        return ground.lam * solve(ground.H + mu * ground.eye, ground.v)

A family computes what would have been answered for values of its numbers; the first
line of its docstring is what the report says, each number in its braces.  A free factor
in front is fitted with every family, so none needs one of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy

from ..case import Array

Question = tuple[str, str]  # level and answer
META: tuple[Question, ...] = tuple(
    (level, answer) for answer in ("meta_grad", "lam_grad") for level in ("L4", "L5")
)
SOLVE: tuple[Question, ...] = (("L3", "x"), *META)


@dataclass(frozen=True)
class Real:
    """A real number that a family is fitted in.

    Args:
        low: Its least value that is tried.
        high: Its largest.
        usual: What is right, as a rule is written: "λ", "1", "0"; empty if nothing is.
        signed: Whether its negative is tried as well.
        named: What is a mistake with a name of its own, as a rule is written.
        alone: Whether it is one number for all cases, never a fact of them.
    """

    low: float
    high: float
    usual: str = ""
    signed: bool = False
    named: str = ""
    alone: bool = False

    def grid(self, count: int) -> Array:
        """Return values to begin from, equally spaced in their logarithm."""
        found = numpy.geomspace(self.low, self.high, count)
        return numpy.concatenate([-found[::-1], found]) if self.signed else found

    def allows(self, rule: Any) -> bool:
        """Whether a rule may be behind it: not what is right, or has another name."""
        known = rule.text in (self.usual, self.named)
        return not known and not (self.alone and rule.terms)


@dataclass(frozen=True)
class Family:
    """A family of mistakes.

    Args:
        name: Such as "shifted".
        say: What the report says, numbers in braces.
        part: What it is about: two of one part are not tried together.
        where: The questions at which it shows first.
        numbers: Its real numbers by name, in the order of ``at``.
        at: (lab, verdict, *values) → what would have been answered: an array; or, of a
            family with steps, a list of arrays, after 1, 2, … of them; or None where
            the family has no meaning.
        steps: Name of its whole number; empty if it has none.
        bound: Whether there is no factor in front of it.
        cheap: (lab, verdict) → whether it may be fitted there, not only compared.
        rows: (ground, *values) → (T, P), of those that are computed from a ground.
        on: (ground, *values) → the ground with another operator or right side, of those
            that another family can follow.
    """

    name: str
    say: str
    part: str
    where: tuple[Question, ...]
    numbers: dict[str, Real]
    at: Callable[..., Any]
    steps: str = ""
    bound: bool = False
    cheap: Callable[[Any, Any], bool] | None = None
    rows: Callable[..., Any] | None = None
    on: Callable[..., Any] | None = None


FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Add a family to those that are tried."""
    FAMILIES[family.name] = family


def named(function: Callable) -> str:
    """Return the name of a family: that of its function."""
    return function.__name__.replace("_", "-")


def said(function: Callable) -> str:
    """Return what a family says: the first line of its docstring."""
    return (function.__doc__ or "").partition("\n")[0]


def of_rows(part: str, where: tuple[Question, ...], steps: str = "", **numbers: Real):
    """Make a family of a function (ground, *values) → (T, P), or a list of them."""

    def make(function: Callable) -> Callable:
        register(built(function, part, where, steps, numbers, function))
        return function

    return make


def of_operator(where: tuple[Question, ...], **numbers: Real):
    """Make a family of a function (ground, *values) → the operator, (T, P, P)."""

    def make(function: Callable) -> Callable:
        def on(ground: Any, *values: float) -> Any:
            A = function(ground, *values)
            return None if A is None else replace(ground, operator=A)

        register(built(function, "operator", where, "", numbers, goes_on(on), on))
        return function

    return make


def of_side(where: tuple[Question, ...], **numbers: Real):
    """Make a family of a function (ground, *values) → what is solved for, (T, P)."""

    def make(function: Callable) -> Callable:
        def on(ground: Any, *values: float) -> Any:
            return replace(ground, v=function(ground, *values))

        register(built(function, "right side", where, "", numbers, goes_on(on), on))
        return function

    return make


def goes_on(on: Callable) -> Callable:
    """Return g on another ground."""

    def rows(ground: Any, *values: float) -> Any:
        other = on(ground, *values)
        return None if other is None else other.g

    return rows


def built(function, part, where, steps, numbers, rows, on=None) -> Family:
    """Return the family of a function."""
    return Family(
        named(function), said(function), part, where, numbers, answering(rows), steps,
        rows=rows, on=on,
    )  # fmt: skip


def answering(rows: Callable) -> Callable:
    """Return what answers, of what computes rows (T, P) from a ground."""

    def at(lab: Any, verdict: Any, *values: float) -> Any:
        try:
            found = rows(lab.ground(verdict), *values)
        except numpy.linalg.LinAlgError:  # singular at these values
            return None
        if isinstance(found, list):
            return [lab.assembled(verdict, one) for one in found]
        return None if found is None else lab.assembled(verdict, found)

    return at


def both(first: Family, second: Family) -> Family:
    """Return two families at once: the second on the ground that the first leaves.

    Raises:
        ValueError: If nothing can follow the first, or the second is of no ground.
    """
    on, after, count = first.on, second.rows, len(first.numbers)
    if on is None or after is None:
        raise ValueError(f"{second.name} cannot follow {first.name}")

    def rows(ground: Any, *values: float) -> Any:
        other = on(ground, *values[:count])
        return None if other is None else after(other, *values[count:])

    renamed = {f"{n}₂": number for n, number in second.numbers.items()}
    say = second.say
    for n in second.numbers:
        say = say.replace(f"{{{n}}}", f"{{{n}₂}}")
    return Family(
        f"{first.name} + {second.name}",
        f"{first.say} {say}",
        "",
        tuple(q for q in first.where if q in second.where),
        first.numbers | renamed,
        answering(rows),
        second.steps,
    )


def of_answers(
    part: str,
    where: tuple[Question, ...],
    steps: str = "",
    *,
    bound: bool = False,
    cheap: Callable[[Any, Any], bool] | None = None,
    named_after: Callable | None = None,
    **numbers: Real,
):
    """Make a family of a function (lab, verdict, *values) → what is answered.

    Args:
        part: See ``Family``.
        where: See ``Family``.
        steps: See ``Family``.
        bound: See ``Family``.
        cheap: See ``Family``.
        named_after: The function whose name and docstring it has; itself by default.
        **numbers: See ``Family``.
    """

    def make(function: Callable) -> Callable:
        source = named_after or function
        register(
            Family(
                named(source), said(source), part, where, numbers, function, steps,
                bound=bound, cheap=cheap,
            )
        )  # fmt: skip
        return function

    return make
