"""What a diagnosis says, in words."""

from dataclasses import dataclass

from .mutants import CATALOGUE, sentence

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
    """

    places: tuple[Place, ...]
    names: tuple[str, ...] = ()
    digits: float = 0.0
    factor: float | None = None

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
        places = (CATALOGUE[name].found_in for name in singles)
        return tuple(dict.fromkeys(place for place in places if place))

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
        if self.factor is not None:
            return (
                f"every entry is {self.factor:.4g} of what is expected, and no mistake "
                "of the catalogue gives that"
            )
        if not self.names and self.digits:
            return (
                f"right to {self.digits:.1f} digits, fewer than are asked for: a "
                "tolerance, perhaps; no mistake of the catalogue fits"
            )
        if not self.names:
            return (
                f"no mistake of the catalogue of {len(CATALOGUE)} that was tried fits, "
                "nor any two that were tried together"
            )
        head = f"this is what you get with {' or '.join(self.names)}"
        tied = ", which cannot be told apart here" if len(self.names) > 1 else ""
        seen = f" Found in {'; '.join(self.found_in)}." if self.found_in else ""
        said = " ".join(dict.fromkeys(map(told, self.names)))
        return f"{head} ({self.digits:.1f} digits){tied}. {said}{seen}"


def told(name: str) -> str:
    """Return what a name means, or two joined by " + "."""
    return " ".join(sentence(one) for one in name.split(" + "))
