"""One problem of a user, as the families see it: a case, and where they are tried."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..networks import Network
from .case import Array, Case
from .computation import Computation
from .families.ground import Ground, facts_of
from .families.krylov import Reduced
from .judge import Verdict
from .laboratory import Laboratory


@dataclass(frozen=True)
class OwnCase(Case):
    """A case on a network and a loss that the user made."""

    own: Any = None

    @property
    def net(self) -> Network:  # type: ignore[override]
        """The user's network."""
        return self.own.net


class OwnSubject(Computation):
    """The reference computation on the user's loss, whatever it is."""

    def linearized(self, case: Case, phi: Array, x: Array, y: Array) -> Any:
        """Return the loss at φ with its derivatives."""
        return case.own.linearize(phi, x, y)  # type: ignore[attr-defined]


class Untold(dict[str, float]):
    """Facts that can be looked up, and are not listed."""

    def __iter__(self) -> Iterator[str]:
        return iter(())


class OwnLaboratory(Laboratory):
    """One problem: numbers are told as numbers, since no rule can be tested.

    Args:
        cases: The problem, and the one of its query set.
        known: Whether the catalogue can be run on its network and loss.
    """

    def __init__(self, cases: list[OwnCase], known: bool):
        super().__init__(cases)
        self.known = known

    def subject(self, *names: str) -> Any:
        """Return the computation that makes some mistakes, or the user's own."""
        return super().subject(*names) if self.known else OwnSubject()

    def answers(self, names: Any, case: str, level: str) -> Mapping[str, Array]:
        """Return what mistakes of the catalogue answer, where they can be made."""
        return super().answers(names, case, level) if self.known else {}

    def facts(self, verdict: Verdict) -> Mapping[str, float]:
        """Return λ where it is asked for by name, and none to make rules of."""
        return Untold(facts_of(self.case(verdict)))


class KrylovLaboratory(OwnLaboratory):
    """One problem with many parameters: meta-gradients in coordinates of a basis.

    Args:
        cases: See ``OwnLaboratory``.
        reduced: (5) in that basis.
    """

    def __init__(self, cases: list[OwnCase], reduced: Reduced):
        super().__init__(cases, False)
        self.basis, self.reduced = reduced.basis, reduced.ground

    def ground(self, verdict: Verdict) -> Ground:
        """Return the ground in the basis."""
        return self.reduced

    def target(self, verdict: Verdict) -> Array:
        """Return a meta-gradient in the basis; ``matches`` sees what is outside."""
        found = super().target(verdict)
        return self.basis.down(found) if verdict.answer == "meta_grad" else found

    def restored(self, verdict: Verdict, a: Array) -> Array:
        """Return an answer from its coordinates."""
        return self.basis.up(a) if verdict.answer == "meta_grad" else a
