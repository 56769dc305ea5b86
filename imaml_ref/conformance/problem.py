"""Draw the inputs of a case."""

from collections.abc import Iterator
from typing import Any

import numpy

from ..networks import Network
from .case import Case
from .grid import Grid
from .plain import described

SGD, AT_PHI = {"optimizer": "sgd", "step_size": 0.25}, ("L1", "L2", "L4", "L5")
TO_STEP = (*AT_PHI, "L6")
ALL = (*TO_STEP, "L7")
Problems = Iterator[tuple[Case, tuple[str, ...]]]


def problem(
    name: str,
    title: str,
    net: Network,
    *,
    loss: str = "cross-entropy",
    lam: float = 2.0,
    vector: bool = False,
    tasks: int = 2,
    support: int = 5,
    query: int = 4,
    span: float = 0.5,
    levels: tuple[str, ...] = AT_PHI,
    outer: dict[str, Any] | None = None,
    second_order: bool = True,
    seed: int | None = None,
) -> tuple[Case, tuple[str, ...]]:
    """Draw the inputs of a case; return it with the levels that it asks for."""
    grid = Grid(sum(name.encode()) if seed is None else seed)
    P = net.layout.size
    inputs = {
        "theta": grid.reals((P,), span),
        "phi": grid.reals((tasks, P), span),
        "v": grid.reals((tasks, P)),
        "lam": grid.between((P,), lam / 2, 2 * lam) if vector else numpy.array(lam),
    }
    for which, count in (("support", support), ("query", query)):
        inputs[f"{which}_x"] = grid.reals((tasks, count, *net.input_shape))
        inputs[f"{which}_y"] = labels(grid, loss, tasks, count, net.num_outputs)
    case = Case(
        name,
        title,
        inputs,
        network=described(net),
        loss=loss,
        outer=SGD if outer is None else outer,
        second_order=second_order,
    )
    return case, levels


def labels(grid: Grid, loss: str, tasks: int, count: int, outputs: int):
    """Draw classes, or targets for the squared error."""
    if loss == "squared-error":
        return grid.reals((tasks, count, outputs), 2.0)
    return grid.integers(0, outputs - 1, (tasks, count))
