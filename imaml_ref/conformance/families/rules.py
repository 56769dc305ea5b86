"""From numbers, one for each case, to the rule behind them: 0.37, 1/T, 1.7 λ, λ + 0.03.

A case has facts: T tasks, N support and M query examples, D outputs, λ, … .  Rules are
products of few facts; those times a constant; a constant times λ plus another.  The
constants are fitted on every second case, and must predict the others.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy

Facts = Mapping[str, float]
PLAIN = (1.0, 0.5, 2.0)  # numbers that may stand before a product of facts
CLOSE = 30.0  # a number may be off by that many times its own uncertainty
FLOOR = 1e-9  # least relative uncertainty of a number


@dataclass(frozen=True)
class Point:
    """A number seen in a case.

    Args:
        facts: What the case is like.
        value: The number.
        spread: Its uncertainty, absolute.
    """

    facts: Facts
    value: float
    spread: float


@dataclass(frozen=True)
class Rule:
    """A number as a function of the facts of a case.

    Args:
        text: How it is written, such as "1/T" or "0.37".
        constants: Its fitted constants; empty if it has none.
        terms: How many facts it uses, to prefer what is simple.
        value: The function.
    """

    text: str
    constants: tuple[float, ...]
    terms: int
    value: Callable[[Facts], float]

    @property
    def cost(self) -> tuple[int, int]:
        """What is simple comes first: few constants, then few facts."""
        return len(self.constants), self.terms


def rules(points: Sequence[Point]) -> list[Rule]:
    """Return the rules that hold for all points, the simplest first.

    A rule with c constants needs more than c cases, or there is nothing to predict; of
    one case alone the constant is taken.
    """
    exact = [r for r in without_constants(points) if holds(r, points)]
    if len(points) == 1:  # products of facts are near to any one number
        exact = [r for r in exact if r.terms < 2]
    found = exact + [
        r
        for r in with_a_constant(points)
        if holds(r, points) and not any(same(r, other, points) for other in exact)
    ]
    if len(points) > 2 and not any(not r.constants or not r.terms for r in found):
        found += [r for r in affine(points) if holds(r, points)]
    return sorted(found, key=lambda rule: rule.cost)


def same(a: Rule, b: Rule, points: Sequence[Point]) -> bool:
    """Whether two rules give the same numbers."""
    pairs = ((a.value(p.facts), b.value(p.facts)) for p in points)
    return all(abs(x - y) <= 1e-7 * abs(y) for x, y in pairs)


def holds(rule: Rule, points: Sequence[Point]) -> bool:
    """Whether a rule gives every number, to its uncertainty."""
    for p in points:
        room = CLOSE * max(p.spread, FLOOR * abs(p.value))
        if not abs(rule.value(p.facts) - p.value) <= room:
            return False
    return True


def without_constants(points: Sequence[Point]) -> Iterator[Rule]:
    """Yield 0 and ± 1, ½ or 2 times a product of facts."""
    yield Rule("0", (), 0, lambda facts: 0.0)
    sign = float(numpy.sign(points[0].value)) or 1.0
    for text, terms, product in products(points):
        for number in PLAIN:
            yield scaled(sign * number, text, terms + (number != 1), product, ())


def with_a_constant(points: Sequence[Point]) -> Iterator[Rule]:
    """Yield c times a product of at most one fact, c from every second case."""
    for text, terms, product in products(points, most=1):
        fitted = [p for p in points[::2] if product(p.facts)]
        alike = len({product(p.facts) for p in points}) == 1
        if fitted and not (terms and alike):
            best = min(fitted, key=lambda p: p.spread / abs(p.value or 1.0))
            c = best.value / product(best.facts)
            yield scaled(c, text, terms, product, (c,))
            if text == "1/‖g‖" and c > 0:
                yield clipped(c)


def clipped(c: float) -> Rule:
    """Return min(1, c/‖g‖): clipping by norm."""
    return Rule(
        f"min(1, {written(c)}/‖g‖)", (c,), 2, lambda facts: min(1.0, c / facts["‖g‖"])
    )


def affine(points: Sequence[Point]) -> Iterator[Rule]:
    """Yield c λ + d, from every second case."""
    known = [p for p in points[::2] if "λ" in p.facts]
    if len(known) < 2 or not all("λ" in p.facts for p in points):
        return
    lam = numpy.array([p.facts["λ"] for p in known])
    if numpy.ptp(lam) == 0:
        return
    weights = numpy.array([1 / max(p.spread, FLOOR * abs(p.value)) for p in known])
    columns = numpy.stack([lam, numpy.ones_like(lam)], 1) * weights[:, None]
    values = numpy.array([p.value for p in known]) * weights
    c, d = map(float, numpy.linalg.lstsq(columns, values, rcond=None)[0])
    if abs(c - 1) < 1e-6:
        text = f"λ {'+' if d > 0 else '−'} {written(abs(d))}"
        yield Rule(text, (d,), 1, lambda facts: facts["λ"] + d)
    text = f"{written(c)} λ {'+' if d > 0 else '−'} {written(abs(d))}"
    yield Rule(text, (c, d), 1, lambda facts: c * facts["λ"] + d)


Product = tuple[str, int, Callable[[Facts], float]]


def products(points: Sequence[Point], most: int = 2) -> Iterator[Product]:
    """Yield products of facts that all points have, up to some factors."""
    letters = [n for n in points[0].facts if all(n in p.facts for p in points)]
    yield "", 0, lambda facts: 1.0
    powers = [(n, e) for n in letters for e in (1, -1, 2, -2)]
    for n, e in powers:
        yield power(n, e), abs(e), value_of((n, e))
    if most < 2:
        return
    single = [(n, e) for n, e in powers if abs(e) == 1]
    for (a, i), (b, j) in combinations(single, 2):
        if a != b:
            text = joined(power(a, i), power(b, j))
            yield text, 2, value_of((a, i), (b, j))


def value_of(*powers: tuple[str, int]) -> Callable[[Facts], float]:
    """Return the product of powers of facts, as a function of the facts."""
    return lambda facts: math.prod(facts[n] ** e for n, e in powers)


def power(letter: str, exponent: int) -> str:
    """Return a fact with its exponent, such as 1/T or λ²."""
    body = letter + ("²" if abs(exponent) == 2 else "")
    return body if exponent > 0 else f"1/{body}"


def joined(a: str, b: str) -> str:
    """Return a product of two powers."""
    if a.startswith("1/") and b.startswith("1/"):
        return f"1/({a[2:]} {b[2:]})"
    if a.startswith("1/"):
        return f"{b}/{a[2:]}"
    return f"{a}/{b[2:]}" if b.startswith("1/") else f"{a} {b}"


def scaled(c: float, text: str, terms: int, product, constants) -> Rule:
    """Return c times a product."""
    if not text:
        shown = written(c)
    elif c in (1, -1):
        shown = "−" * int(c < 0) + text
    elif text.startswith("1/"):
        shown = written(c) + text[1:]
    else:
        shown = f"{written(c)} {text}"
    return Rule(shown, constants, terms, lambda facts: c * product(facts))


def written(x: float) -> str:
    """Return a number with as many digits as it deserves: five; of one near 1, nine."""
    digits = 9 if 0 < abs(abs(x) - 1) < 1e-4 else 5
    return f"{x:.{digits}g}".replace("-", "−", 1) if x < 0 else f"{x:.{digits}g}"
