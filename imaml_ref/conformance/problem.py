"""Draw the inputs of a case."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from .case import Array, Case
from .grid import Grid
from .levels import LEVELS
from .plain import built, described

SGD = {"optimizer": "sgd", "step_size": 0.25}
OF_NETWORKS = tuple(level for level in LEVELS if level not in ("L3", "U"))
SHARED = ("theta", "lam")  # by all tasks
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
    scale: float = 1.0,
    groups: Sequence[Mapping[str, int]] = (),
    keep: Sequence[int] = (),
    first: str = "L1",
    last: str = "L5",
    outer: Mapping[str, Any] = SGD,
    unrolled: Mapping[str, Any] | None = None,
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
        scale: A power of two, times which θ, φ and the targets are.
        groups: Where tasks are of unequal size: ``tasks``, ``support`` and ``query`` of
            each group.
        keep: Which of the tasks that are drawn are kept, those that keep away from
            kinks; all by default.
        first: The first level that it asks for.
        last: The last level that it asks for, U aside.
        outer: See ``Case``.
        unrolled: See ``Case``; U is asked for if there is one.
        second_order: See ``Case``.
        seed: Of the draws; by default it follows from the name.
    """
    net = built(network)
    grid = Grid(sum(name.encode()) if seed is None else seed)
    P = net.layout.size
    sizes = groups or ({"tasks": tasks, "support": support, "query": query},)
    tasks = sum(size["tasks"] for size in sizes)
    inputs = {
        "theta": grid.reals((P,), span) * scale,
        "phi": grid.reals((tasks, P), span) * scale,
        "v": grid.reals((tasks, P)),
        "lam": grid.between((P,), lam / 2, 2 * lam) if vector else numpy.array(lam),
    }
    sets: list[dict[str, Array]] = [{} for _ in sizes]
    for found, size in zip(sets, sizes, strict=True):
        for which in ("support", "query"):
            lead = size["tasks"], size[which]
            x = grid.reals((*lead, *net.input_shape))
            found[f"{which}_x"] = x * numpy.array(scales, float)
            y = labels(grid, loss, *lead, net.num_outputs)
            found[f"{which}_y"] = y if scale == 1 else y * scale
    inputs |= {} if groups else sets[0]
    if keep:
        of_tasks = {k: a[list(keep)] for k, a in inputs.items() if k not in SHARED}
        inputs |= of_tasks
    case = Case(
        name,
        title,
        inputs,
        network=described(net),
        loss=loss,
        outer=outer,
        unrolled=unrolled or {},
        sets=tuple(sets) if groups else (),
        second_order=second_order,
    )
    levels = [level for level in OF_NETWORKS if first <= level <= last]
    return case, tuple(levels + ["U"] * bool(unrolled))


def labels(grid: Grid, loss: str, tasks: int, count: int, outputs: int):
    """Draw classes, or targets for the squared error."""
    if loss == "squared-error":
        return grid.reals((tasks, count, outputs), 2.0)
    return grid.integers(0, outputs - 1, (tasks, count))
