"""One point in a process of its own: its time, its peak memory.

    python -m benchmarks.scaling.point POINT

POINT is a ``grid.Point`` as JSON; the answer is a line of JSON: the seconds of a
meta-step and its peak of memory in bytes, beyond data, libraries and the same program
for a tiny problem.  With ``marginal`` also the seconds of a meta-step without inner
steps, and of one gradient of the support losses alone: same tasks, same chunks, same
threads, as many before the meta-step as after it.
"""

import json
import os
import sys
import time
from contextlib import closing
from dataclasses import replace
from importlib import import_module

import numpy as np

import imaml_ref as ir
from imaml_ref.meta_gradients import each_chunk

from ..shared import memory
from ..shared.imaml_reference import pieces
from ..shared.problem import Contender, Problem
from ..shared.session import answering
from ..shared.worker import clean, keep_to_cores
from ..shared.workloads import Workload, draw
from .grid import OURS, Point

ALONE = 4  # for every so many inner steps, one gradient before and one after
COMPARED = 8  # inner steps up to which unrolled gradients are compared
FEWEST, MOST = 10, 250  # gradients before, and after


def problem(point: Point) -> Problem:
    """Draw the problem of a point."""
    workload = Workload(
        point.ways, point.shots, point.tasks, point.inner_steps, point.cg_steps
    )
    theta = net(point).init(np.random.default_rng(1), dtype=np.float32)
    return replace(draw(workload, point.threads), theta=theta)


def net(point: Point):
    """Return the net of a point."""
    return ir.architectures.omniglot_cnn(point.ways, num_filters=point.filters)


class Ours:
    """imaml_ref on a problem: a meta-step with any number of inner steps.

    Args:
        network: The net.
        problem: Tasks, θ and settings.
    """

    def __init__(self, network, problem: Problem):
        ir.set_num_threads(problem.threads)
        self.problem = problem
        self.loss, _, self.tasks, self.settings = pieces(problem, network)

    def step(self, inner_steps: int | None = None):
        """Make one meta-step and return its gradient."""
        problem, settings = self.problem, self.settings
        if inner_steps is not None:
            inner = ir.GradientDescent(problem.step_size, inner_steps)
            settings = settings | {"inner": inner}
        return ir.IMAML(self.loss, **settings)(problem.theta, self.tasks).grad

    def gradients(self, count: int) -> float:
        """Return the seconds of one ∇L for all tasks; it is computed so many times."""
        theta = self.problem.theta

        def on_chunk(chunk, _) -> None:
            examples = self.loss.on(theta, chunk.support_x, chunk.support_y)
            phi = np.tile(theta, (len(chunk), 1))
            for _ in range(count):
                examples.gradient(phi)

        start = time.perf_counter()
        with closing(each_chunk(on_chunk, self.tasks, theta)) as results:
            for _ in results:
                pass
        return (time.perf_counter() - start) / count


def seconds(call) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def watched(call) -> dict:
    """Return the seconds of a call, and the peak of memory of this process."""
    clean()
    known = memory.reset_peak(os.getpid())
    took = seconds(call)
    return {"seconds": took, "peak": memory.peak(os.getpid()) if known else None}


def of_ours(point: Point) -> dict:
    """Return the times and the peak of imaml_ref."""
    network, whole = net(point), problem(point)
    Ours(network, whole.tiny()).step()
    clean()
    before = memory.resident(os.getpid())
    ours = Ours(network, whole)
    ours.step(1)
    if not point.marginal:
        return beyond(watched(ours.step), before)
    count = min(MOST, max(FEWEST, point.inner_steps // ALONE))
    # Constant parts and gradients on both sides of what they are compared with.
    constant, alone = [seconds(lambda: ours.step(0))], [ours.gradients(count)]
    found = watched(ours.step)
    alone.append(ours.gradients(count))
    constant.append(seconds(lambda: ours.step(0)))
    found |= {"constant": float(np.mean(constant)), "gradient": float(np.mean(alone))}
    return beyond(found, before)


def of_unrolled(point: Point) -> dict:
    """Return the time, the peak and the error of an unrolled MAML."""
    build, whole = (
        import_module(f".unrolled_{point.who}", __package__).build,
        problem(point),
    )
    build(whole.tiny()).step()
    clean()
    before = memory.resident(os.getpid())
    contender = build(whole)
    contender.step()
    found = beyond(watched(contender.step), before)
    if point.inner_steps <= COMPARED:
        found["error"] = error(contender, net(point), whole)
    return found


def error(contender: Contender, network, whole: Problem) -> float:
    """Return the relative distance to the unrolled gradient of imaml_ref."""
    loss, theta, tasks, settings = pieces(whole, network)
    inner, lam = settings["inner"], whole.lam
    found = ir.unrolled_gradient(loss, theta, tasks, lam=lam, inner=inner)
    away = contender.ours(contender.step()) - found.grad
    return float(np.linalg.norm(away) / np.linalg.norm(found.grad))


def beyond(found: dict, before: int | None) -> dict:
    """Return the peak beyond what was there before; None is not known."""
    known = None not in (found["peak"], before)
    return found | {"peak": found["peak"] - before if known else None}


def main() -> None:
    point = Point(**json.loads(sys.argv[1]))
    with answering() as answer:
        keep_to_cores(point.threads)
        memory.die_first()
        found = of_ours(point) if point.who == OURS else of_unrolled(point)
        answer({"found": found})


if __name__ == "__main__":
    main()
