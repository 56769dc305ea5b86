"""Processes in place of threads: the same bits, errors as they were, nothing left."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.compute import processes
from imaml_ref.compute.parallel import map_in_order, num_processes, num_workers
from imaml_ref.compute.processes import map_forked, worker
from imaml_ref.inner import InnerDivergence

pytestmark = pytest.mark.skipif(
    not processes.can_fork(), reason="this system cannot fork"
)


@pytest.fixture(autouse=True)
def _as_before():
    yield
    ir.set_num_processes(1)
    ir.set_num_threads(None)
    assert not multiprocessing.active_children()


def the_problem(num_tasks=5, dtype=np.float32):
    rng = np.random.default_rng(3)
    net = ir.architectures.omniglot_cnn(3, num_filters=4, input_shape=(14, 12, 1))
    x = rng.uniform(size=(2, num_tasks, 6, 14, 12, 1)).astype(dtype)
    y = np.tile(np.arange(6) % 3, (num_tasks, 1))
    algorithm = ir.IMAML(ir.TaskLoss(net, ir.SoftmaxCrossEntropy()))
    return algorithm, net.init(rng, dtype=dtype), ir.TaskBatch(x[0], y, x[1], y)


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_results_come_in_the_order_of_the_items(workers):
    assert list(map_forked(lambda i: i * i, list(range(7)), workers)) == [
        i * i for i in range(7)
    ]


def test_no_items_make_no_processes():
    assert list(map_forked(lambda i: i, [], 4)) == []


def test_forks_share_the_work():
    found = list(map_forked(lambda _: (os.getpid(), worker()), list(range(6)), 3))
    assert [who for _, who in found] == [0, 1, 2, 0, 1, 2]
    assert len({pid for pid, _ in found}) == 3
    assert found[0][0] == os.getpid()


@pytest.mark.parametrize("count", [2, 3])
def test_a_meta_gradient_has_the_same_bits(count):
    algorithm, theta, tasks = the_problem()
    ir.set_num_threads(1)
    expected = algorithm(theta, tasks)
    ir.set_num_processes(count)
    for _ in range(3):  # from the second on, forks find sweeps
        found = algorithm(theta, tasks)
        assert np.array_equal(found.grad, expected.grad)
        assert np.array_equal(
            found.diagnostics.query_loss, expected.diagnostics.query_loss
        )
    assert np.array_equal(
        algorithm.adapt(theta, tasks.support_x, tasks.support_y),
        adapted_by_threads(algorithm, theta, tasks),
    )


def adapted_by_threads(algorithm, theta, tasks):
    ir.set_num_processes(1)
    return algorithm.adapt(theta, tasks.support_x, tasks.support_y)


def test_batches_of_several_sizes_have_the_same_bits():
    algorithm, theta, tasks = the_problem(4)
    fewer = ir.TaskBatch(*(a[:3, :4] for a in vars(tasks).values()))
    expected = algorithm(theta, [tasks, fewer]).grad
    ir.set_num_processes(2)
    for _ in range(3):
        assert np.array_equal(algorithm(theta, [tasks, fewer]).grad, expected)


def test_the_error_of_a_fork_comes_as_it_was():
    def fail_at_three(i):
        if i == 3:
            raise InnerDivergence("ran away", step=2, task=1)
        return i

    results = map_forked(fail_at_three, list(range(6)), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InnerDivergence, match="task 1: ran away") as caught:
        next(results)
    assert caught.value.step == 2


def test_divergence_names_its_task_whoever_computes_it():
    algorithm, theta, tasks = the_problem()
    tasks.support_x[3] *= np.nan
    ir.set_num_processes(2)
    with pytest.raises(InnerDivergence, match="task 3"):
        algorithm(theta, tasks)


def test_a_fork_that_is_killed_is_named():
    def die(i):
        if i == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return i

    with pytest.raises(ChildProcessError, match=r"status -9.*fewer processes"):
        list(map_forked(die, [0, 1], 2))


def test_what_cannot_be_pickled_is_an_error_and_not_a_silence():
    # Which of them, the version of Python decides: 3.14 raises the first.
    errors = (pickle.PicklingError, TypeError, AttributeError)
    with pytest.raises(errors, match="pickle"):
        list(map_forked(lambda i: (lambda: i), [0, 1], 2))


def test_a_map_that_nobody_finishes_ends_its_forks():
    results = map_forked(lambda i: time.sleep(0.01) or i, list(range(1000)), 3)
    assert next(results) == 0
    assert len(multiprocessing.active_children()) == 2
    results.close()
    assert not multiprocessing.active_children()


def test_forks_do_not_run_ahead(tmp_path):
    def count(i):
        (tmp_path / f"{i}").touch()
        return np.zeros(200_000)

    results = map_forked(count, list(range(40)), 2)
    next(results)
    time.sleep(0.2)
    done = {int(p.name) for p in tmp_path.iterdir()}
    assert done <= {0, 1, 3, 5, 7, 9}
    results.close()


def test_interrupts_are_left_to_the_first_process():
    def interrupted(i):
        if worker():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
        return i

    assert list(map_forked(interrupted, [0, 1, 2, 3], 2)) == [0, 1, 2, 3]


def test_forks_compute_in_the_callers_context():
    def divide(i):
        return (np.ones(1) / (i * np.zeros(1)))[0]

    ir.set_num_processes(2)
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        # Not every warning: a fork beside threads is one, for JAX and for Python 3.12.
        warnings.filterwarnings("error", message="divide by zero")
        assert list(map_in_order(divide, [1, 2])) == [np.inf, np.inf]


@pytest.mark.parametrize("number", [0, -2])
def test_too_few_processes_are_refused(number):
    with pytest.raises(
        ValueError, match=f"processes must be an integer >= 1, got {number}"
    ):
        ir.set_num_processes(number)


def test_a_system_that_cannot_fork_says_so(monkeypatch):
    monkeypatch.setattr("imaml_ref.compute.parallel.can_fork", lambda: False)
    ir.set_num_processes(1)
    with pytest.raises(ValueError, match="cannot fork processes; use threads"):
        ir.set_num_processes(2)


def test_a_map_within_a_fork_does_not_fork():
    ir.set_num_processes(2)
    ir.set_num_threads(1)

    def inner(_):
        return list(map_in_order(lambda i: os.getpid(), [0, 1]))

    (first, second), (third, fourth) = map_in_order(inner, [0, 1])
    assert first == os.getpid() != second
    assert third == fourth != first


def test_processes_go_before_threads():
    ir.set_num_threads(5)
    assert num_workers() == 5
    ir.set_num_processes(np.int64(3))
    assert num_processes() == num_workers() == 3


class Odd(Exception):
    """An error that pickle cannot make again."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def test_an_error_that_cannot_be_pickled_is_quoted():
    def fail(i):
        if i:
            raise Odd("this", "that")

    with pytest.raises(RuntimeError, match="worker process: Odd: this and that"):
        list(map_forked(fail, [0, 1], 2))


ORPHANS = """
import os, sys, time
from imaml_ref.compute.processes import map_forked

kind, workers = sys.argv[1], int(sys.argv[2])

def compute(i):
    if kind == "deep in a computation" and i:
        print("here", flush=True)
        while True:
            sum(range(1000))
    return bytes(10**6)

for _ in map_forked(compute, list(range(40)), workers):
    print("here", flush=True)
    time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("kind", "workers"), [("deep in a computation", 4), ("waiting for room", 2)]
)
def test_forks_end_after_their_parent_was_killed(kind, workers):
    command = [sys.executable, "-c", ORPHANS, kind, str(workers)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            process.stdout.readline()
            time.sleep(0.1)
            process.kill()
            # The pipe ends when the last of those that hold it, forks too, has ended.
            process.communicate(timeout=20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
