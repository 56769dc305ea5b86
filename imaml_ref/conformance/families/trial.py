"""A model with free numbers, tried on all answers to one question.

Its numbers are fitted where it fits; a rule is looked for behind each; what follows
from the rules is compared with every answer (``evidence``).
"""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any

from ..case import Array
from ..judge import FAIL, Verdict, given
from .evidence import (
    EVIDENCE,
    KINDS,
    Explanation,
    Place,
    compared,
    ends,
    place,
    probes,
)  # fmt: skip
from .family import Family
from .fitting import Fit, good, projected
from .rules import Point, Rule, rules
from .steps import fit, steps_of

SHARP = 1e-2  # relative uncertainty above which a number says nothing
MOST_RULES = 12  # combinations of rules that are compared with all answers


class Trial:
    """A model with free numbers, tried on the answers to one question.

    Args:
        lab: The cases.
        verdicts: All answers to the question, failing or not.
        names: See ``Explanation``.
        numbers: Names of its real numbers, then "" for each factor.
        columns: (verdict, values, steps) → the columns whose sum it is, or None.
        fits: (verdict) → the good fits at an answer.
        say: Writes the sentence, from the numbers as written by name and the factors.
        where: See ``Explanation``.
        mistakes: How many mistakes it is, factors aside.
        in_time: Whether there is time left.
    """

    def __init__(
        self, lab, verdicts, names, numbers, columns, fits, say, where, mistakes=1,
        in_time=lambda: True,
    ):  # fmt: skip
        self.where, self.in_time = where, in_time
        self.lab, self.verdicts, self.names = lab, list(verdicts), names
        self.numbers, self.columns, self.fits = tuple(numbers), columns, fits
        self.reals = list(dict(numbers).values())
        self.say, self.mistakes = say, mistakes
        self.failing = [v for v in self.verdicts if v.outcome == FAIL]

    def explanations(self) -> Iterator[Explanation]:
        """Yield what no answer contradicts."""
        probed: dict[Place, list[Fit]] = {}
        hints: list[Fit] = []
        for v in probes(self.lab, self.failing):
            probed[place(v)] = self.fits(v)
            hints = [f for f in probed[place(v)] if is_sharp(f)]
            if hints or not self.in_time():
                break
        if not any(probed.values()):
            return
        for v in self.failing:
            if place(v) not in probed and self.in_time():
                probed[place(v)] = self.fits(v, hints)
        seen = [(v, probed[place(v)]) for v in self.failing if probed.get(place(v))]
        for steps in steps_of([fits for _, fits in seen]):
            fitted = [(v, f) for v, fits in seen for f in fits if f.steps in (0, steps)]
            yield from self.with_rules(fitted, steps)

    def with_rules(self, fitted: list[tuple[Verdict, Fit]], steps: int):
        """Yield explanations whose numbers follow rules."""
        choices = self.rules_of(fitted)
        if choices is None:
            return
        combos = sorted(
            product(*choices),
            key=lambda c: sum((r.terms for r in c), 0)
            + 10 * sum(len(r.constants) for r in c),
        )
        for chosen in islice(combos, MOST_RULES):
            for kind, test in KINDS.items():
                if not all(test(self.lab.case(v)) for v, _ in fitted):
                    continue
                made = compared(
                    self.lab, self.made(chosen, steps, kind, test), self.verdicts
                )
                if made is not None and self.predicts(made):
                    anywhere = self.made(chosen, steps, "", KINDS[""])
                    if not kind or ends(self.lab, anywhere, self.verdicts, test):
                        yield made
                    break

    def predicts(self, made: Explanation) -> bool:
        """Whether more is explained than its constants were fitted to."""
        _, constants, *_ = made.cost
        known = (given(v).size for v in self.failing if place(v) in made.explained)
        left = sum(known) - constants
        return left > 0 and min(made.explained.values()) >= EVIDENCE / left

    def rules_of(self, fitted) -> list[list[Rule]] | None:
        """Return the rules for each number and each factor."""
        facts = [self.lab.facts(v) for v, _ in fitted]
        count = len(self.numbers)
        found = []
        for i in range(count + len(fitted[0][1].factors)):
            points = []
            for known, (_, f) in zip(facts, fitted, strict=True):
                if any(
                    s > SHARP * abs(x) for s, x in zip(f.spread, f.values, strict=True)
                ):
                    continue  # its numbers cannot be told apart there
                if i < count:
                    value, spread = f.values[i], f.spread[i]
                else:
                    value = f.factors[i - count]
                    spread = max(f.residual, 1e-11) * abs(value)
                if spread <= SHARP * abs(value):
                    points.append(Point(known, float(value), float(spread)))
            options = rules(points) if points else []
            if i < count:
                options = [rule for rule in options if self.reals[i].allows(rule)]
            if not options:
                return None
            found.append(options[:4])
        return found

    def made(self, chosen: Sequence[Rule], steps: int, kind: str, test) -> Explanation:
        """Return the explanation that some rules are."""
        count = len(self.numbers)
        values, factors = chosen[:count], chosen[count:]

        def predict(verdict: Verdict) -> Array | None:
            if not test(self.lab.case(verdict)):
                return None
            facts = self.lab.facts(verdict)
            try:
                p = [rule.value(facts) for rule in values]
                a = [rule.value(facts) for rule in factors]
            except KeyError:
                return None
            columns = self.columns(verdict, p, steps)
            if columns is None:
                return None
            total = sum(x * c for x, c in zip(a, columns, strict=True))
            return self.lab.restored(verdict, total)

        written = {n: r.text for n, r in zip(self.numbers, values, strict=True)}
        if steps:
            written["steps"] = str(steps)
        odd = [r for r in factors if r.text != "1"] if len(factors) == 1 else []
        constants = sum(len(rule.constants) for rule in chosen)
        mistakes = self.mistakes + len(odd)
        terms = sum(rule.terms for rule in chosen) + bool(steps) + bool(kind)
        text = self.say(written, [rule.text for rule in factors])
        return Explanation(
            self.names,
            f"{text[:-1]}, {kind}." if kind else text,
            written | ({"factor": odd[0].text} if odd else {}),
            (mistakes + constants + bool(kind and constants), constants, terms),
            predict,
            self.where,
        )


def is_sharp(fit: Fit) -> bool:
    """Whether the numbers of a fit can be told, each to a hundredth."""
    pairs = zip(fit.spread, fit.values, strict=True)
    return all(spread <= SHARP * abs(value) for spread, value in pairs)


def of_family(
    lab: Any, verdicts: Sequence[Verdict], family: Family, in_time=lambda: True
) -> Trial:
    """Return the trial of a family, a factor in front, while there is time."""

    def columns(verdict, p, steps):
        found = family.at(lab, verdict, *p)
        if found is None:
            return None
        if family.steps:
            # A solver that ends early keeps its x; a walk that runs away has no end.
            endless = family.part in ("network", "inner")
            if not len(found) or (endless and steps > len(found)):
                return None
            found = found[min(steps, len(found)) - 1]
        return [found]

    def say(written, factors):
        words = {k: v for k, v in written.items() if k != "steps"}
        if family.steps:
            words[family.steps] = written.get("steps", "")
        text = family.say.format(**words)
        (factor,) = factors
        return (
            text
            if factor == "1"
            else f"{text[:-1]}, and the result comes {factor} times."
        )

    return Trial(
        lab, verdicts, (family.name,), family.numbers, columns,
        lambda v, hints=(): fit(family, lab, v, (), hints), say, family.where,
        1 + (" + " in family.name), in_time,
    )  # fmt: skip


def of_columns(lab: Any, verdicts, names: tuple[str, ...], right: str, source) -> Trial:
    """Return the trial of a sum of one or two known vectors."""

    def columns(verdict, p, steps):
        known = source(lab, verdict)
        return [known[n] for n in names] if all(n in known for n in names) else None

    def fits(verdict, hints=()):
        found = columns(verdict, (), 0)
        if found is None or verdict.got.size < len(names):
            return []
        if verdict.got.size == len(names) == 2:
            return []
        a, _, left = projected(lab.target(verdict), found)
        return [Fit((), (), tuple(a), left)] if left <= good(verdict.got) else []

    def say(written, factors):
        shown = " + ".join(
            n if f == "1" else f"−{n}" if f == "−1" else f"{f} · {n}"
            for f, n in zip(factors, names, strict=True)
        )
        return f"What comes is {shown}; right is {right}."

    level, answer = verdicts[0].level, verdicts[0].answer
    twins = {"L4": (("L4", answer), ("L5", answer))}
    where = twins.get(level, ((level, answer),))
    return Trial(lab, verdicts, ("sum",), (), columns, fits, say, where, len(names))
