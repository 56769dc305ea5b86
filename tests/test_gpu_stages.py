"""On a card: stages compute what the plain path does, with the same bits each time."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from fused_nets import COVERED as NETS
from fused_points import loss_of, point, values
from gpu_card import fetched, needing_card, put
from numpy.testing import assert_allclose, assert_array_equal
from problems import make_problem

import imaml_ref as ir
from imaml_ref.backend import to_device
from imaml_ref.checks import digits
from imaml_ref.fused import plain_path
from imaml_ref.kernels import DeviceLinearization, device_stage, on_machine
from imaml_ref.kernels.graphs import Cuda, cuda_of
from imaml_ref.kernels.pieces import covers
from imaml_ref.kernels.stage import STAGES as NAMES

ROUNDED = [s for s in NAMES if s.endswith("tf32") and "3xtf32" not in s]
STAGES = [s for s in NAMES if s not in ("plain", *ROUNDED)]
COVERED = [name for name, net in NETS.items() if covers(net)]
SOFTMAX = ir.SoftmaxCrossEntropy()
OMNIGLOT = ir.architectures.omniglot_cnn(5)
CONV4 = ir.architectures.conv4(5)


def paper(net=OMNIGLOT, num_tasks=16, shots=1):
    """Return the paper's settings on random images."""
    sizes = {"num_tasks": num_tasks, "support": 5 * shots, "query": 5 * shots}
    return make_problem(net, SOFTMAX, lam=2.0, step_size=0.1, **sizes)


def told(problem, stage, steps=16, **options):
    """Return the meta-gradients of a problem on the card and what is said of them."""
    settings = {"solver": ir.CG(maxiter=5)} | options
    with device_stage(stage):
        found = ir.implicit_gradient(
            problem.loss,
            problem.theta,
            problem.tasks,
            lam=problem.lam,
            inner=problem.descent(steps),
            keep=("phi", "task_grads"),
            **settings,
        )
    arrays = {name: fetched(getattr(found, name)) for name in ("grad", "phi")}
    return arrays | {"task_grads": fetched(found.task_grads)}, found.diagnostics


def on_host(problem, steps=16, **options):
    """Return the meta-gradients of every task in float64, by the layers alone."""
    settings = {"solver": ir.CG(maxiter=5)} | options
    wide = problem.astype(np.float64)
    with plain_path():
        return ir.implicit_gradient(
            wide.loss,
            wide.theta,
            wide.tasks,
            lam=wide.lam,
            inner=wide.descent(steps),
            keep="task_grads",
            **settings,
        ).task_grads


def digits_of_tasks(got, want):
    return np.array([digits(g, w) for g, w in zip(got, want, strict=True)])


@needing_card
@pytest.mark.parametrize("stage", ["plain", *STAGES])
def test_in_float64_all_digits_are_those_of_the_host(stage):
    problem = paper()
    found, _ = told(put(problem), stage)
    assert digits_of_tasks(found["task_grads"], on_host(problem)).min() >= 11


@needing_card
@pytest.mark.parametrize("stage", ["plain", *STAGES])
def test_in_float32_the_digits_are_those_that_float32_has(stage):
    problem = paper(num_tasks=32).astype(np.float32)
    found, _ = told(put(problem), stage)
    per_task = digits_of_tasks(found["task_grads"], on_host(problem))
    assert found["grad"].dtype == np.float32
    assert np.median(per_task) >= 5
    assert (per_task >= 4).mean() >= 0.9


CHANGES = {
    "a lam per parameter": (lambda p: p.per_parameter(), {}),
    "gauss-newton": (lambda p: p, {"curvature": "gauss-newton"}),
    "gauss-newton, to a tolerance": (
        lambda p: p,
        {"curvature": "gauss-newton", "solver": ir.CG(maxiter=60, rtol=1e-9)},
    ),
    "truncated": (
        lambda p: p,
        {"solver": ir.CG(maxiter=8, on_negative_curvature="truncate")},
    ),
    "another solver": (lambda p: p, {"solver": ir.MINRES(maxiter=6)}),
}


@needing_card
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("net", [OMNIGLOT, CONV4], ids=["omniglot_cnn", "conv4"])
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_is_asked_a_stage_says_what_the_plain_one_says(stage, net, change):
    make, options = CHANGES[change]
    problem = put(make(paper(net, num_tasks=3)))
    want, of_plain = told(problem, "plain", steps=3, **options)
    got, of_stage = told(problem, stage, steps=3, **options)
    for name, array in want.items():
        assert digits(got[name], array) >= 10, name
    for name in ("status", "num_products", "negative_curvature"):
        assert_array_equal(getattr(of_stage, name), getattr(of_plain, name), name)
    for name in ("inner_residual", "smallest_ritz", "query_loss", "support_loss"):
        pair = getattr(of_stage, name), getattr(of_plain, name)
        assert_allclose(*pair, rtol=1e-7, err_msg=name)
    assert_array_equal(of_stage.query_accuracy, of_plain.query_accuracy)


@needing_card
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", COVERED)
def test_a_linearisation_says_what_the_plain_one_says(name, stage):
    at = point(loss_of(NETS[name]), num_tasks=5, num_examples=3)
    here = [to_device(a) for a in (at.phi, at.x, at.y)]
    with device_stage(stage):
        for _ in range(3):  # launches, then a recording, then its replay
            lin = at.loss.linearize(*here)
            got = fetched(values(lin, to_device(at.v)))
    assert isinstance(lin, DeviceLinearization)
    for what, array in values(at.plain(), at.v).items():
        assert digits_of_tasks(got[what], array).min() >= 11, what


@needing_card
@pytest.mark.parametrize("shots", [1, 5])
def test_graphs_have_the_bits_of_kernels_and_these_the_same_each_time(shots):
    problem = put(paper(shots=shots).astype(np.float32))
    want, _ = told(problem, "kernels")
    for stage in ("kernels", "graphs", "graphs", "graphs"):
        for name, array in told(problem, stage)[0].items():
            assert_array_equal(array, want[name], f"{name}, {stage}")


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
