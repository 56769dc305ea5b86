"""A catalogue of mistakes, each a small runnable variant of the reference computation.

mutants.CATALOGUE["lam-halved"]              a class: name, level, effect, found_in
mutants.combined("lam-halved")               runs it: loss, grad, …, outer_step
mutants.combined("lam-halved", "tasks-summed") makes two mistakes at once
"""

from . import (
    implicit,
    inner,
    network,
    outer,
    products,
    solvers,
    squared,
    strength,
    tasks,
)
from .base import Mistake

TOPICS = (network, squared, products, solvers, implicit, strength, tasks, inner, outer)


def mistakes_of(topic) -> list[type[Mistake]]:
    """Return the mistakes that a module defines, in order: what no other builds on."""
    kinds = [kind for kind in vars(topic).values() if isinstance(kind, type)]
    found = [kind for kind in kinds if issubclass(kind, Mistake)]
    return [m for m in found if not any(m in other.__bases__ for other in found)]


CATALOGUE: dict[str, type[Mistake]] = {
    mistake.name: mistake for topic in TOPICS for mistake in mistakes_of(topic)
}


def combined(*names: str, shared: dict | None = None, looks: bool = True) -> Mistake:
    """Return a computation that makes some mistakes at once.

    Args:
        names: Names in the catalogue; none gives the reference.
        shared: φ* and H, kept for all that do not touch them.
        looks: Whether it looks for what should be refused.

    Raises:
        KeyError: If a name is not in the catalogue.
    """
    kinds = tuple(CATALOGUE[name] for name in names) or (Mistake,)
    made = kinds[0]
    if len(kinds) > 1:
        made = type("Combined", kinds, {"name": made.name})
    return made(shared, looks=looks)


def sentence(name: str) -> str:
    """Return what is said of a mistake: the first line of its docstring."""
    return (CATALOGUE[name].__doc__ or "").partition("\n")[0]


__all__ = ["CATALOGUE", "Mistake", "combined", "sentence"]
