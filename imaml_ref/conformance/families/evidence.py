"""From fits in single cases to an explanation of all answers to one question.

A family's numbers and factors are known in each case where it fits.  A rule is looked
for behind each of them (``rules``), and what follows from the rules is compared with
every answer to the question, those that pass included:

explained      the answer fails, and is what was predicted
left           the answer fails, and a right one was predicted: somebody else's doing
contradicted   a wrong answer was predicted, and another one came

An explanation with a contradiction is none.  Where what is right is a convention, such
as among equal maxima, rounding decides what a mistake gives: that contradicts nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..case import Array, Case
from ..judge import FAIL, Verdict, given
from .family import Question

Place = tuple[str, str, str]  # case, level, answer
EVIDENCE = 8.0  # digits times entries: one number that agrees may do so by chance
ROUGH = 3.0  # digits of a step of CG, where rounding leaves no more
SILENT = 6.0  # digits from which a failing answer may be one of rounding
KINKED = ("ReLU", "MaxPool2d")
PROBES = 4  # failing answers at which a family is tried first


@dataclass(frozen=True)
class Explanation:
    """A mistake, with its numbers, that no answer to a question contradicts.

    Args:
        names: Families or mistakes of the catalogue; two made at once are joined.
        say: What is to be said.
        numbers: Its numbers as they are written, by name.
        mistakes: How many mistakes it is.
        cost: What is simple comes first.
        predict: What it gives, at any answer to the question; None where it is right.
        where: The questions that it says something about; empty for all.
        explained: Digits of agreement where it explains an answer.
    """

    names: tuple[str, ...]
    say: str
    numbers: Mapping[str, str]
    cost: tuple[int, ...]
    predict: Callable[[Verdict], Array | None]
    where: tuple[Question, ...] = ()
    explained: Mapping[Place, float] = field(default_factory=dict)


def place(verdict: Verdict) -> Place:
    """Return where a verdict was given."""
    return verdict.case, verdict.level, verdict.answer


def compared(
    lab: Any, found: Explanation, verdicts: Iterable[Verdict], *, strict: bool = True
):
    """Return an explanation with what it explains; None if an answer contradicts it.

    Args:
        lab: The cases.
        found: The explanation.
        verdicts: The answers.
        strict: Whether a contradiction is the end of it; else what it explains counts.
    """
    explained: dict[Place, float] = {}
    roughly: dict[Place, float] = {}
    for verdict in verdicts:
        if found.where and (verdict.level, verdict.answer) not in found.where:
            continue
        theirs = found.predict(verdict)
        failed = verdict.outcome == FAIL
        digits = None if theirs is None or not failed else lab.matches(verdict, theirs)
        if theirs is None or (digits is None and lab.invisible(verdict, theirs)):
            continue
        rough = rounded(lab, verdict, theirs) if failed and strict else None
        if digits is not None:
            explained[place(verdict)] = digits
        elif rough is not None:
            roughly |= {place(verdict): rough} if rough else {}
        elif strict and not (failed and lab.answer(verdict).conventions):
            return None
    if not explained:
        return None
    return replace(found, explained=explained | roughly)


def rounded(lab: Any, verdict: Verdict, theirs: Array) -> float | None:
    """Return digits of agreement that an ill-conditioned system leaves, or None.

    Steps of CG differ by far more than a solution does: what is closer to an answer by
    three digits than what is right explains it, and what is nearly as close as one
    must be to what is right says nothing, 0.
    """
    case = lab.case(verdict)
    if verdict.level == "L5" and any(has(case, kind) for kind in KINKED):
        return 0.0  # another inner problem has several solutions there
    digits = lab.near(verdict, given(verdict), theirs)
    nearer = digits >= max(ROUGH, (verdict.digits or 0.0) + ROUGH)
    if verdict.level == "L3" and nearer:
        return digits
    return 0.0 if digits >= max(SILENT, (verdict.required or 0.0) - 2) else None


# What kind of case a mistake may be confined to.
KINDS: dict[str, Callable[[Case], bool]] = {
    "": lambda case: True,
    "with the squared error": lambda case: case.loss == "squared-error",
    "with cross-entropy": lambda case: case.loss == "cross-entropy",
    "with a λ per parameter": lambda c: bool(c.network) and c.inputs["lam"].ndim == 1,
    "with one λ": lambda c: bool(c.network) and c.inputs["lam"].ndim == 0,
    "with batch normalisation": lambda case: has(case, "BatchNorm2d"),
    "with images": lambda case: has(case, "Conv2d"),
    "without images": lambda case: bool(case.network) and not has(case, "Conv2d"),
    "with Adam": lambda case: case.outer.get("optimizer") == "adam",
    "with gradient descent": lambda case: case.outer.get("optimizer") == "sgd",
}


def ends(
    lab: Any, anywhere: Explanation, verdicts: Iterable[Verdict], inside: Callable
) -> bool:
    """Whether a mistake is seen to end where a kind of case does.

    It is if an answer outside passes that it would change.  Where all of them fail, and
    are not what it gives, another mistake looks like this one inside: clamping to ± c
    is the identity where nothing reaches c.
    """
    for v in verdicts:
        if v.outcome != FAIL and not inside(lab.case(v)):
            theirs = anywhere.predict(v)
            if theirs is not None and not lab.invisible(v, theirs):
                return True
    return False


def layers(case: Case) -> set[str]:
    """Return the kinds of layers of a case; none of a linear system."""
    return {layer["type"] for layer in (case.network or {}).get("layers", ())}


def has(case: Case, kind: str) -> bool:
    """Whether a network has a layer of some kind."""
    return kind in layers(case)


def probes(lab: Any, failing: Sequence[Verdict]) -> list[Verdict]:
    """Return the failing answers at which a family is tried first.

    The cheapest of each kind: a mistake may be confined to one.
    """
    cheap = [v for v in failing if v.level != "L7" or lab.slope_of(lab.case(v)).affine]
    found: dict[tuple, list[Verdict]] = {}
    for v in cheap or failing:
        if given(v).size > 4 or len(failing) < PROBES:
            kinds = tuple(test(lab.case(v)) for test in KINDS.values())
            found.setdefault(kinds, []).append(v)
    first = [v for same in found.values() for v in same[:1]]
    second = [v for same in found.values() for v in same[1:3]]
    return (first + second)[:PROBES] or list((cheap or failing)[:PROBES])


def rests_on_one(
    one: Explanation, failing: Sequence[Verdict], everything: Sequence[Verdict]
) -> bool:
    """Whether one case of several that fail is all that something explains.

    That may be chance where it was fitted, and where the others were explained before.

    Args:
        one: The explanation.
        failing: What fails and is not explained.
        everything: What fails.
    """
    cases = {case for case, _, _ in one.explained}
    chance = bool(one.numbers) or one.cost[0] > 1 or len(everything) > len(failing)
    return chance and len(cases) == 1 and len({v.case for v in everything}) > 1


def denied(
    lab: Any, one: Explanation, here: Question, verdicts: Iterable[Verdict]
) -> bool:
    """Whether an answer to another question fails, and not as an explanation has it."""
    for v in verdicts:
        at = (v.level, v.answer)
        if v.outcome == FAIL and at != here and at in one.where:
            theirs = one.predict(v)
            if theirs is not None and lab.matches(v, theirs) is None:
                return True
    return False


def is_simpler(one: Explanation, other: Explanation) -> bool:
    """Whether the same is said with fewer facts: by another family, or by much."""
    if one.cost[:2] != other.cost[:2]:
        return False
    terms = other.cost[2] - one.cost[2]  # two facts are near to many numbers
    same = one.names == other.names
    return terms > 1 if same else one.cost[1] > 0 and terms > 0
