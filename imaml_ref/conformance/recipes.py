"""The problems of the suite, as recipes.toml and networks.toml have them."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

from .case import Array, Case
from .computation import Computation
from .problem import Problems, problem

# The φ at which a problem of this name is refused.
GIVEN: dict[str, Callable[[Case], Array]] = {
    "not-stationary": lambda case: case.phi,
    "saddle": lambda case: Computation().solution(case),
}


def recipes() -> Problems:
    """Yield every problem with an answer, and the levels that it asks for."""
    for name, recipe in book("cases").items():
        case, levels = problem(name, **recipe)
        if name in CHANGES:
            CHANGES[name](case.inputs)
        yield case, levels


def refused() -> Iterator[Case]:
    """Yield problems without a trustworthy meta-gradient at the φ that is given."""
    for name, recipe in book("refused").items():
        why = {"L4": recipe.pop("why")}
        case, _ = problem(name, **recipe)
        inputs = {**case.inputs, "solution": GIVEN[name](case)}
        yield replace(case, inputs=inputs, refuse=why)


def book(part: str) -> dict[str, dict[str, Any]]:
    """Return the recipes of a part by name, each with the network that it names."""
    found, networks = table("recipes")[part], table("networks")
    return {n: r | {"network": networks[r["network"]]} for n, r in found.items()}


def table(name: str) -> dict[str, Any]:
    """Read a TOML file that lies beside this one."""
    file = files(__package__) / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def duplicate(inputs: Mapping[str, Array]) -> None:
    """Have the last support examples be the first ones once more."""
    for name in ("support_x", "support_y"):
        inputs[name][:, 4:] = inputs[name][:, :2]


def flatten(inputs: Mapping[str, Array]) -> None:
    """Have images of one value, so that windows of a pooling hold equal entries."""
    for name in ("support_x", "query_x"):
        inputs[name][:] = inputs[name][:, :, :1, :1]


CHANGES = {"duplicates": duplicate, "ties": flatten}  # to what was drawn
