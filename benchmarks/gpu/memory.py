"""Peak memory of a meta-step on a card, and of one inner gradient, by the pool's count.

    python -m benchmarks.gpu.memory FILE --device cuda --stage graphs --what meta-step

What is counted is what all memory pools of CuPy hand out beyond the data and θ,
in their own granules, and what they took from the card for it.  A process of its own
measures each, so that nothing is left over from another.  In a rehearsal it is what
NumPy takes.
"""

import tracemalloc
from contextlib import contextmanager

import imaml_ref as ir

from ..shared.imaml_reference import pieces
from ..shared.problem import Problem
from .alone import answer
from .place import Place
from .rehearsal import kernels_of

GRADIENT, META_STEP = "gradient", "meta-step"


class Count:
    """Bytes: ``peak`` at a time, and ``taken`` from the device; None is not known."""

    def __init__(self):
        self.now = self.peak = 0
        self.taken: int | None = 0


@contextmanager
def counted(place: Place):
    """Count what is allocated inside the ``with``."""
    yield from on_card(place.xp) if place.on_card else on_host()


def on_card(cupy):
    """Count by a hook that every memory pool of CuPy calls."""
    count, sizes = Count(), {}

    class Hook(cupy.cuda.MemoryHook):
        name = "Count"

        def alloc_postprocess(self, *, mem_size, **_):
            count.taken += mem_size

        def malloc_postprocess(self, *, mem_size, pmem_id, **_):
            sizes[pmem_id] = mem_size
            count.now += mem_size
            count.peak = max(count.peak, count.now)

        def free_postprocess(self, *, pmem_id, **_):
            count.now -= sizes.pop(pmem_id, 0)  # 0: it was there before

    with Hook():
        yield count


def on_host():
    """Count what Python knows of, NumPy's arrays among it."""
    count = Count()
    tracemalloc.start()
    try:
        yield count
    finally:
        count.peak, count.taken = tracemalloc.get_traced_memory()[1], None
        tracemalloc.stop()


def measure(problem: Problem, place: Place, stage: str, what: str) -> dict:
    """Return the bytes of a meta-step, or of one gradient of the support losses."""
    ir.set_num_threads(1)
    loss, theta, tasks, settings = pieces(problem, put=place.put)

    def gradient():
        phi = place.xp.tile(theta, (len(tasks), 1))
        return loss.on(theta, tasks.support_x, tasks.support_y).gradient(phi)

    def meta_step():
        return ir.IMAML(loss, **settings)(theta, tasks)

    run = {GRADIENT: gradient, META_STEP: meta_step}[what]
    with ir.device_stage(stage), kernels_of(place), counted(place) as count:
        for _ in range(2):  # the second with what the first has left
            run()
        place.wait()
    return {"peak_bytes": count.peak, "taken_bytes": count.taken}


if __name__ == "__main__":
    answer(measure, "stage", "what")
