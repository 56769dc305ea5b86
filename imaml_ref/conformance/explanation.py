"""What a diagnosis says, in words."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .judge import PASS, Report
from .mutants import CATALOGUE

MOST_CASES = 4  # that are listed by name

Place = tuple[str, str, str]  # case, level, answer


@dataclass(frozen=True)
class Diagnosis:
    """What one or more failing answers are.

    Args:
        places: Case, level and name of each answer that it explains.
        names: Mistakes that explain it, tied; two made at once are joined by " + ".
            Empty if none fits.
        digits: In which the answers agree with the first of them, the fewest; if none
            fits, with what is right, where that is more than a few.
        factor: The answers over the right ones, if that is one number and none fits.
        says: What each of the names means, its numbers in it.
        numbers: The numbers of the first, as they are written: "0.0371", "1/T".
        note: What else there is to say.
    """

    places: tuple[Place, ...]
    names: tuple[str, ...] = ()
    digits: float = 0.0
    factor: float | None = None
    says: tuple[str, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases that it is about."""
        return tuple(dict.fromkeys(case for case, _, _ in self.places))

    @property
    def level(self) -> str:
        """The lowest level that it is about."""
        return min(level for _, level, _ in self.places)

    @property
    def answer(self) -> str:
        """The first answer that it is about."""
        return next(name for _, level, name in self.places if level == self.level)

    @property
    def found_in(self) -> tuple[str, ...]:
        """Public code in which the mistakes were found."""
        singles = (one for name in self.names for one in name.split(" + "))
        known = (CATALOGUE[name] for name in singles if name in CATALOGUE)
        return tuple(dict.fromkeys(m.found_in for m in known if m.found_in))

    @property
    def text(self) -> str:
        """One paragraph."""
        return f"{self.where}: {self.what}"

    @property
    def where(self) -> str:
        """The answers, such as "L4 meta_grad of ridge and 3 more cases"."""
        levels = dict.fromkeys(f"{level} {name}" for _, level, name in self.places)
        more = len(self.cases) - MOST_CASES
        cases = ", ".join(self.cases[:MOST_CASES]) + (f" and {more} more" * (more > 0))
        return f"{', '.join(sorted(levels))} of {cases}"

    @property
    def what(self) -> str:
        """What they are."""
        return " ".join(part for part in (self.body, self.note) if part)

    @property
    def body(self) -> str:
        """What they are, without the note."""
        if self.names:
            names = [n for n in self.names if n != "sum"]
            if not names:
                said = " Or: ".join(dict.fromkeys(self.says))
                return f"{said} ({self.digits:.1f} digits)"
            head = f"this is what you get with {' or '.join(names)}"
            tied = ", which cannot be told apart here" if len(self.names) > 1 else ""
            seen = f" Found in {'; '.join(self.found_in)}." if self.found_in else ""
            said = " ".join(dict.fromkeys(self.says))
            return f"{head} ({self.digits:.1f} digits){tied}. {said}{seen}"
        if self.factor is not None:
            return (
                f"every entry is {self.factor:.4g} of what is expected, and no mistake "
                "that is known gives that"
            )
        if self.digits:
            return (
                f"right to {self.digits:.1f} digits, fewer than are asked for: a "
                "tolerance, perhaps; no mistake that was tried fits"
            )
        return "no mistake that was tried fits, nor any two that were tried together"


def merged(diagnoses: Iterable[Diagnosis]) -> Iterator[Diagnosis]:
    """Yield diagnoses, those that name the same as one."""
    found: dict[tuple, Diagnosis] = {}
    for one in diagnoses:
        key = (one.names, one.says) if one.names else (id(one),)
        before = found.get(key)
        if before is None:
            found[key] = one
            continue
        notes = dict.fromkeys(n for n in (before.note, one.note) if n)
        found[key] = replace(
            before,
            places=before.places + one.places,
            digits=min(before.digits, one.digits),
            note=" ".join(notes),
        )
    yield from found.values()


def where_to_look(report: Report, places: tuple[Place, ...]) -> str:
    """Return what passes beside what fails, where that tells where to look."""
    level = min(level for _, level, _ in places)
    passed = {
        (v.case, v.answer)
        for v in report.verdicts
        if v.outcome == PASS and v.level == "L4"
    }
    told = {answer for _, _, answer in places}
    right = all((c, "meta_grad") in passed for c, _, _ in places)
    if level == "L5" and "lam_grad" not in told and right:
        return (
            "L4 is right in these cases and L5 is not: (5) is right where φ* is "
            "given, and the inner loop is where to look."
        )
    return ""
