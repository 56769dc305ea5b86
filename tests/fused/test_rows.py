"""Rows side by side: their means, and programs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.fused.program import Program
from imaml_ref.fused.rows import WIDTH, Rows, wide

F8 = np.dtype(np.float64)
SIZES = [
    (1, 1),
    (1, 3),
    (7, 1),
    (9, 7),
    (12, 64),
    (13, 64),
    (784, 1),
    (98, 33),
    (8, 600),
]


@pytest.fixture(params=SIZES, ids=str)
def size(request):
    return request.param


def test_as_many_rows_lie_side_by_side_as_fit_and_divide(size):
    count, channels = size
    g = Rows(2, count, channels, F8).g
    assert count % g == 0
    assert g == 1 or g * channels <= WIDTH
    larger = range(g + 1, WIDTH // channels + 1)
    assert not [n for n in larger if count % n == 0]


def test_the_mean_over_rows_is_the_mean_of_each_channel(size):
    rows, program = Rows(3, *size, F8), Program(F8)
    a = rows.array(program)
    mean = rows.mean(program, a)
    for seed in (0, 1):
        a[...] = np.random.default_rng(seed).normal(size=a.shape)
        program.run()
        assert mean.shape == (3, rows.g, size[1])
        want = rows.rows(a).mean(1, keepdims=True)
        assert_allclose(mean, np.broadcast_to(want, mean.shape), rtol=1e-12, atol=1e-15)


def test_the_mean_may_be_written_where_it_is_wanted():
    rows, program = Rows(2, 12, 5, F8), Program(F8)
    a, out = rows.array(program), rows.row(program)
    assert rows.mean(program, a, out) is out
    a[...] = 3
    program.run()
    assert_allclose(out, 3, rtol=1e-15)


def test_the_mean_of_a_task_has_the_same_bits_alone():
    a = np.random.default_rng(0).normal(size=(4, 12, 5)).astype(np.float32)
    found = []
    for tasks in (a, a[2:3]):
        rows, program = Rows(len(tasks), 12, 5, np.float32), Program(np.float32)
        tiled = rows.array(program)
        found.append(rows.mean(program, tiled))
        rows.rows(tiled)[...] = tasks
        program.run()
    assert found[0].dtype == np.float32
    assert_array_equal(found[0][2:3], found[1])


def test_a_row_lines_up_with_every_row(size):
    rows, program = Rows(2, *size, F8), Program(F8)
    a, row = rows.array(program), rows.row(program)
    row[...] = np.random.default_rng(0).normal(size=(2, 1, size[1]))
    assert_array_equal(rows.rows(a + wide(row)), rows.rows(a) + row[:, :1])
    assert np.shares_memory(wide(row), row)
    assert np.shares_memory(rows.rows(a), a)


def test_a_program_makes_its_calls_in_order_each_time():
    program, seen = Program(F8), []
    assert program.do(seen.append, 1) == 1
    assert program.do(seen.extend, (2, 3)) == (2, 3)
    assert program.do(seen.copy) is None
    assert len(program) == 3
    assert not seen
    program.run()
    program.run()
    assert seen == [1, 2, 3, 1, 2, 3]


def test_arrays_of_a_program_are_zeros_of_its_dtype():
    program = Program(np.dtype(np.float32))
    assert_array_equal(program.array(2, 3), np.zeros((2, 3), np.float32))
    assert program.array(2, 3).dtype == np.float32
    assert program.bools(2).dtype == bool
    assert program.keeps
    assert not Program(F8, keeps=False).keeps
