"""On a card: what is recorded and used again changes no bit and takes no memory."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.kernels import on_machine
from imaml_ref.kernels.graphs import Cuda, cuda_of
from imaml_ref.kernels.stage import STAGES as NAMES
from tests.helpers.problems import make_problem
from tests.machines.gpu_card import (
    OMNIGLOT,
    SOFTMAX,
    fetched,
    needing_card,
    paper,
    put,
    told,
)

STAGES = [name for name in NAMES if name != "plain"]


class Counting(Cuda):
    """CUDA that counts its recordings."""

    def __init__(self, cupy):
        super().__init__(cupy)
        self.counts = Counter()

    def record(self, run):
        self.counts["graphs"] += 1
        return super().record(run)


def counting(problem):
    """Return a machine of its own for a problem on the card."""
    return Counting(cuda_of(problem.theta)._cupy)


@needing_card
def test_other_numbers_of_steps_other_lam_and_other_data_need_no_new_recording():
    problem, other = (
        put(make_problem(OMNIGLOT, SOFTMAX, lam=lam, step_size=0.1, seed=seed))
        for lam, seed in ((2.0, 0), (0.7, 9))
    )
    other = replace(other, loss=problem.loss)
    machine = counting(problem)
    with on_machine(machine):
        told(problem, "graphs", steps=4)
        told(problem, "graphs", steps=4)
        recorded = machine.counts["graphs"]
        assert recorded > 0
        told(problem, "graphs", steps=40, solver=ir.CG(maxiter=9))
        again, _ = told(other, "graphs", steps=7)
    assert machine.counts["graphs"] == recorded
    fresh, _ = told(other, "kernels", steps=7)
    assert_array_equal(again["task_grads"], fresh["task_grads"])


@needing_card
def test_two_sizes_of_tasks_in_turn_do_not_disturb_each_other():
    problems = [put(paper(num_tasks=n)) for n in (2, 5)]
    want = [told(p, "kernels", steps=3)[0]["task_grads"] for p in problems]
    for _ in range(3):
        for problem, array in zip(problems, want, strict=True):
            got = told(problem, "graphs", steps=3)[0]["task_grads"]
            assert_array_equal(got, array)


@needing_card
@pytest.mark.parametrize("stage", STAGES)
def test_peak_memory_does_not_depend_on_the_number_of_inner_steps(stage):
    few, many = (peak(paper().astype(np.float32), stage, k) for k in (4, 200))
    assert few > 2**20
    assert abs(many - few) < 2**18  # the norms of the steps, (K, T), a few times


def peak(problem, stage, steps):
    """Return the most bytes that CuPy's pools hand out at a time in a meta-step."""
    problem = put(problem)
    cupy = cuda_of(problem.theta)._cupy
    sizes, seen = {}, [0]

    class Hook(cupy.cuda.MemoryHook):
        name = "peak"

        def malloc_postprocess(self, *, mem_size, pmem_id, **_):
            sizes[pmem_id] = mem_size
            seen.append(max(seen[-1], sum(sizes.values())))

        def free_postprocess(self, *, pmem_id, **_):
            sizes.pop(pmem_id, None)

    with Hook(), on_machine(Counting(cupy)):
        for _ in range(3):
            told(problem, stage, steps=steps)
    return seen[-1]


@needing_card
def test_a_training_has_the_same_bits_twice_and_when_it_goes_on():
    source = ir.data.Episodes(ir.data.glyph_alphabets(), 5, 1, 1)
    algorithm = ir.IMAML(ir.TaskLoss(OMNIGLOT, SOFTMAX), lam=2.0)
    theta = to_device(OMNIGLOT.init(np.random.default_rng(0), dtype=np.float32))
    options = {"optimizer": ir.Adam(1e-3), "meta_batch": 4}
    first, second, half = (
        ir.meta_train(algorithm, theta, source, meta_steps=k, **options)
        for k in (6, 6, 3)
    )
    on = ir.meta_train(algorithm, theta, source, meta_steps=6, resume=half, **options)
    for state in (second, on):
        assert_array_equal(fetched(state.theta), fetched(first.theta))
    assert np.isfinite(fetched(first.theta)).all()
    assert not np.array_equal(fetched(first.theta), fetched(theta))
