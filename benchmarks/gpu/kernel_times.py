"""The kernels of a meta-step one by one, in a process of its own.

    python -m benchmarks.gpu.kernel_times FILE --device cuda --stage graphs

Every launch of a meta-step is written down with its arguments.  Launches of one kernel
with one set of sizes are then timed together: many in a row, as a graph, between two
events on the card.  What a graph lets run side by side is in turn here.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

import imaml_ref as ir
from imaml_ref.kernels import on_machine
from imaml_ref.kernels.graphs import cuda_of
from imaml_ref.kernels.table import KERNELS

from ..shared.imaml_reference import pieces
from ..shared.problem import Problem
from .alone import answer
from .place import Place
from .rehearsal import formulas

REPEATS, ROUNDS = 50, 5
# Their product is the number of multiply-adds of a convolution.
OF_IMAGES = ("tasks", "examples", "out_height", "out_width")
SIZES = (*OF_IMAGES, "size_h", "size_w", "channels", "filters")
WAYS = ("_3xtf32", "_tf32")  # to make the same product on tensor cores


@dataclass
class Written:
    """A launch with its arguments, its launcher, and how often it was made."""

    name: str
    arguments: dict
    run: Callable[[], None]
    launcher: Any = None
    calls: int = 0

    def __call__(self) -> None:
        self.calls += 1
        self.run()

    @property
    def sizes(self) -> dict[str, int]:
        """Its integer arguments."""
        return KERNELS[self.name].ints(self.arguments)

    @property
    def kind(self) -> tuple:
        """What launches that take equally long have in common."""
        return self.name, tuple(self.sizes.items())


class Writing:
    """A machine that writes down what is launched on another one, graphs in turn."""

    def __init__(self, machine):
        self.machine, self.written = machine, []
        self.has = machine.has

    def record(self, run):
        return run

    def launcher(self, dtype):
        return WritingLauncher(self.machine.launcher(dtype), self.written)


class WritingLauncher:
    """A launcher that writes down what it binds."""

    def __init__(self, launcher, written: list[Written]):
        self.launcher, self.written = launcher, written
        self.dtype, self.zeros = launcher.dtype, launcher.zeros

    def bind(self, name: str, **arguments) -> Written:
        run = self.launcher.bind(name, **arguments)
        self.written.append(Written(name, arguments, run, self.launcher))
        return self.written[-1]

    def __call__(self, name: str, **arguments) -> None:
        self.bind(name, **arguments)()


def written_down(problem: Problem, place: Place, stage: str) -> list[Written]:
    """Return the launches of one meta-step, those that nothing calls left out."""
    loss, theta, tasks, settings = pieces(problem, put=place.put)
    writing = Writing(cuda_of(theta) if place.on_card else formulas())
    algorithm = ir.IMAML(loss, **settings)
    ir.set_num_threads(1)  # a device has one queue
    with on_machine(writing), ir.device_stage(stage):
        algorithm(theta, tasks)
        for one in writing.written:
            one.calls = 0
        algorithm(theta, tasks)
        place.wait()
    return [one for one in writing.written if one.calls]


def measured(problem: Problem, place: Place, stage: str) -> dict[str, list[dict]]:
    """Return what is known of each kernel at each of its sizes, the longest first."""
    kinds: dict[tuple, list[Written]] = {}
    for one in written_down(problem, place, stage):
        kinds.setdefault(one.kind, []).append(one)
    found = [row(alike, place) for alike in kinds.values()]
    return {"launches": sorted(found, key=lambda entry: -entry["seconds"])}


def row(alike: list[Written], place: Place) -> dict:
    """Return what is known of launches of one kernel with the same sizes."""
    one, calls = alike[0], sum(other.calls for other in alike)
    each, work = timed(one.run, place), gigaflop(one)
    return {
        "name": one.name,
        "sizes": one.sizes,
        "calls": calls,
        "seconds_each": each,
        "seconds": calls * each,
        "gflop_per_second": work / each if work else None,
        "gigabytes_per_second": gigabytes(one) / each,
        "seconds_each_other_ways": other_ways(one, place),
    }


def other_ways(one: Written, place: Place) -> dict[str, float]:
    """Return the seconds of the kernels that compute the same in another way."""
    names = [f"{one.name}{way}" for way in WAYS if f"{one.name}{way}" in KERNELS]
    bind = partial(one.launcher.bind, **one.arguments) if names else None
    return {name: timed(bind(name), place) for name in names}


def timed(run, place: Place) -> float:
    """Return the seconds of a launch."""
    return (on_card if place.on_card else on_host)(run, place)


def on_card(run, place: Place) -> float:
    """Return the seconds of a launch: of many in a graph, the median of some rounds."""
    cuda = place.xp.cuda
    stream, found = cuda.Stream(non_blocking=True), []
    place.wait()
    with stream:
        run()
        stream.begin_capture()
        for _ in range(REPEATS):
            run()
        graph = stream.end_capture()
        graph.launch()
        for _ in range(ROUNDS):
            start, end = cuda.Event(), cuda.Event()
            start.record()
            graph.launch()
            end.record()
            end.synchronize()
            found.append(cuda.get_elapsed_time(start, end) / 1e3 / REPEATS)
    return float(np.median(found))


def on_host(run, place: Place) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def gigaflop(one: Written) -> float | None:
    """Return the operations of products, in 1e9; None of a kernel without."""
    sizes = one.sizes
    if "k" in sizes:
        inner = sizes["k"] + sizes.get("k2", 0)
        return 2e-9 * sizes["tasks"] * sizes["m"] * sizes["n"] * inner
    if "filters" in sizes:
        of_a_tangent = "jvp" in one.name or "dot" in one.name  # a sum of two products
        return 2e-9 * prod(sizes[name] for name in SIZES) * (1 + of_a_tangent)
    return None


def gigabytes(one: Written) -> float:
    """Return the entries that must be read and written at least once, in 1e9 bytes."""
    times = {"in": 1, "out": 1, "inout": 2}
    kinds = {a.name: times.get(a.kind, 0) for a in KERNELS[one.name].arguments}
    return 1e-9 * sum(
        kinds[name] * a.nbytes for name, a in one.arguments.items() if kinds[name]
    )


if __name__ == "__main__":
    answer(measured, "stage")
