"""The problems of the suite, as recipes.toml and networks.toml have them."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy

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
        inputs[name][:, -2:] = inputs[name][:, :2]


def flatten(inputs: Mapping[str, Array]) -> None:
    """Have images of one value, so that windows of a pooling hold equal entries."""
    for name in ("support_x", "query_x"):
        inputs[name][:] = inputs[name][:, :, :1, :1]


def silence(inputs: Mapping[str, Array]) -> None:
    """Have two of four units be exactly 0 at the first two examples, at every φ.

    Their features are −½, 0 or ½ there, and the kernel's numbers even, so that biases
    on the grid can cancel what comes: φ is (3, 4) of the kernel, then 4 biases, …
    """
    x, phi = inputs["support_x"], inputs["phi"]
    x[:, :2] = numpy.round(2 * x[:, :2]) / 2
    x[:, :2, 0] = 0.5
    kernel, bias = phi[:, :12].reshape(-1, 3, 4), phi[:, 12:16]
    kernel[:] = numpy.round(kernel * 512) / 512
    for unit, example in enumerate((0, 1)):
        bias[:, unit] = -(x[:, example] * kernel[..., unit]).sum(1)


def mirror(inputs: Mapping[str, Array]) -> None:
    """Have two pixels of a window be equal after the convolution, but not before.

    Their channels are swapped, and the kernel takes both channels alike.
    """
    x, phi = inputs["support_x"], inputs["phi"]
    x[..., 1, :] = x[..., 0, ::-1]
    phi[:, 3:6] = phi[:, :3]


CHANGES = {  # to what was drawn
    "duplicates": duplicate,
    "ties": flatten,
    "relu-at-zero": silence,
    "max-pool-ties": mirror,
}
