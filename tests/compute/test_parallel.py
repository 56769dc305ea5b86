"""Chunks on threads: order, errors, and one BLAS thread each."""

import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import imaml_ref as ir
from imaml_ref.compute.parallel import (
    chunk_size,
    cores_at_hand,
    map_in_order,
    num_threads,
    one_blas_thread,
)


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    ir.set_num_threads(None)


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    ir.set_num_threads(request.param)
    return request.param


def test_results_come_in_the_order_of_the_items(threads):
    def slow_at_first(i):
        time.sleep(0.01 * (i % 3 == 0))
        return i * i

    assert list(map_in_order(slow_at_first, range(10))) == [i * i for i in range(10)]
    assert list(map_in_order(slow_at_first, [])) == []


def test_as_many_threads_work_as_were_asked_for(threads):
    meeting = threading.Barrier(threads, timeout=20)
    names = []

    def meet(_):
        meeting.wait()  # breaks unless all of them are here at once
        names.append(threading.current_thread().name)

    list(map_in_order(meet, range(2 * threads)))
    assert len(set(names)) <= threads


def test_finished_results_do_not_pile_up(threads):
    made = []

    def items():
        for i in range(30):
            made.append(i)
            yield i

    results = map_in_order(lambda i: i, items())
    next(results)
    assert len(made) <= 2 * threads + 1
    assert list(results) == list(range(1, 30))


def test_the_first_error_in_order_is_the_one_that_comes(threads):
    def fail(i):
        if i == 2:
            time.sleep(0.02)
            raise KeyError("second")
        if i == 4:
            raise ValueError("fourth")
        return i

    before = threading.active_count()
    results = map_in_order(fail, range(6))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError, match="second"):
        next(results)
    assert threading.active_count() == before


@pytest.fixture
def _two_blas_threads():
    """Whatever the environment says, so that there is something to limit."""
    with threadpool_limits(limits=2, user_api="blas"):
        assert blas_threads() == {2}
        yield


def blas_threads():
    return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}


@pytest.mark.usefixtures("_two_blas_threads")
def test_blas_has_one_thread_inside_and_what_it_had_outside(threads):
    before = blas_threads()
    assert list(map_in_order(lambda _: blas_threads(), range(2))) == [{1}, {1}]
    assert blas_threads() == before
    with pytest.raises(ZeroDivisionError):
        list(map_in_order(lambda i: 1 / i, [0]))
    assert blas_threads() == before


@pytest.mark.usefixtures("_two_blas_threads")
def test_blas_is_as_before_when_a_gradient_is_refused(threads):
    before = blas_threads()
    net = ir.architectures.linear((3,), 2)
    x, y = np.zeros((2, 4, 3)), np.zeros((2, 4), int)
    y[1] = 5
    tasks = ir.TaskBatch(x, y, x, y)
    with pytest.raises(ValueError, match="labels must be from 0 to 1"):
        ir.implicit_gradient(
            ir.TaskLoss(net, ir.SoftmaxCrossEntropy()), np.ones(8), tasks
        )
    assert blas_threads() == before


@pytest.mark.usefixtures("_two_blas_threads")
def test_one_blas_thread_is_a_context():
    before = blas_threads()
    with one_blas_thread():
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_threads_work_in_the_callers_context(threads):
    """``numpy.errstate`` is part of it: an overflow that is to raise, raises."""

    def overflow(_):
        return np.float32(1e38) * np.float32(10)

    with np.errstate(over="ignore"):
        assert list(map_in_order(overflow, range(3))) == [np.inf] * 3
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        list(map_in_order(overflow, range(3)))


def test_the_number_of_threads_can_be_set_and_unset():
    ir.set_num_threads(3)
    assert num_threads() == 3
    ir.set_num_threads(np.int64(2))
    assert num_threads() == 2
    ir.set_num_threads(None)
    assert num_threads() == cores_at_hand() >= 1


@pytest.mark.parametrize("number", [0, -2])
def test_too_few_threads_are_refused(number):
    with pytest.raises(
        ValueError, match=f"threads must be an integer >= 1, got {number}"
    ):
        ir.set_num_threads(number)


@pytest.mark.parametrize("number", [2.0, "2", True])
def test_what_is_no_integer_is_refused(number):
    with pytest.raises(ValueError, match="threads must be an integer >= 1"):
        ir.set_num_threads(number)


def test_a_refused_number_changes_nothing():
    ir.set_num_threads(3)
    with pytest.raises(ValueError, match="must be an integer >= 1"):
        ir.set_num_threads(0)
    assert num_threads() == 3


def test_small_nets_come_in_larger_chunks():
    assert chunk_size(10**9) == 1
    assert chunk_size(0) > 1
    sizes = [chunk_size(p) for p in (10, 1_000, 113_221, 10**7)]
    assert sizes == sorted(sizes, reverse=True)
    assert 1 <= chunk_size(113_221) <= 8
