"""Draw the inputs of a case."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from .case import Case
from .grid import Grid
from .levels import LEVELS
from .plain import built, described

SGD = {"optimizer": "sgd", "step_size": 0.25}
OF_NETWORKS = tuple(level for level in LEVELS if level != "L3")
Problems = Iterator[tuple[Case, tuple[str, ...]]]


def problem(
    name: str,
    *,
    title: str,
    network: Mapping[str, Any],
    loss: str = "cross-entropy",
    lam: float = 2.0,
    vector: bool = False,
    tasks: int = 2,
    support: int = 5,
    query: int = 4,
    span: float = 0.5,
    scales: Sequence[float] = (1,),
    last: str = "L5",
    outer: Mapping[str, Any] = SGD,
    second_order: bool = True,
    seed: int | None = None,
) -> tuple[Case, tuple[str, ...]]:
    """Draw the inputs of a case; return it with the levels that it asks for.

    Args:
        name: See ``Case``.
        title: See ``Case``.
        network: As ``plain`` describes it; what is left out is a layer's default.
        loss: See ``Case``.
        lam: λ.
        vector: Whether there is a λ per parameter, from λ/2 to 2λ.
        tasks: T.
        support: Support examples of a task.
        query: Query examples of a task.
        span: Largest entry of θ and φ.
        scales: Factors on the features.
        last: The last level that it asks for.
        outer: See ``Case``.
        second_order: See ``Case``.
        seed: Of the draws; by default it follows from the name.
    """
    net = built(network)
    grid = Grid(sum(name.encode()) if seed is None else seed)
    P = net.layout.size
    inputs = {
        "theta": grid.reals((P,), span),
        "phi": grid.reals((tasks, P), span),
        "v": grid.reals((tasks, P)),
        "lam": grid.between((P,), lam / 2, 2 * lam) if vector else numpy.array(lam),
    }
    for which, count in (("support", support), ("query", query)):
        x = grid.reals((tasks, count, *net.input_shape))
        inputs[f"{which}_x"] = x * numpy.array(scales, float)
        inputs[f"{which}_y"] = labels(grid, loss, tasks, count, net.num_outputs)
    case = Case(
        name,
        title,
        inputs,
        network=described(net),
        loss=loss,
        outer=outer,
        second_order=second_order,
    )
    return case, tuple(level for level in OF_NETWORKS if level <= last)


def labels(grid: Grid, loss: str, tasks: int, count: int, outputs: int):
    """Draw classes, or targets for the squared error."""
    if loss == "squared-error":
        return grid.reals((tasks, count, outputs), 2.0)
    return grid.integers(0, outputs - 1, (tasks, count))
