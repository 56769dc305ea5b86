"""Generate the suite, from the recipes to the certified answers.

    python -m imaml_ref.conformance.build suite.h5

Inputs come out bit for bit the same everywhere; answers to their certified digits.
"""

import sys
from collections.abc import Iterator

import numpy

from ..compute import one_blas_thread
from .case import Case
from .certify import certified, second_order_share
from .descent import astray
from .grid import on_grid
from .kinks import distance
from .recipes import recipes, refused
from .suite import write_suite
from .systems import systems

LEAST_SECOND_ORDER = 0.05
CLEAR = 1e-4  # least distance to a kink, beside the size of what bends
NEAR = 1e-6  # most that descent may be away from φ*, relative
SPARE = 0.5  # digits by which a certificate exceeds what is required
# What is on the grid times 2⁻³⁰.
TINY = {
    "tiny-right-hand-side": ("b",),
    "ridge-adam-tiny": ("theta", "phi", "support_y", "query_y"),
}


def problems() -> Iterator[tuple[Case, tuple[str, ...]]]:
    """Yield every case before it is answered, and the levels that are to be."""
    yield from recipes()
    yield from ((case, ()) for case in refused())
    yield from ((case, () if case.refuse else ("L3",)) for case in systems())


def checked(case: Case) -> Case:
    """Return a case that is what it is meant to be.

    Raises:
        AssertionError: If its inputs are off the grid, its certificates too weak, its
            second-order terms too small, or its φ* not where descent arrives.
    """
    for name, a in case.inputs.items():
        scale = 2.0**30 if name in TINY.get(case.name, ()) else 1.0
        demand(
            name == "solution" or on_grid(a * scale), case, f"{name} is off the grid"
        )
    if "L4" in case.answers:
        alive_everywhere = all(map(alive, case.groups))
        demand(alive_everywhere, case, "an activation is zero for every example at φ*")
        demand(distance(case) >= CLEAR, case, "a kink is too near")
        demand(astray(case) <= NEAR, case, "descent from θ arrives at another φ*")
    for level, answers in case.answers.items():
        for name, answer in answers.items():
            enough = answer.certified >= answer.required["float64"] + SPARE
            demand(enough, case, f"{level} {name}: {answer.certified:.1f} digits")
    if case.second_order and "L4" in case.answers:
        share = second_order_share(case)
        demand(share >= LEAST_SECOND_ORDER, case, f"first order is {share:.1%} away")
    return case


def alive(case: Case) -> bool:
    """Whether every layer has an entry that is not zero, at the φ* of every task."""
    p, y = case.net.unpack(case.solution), case.tasks.support_x
    found = []
    for name, layer in case.net.layers.items():
        y, _ = layer.forward(p[name], y)
        found.append(bool((y.reshape(len(y), -1) != 0).any(1).all()))
    return all(found)


def demand(condition: bool, case: Case, text: str) -> None:
    """Stop where a case is not what it is meant to be.

    Raises:
        AssertionError: If the condition does not hold.
    """
    if not condition:
        raise AssertionError(f"{case.name}: {text}")


def main(arguments: list[str]) -> None:
    """Write the suite to the path that is given, and print what it holds."""
    (path,) = arguments
    with one_blas_thread(), numpy.errstate(all="raise", under="ignore"):
        found = []
        for problem, levels in problems():
            case = checked(certified(problem, levels))
            found.append(case)
            digits = [
                a.certified for level in case.answers.values() for a in level.values()
            ]
            least = f"{min(digits):.1f} digits" if digits else "refused"
            print(f"{case.name:22} {' '.join(case.levels):22} {least}", flush=True)
        write_suite(path, found)


if __name__ == "__main__":
    main(sys.argv[1:])
