"""Complex steps, gaps and digits are right where the truth is known."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose

from imaml_ref.checks import (
    adjoint_gap,
    central_difference,
    complex_step,
    digits,
    linearity_gap,
    symmetry_gap,
    taylor_slopes,
)
from imaml_ref.checks.trees import arrays, map_leaves

X = np.array([0.3, -1.2, 0.7])
V = np.array([0.5, 0.4, -0.9])


def cubic(x):
    return (x**3 + 2 * x**2).sum()


SLOPE = ((3 * X**2 + 4 * X) * V).sum()
CURVATURE = ((6 * X + 4) * V**2).sum()


def test_complex_step_is_exact_to_rounding():
    assert_allclose(complex_step(cubic, X, V), SLOPE, rtol=1e-15)


def test_central_difference_is_good_to_nine_digits():
    assert_allclose(central_difference(cubic, X, V), SLOPE, rtol=1e-9)


def test_taylor_slopes_are_two_and_three():
    slopes = taylor_slopes(cubic, X, V, slope=SLOPE, curvature=CURVATURE)
    assert_allclose(slopes, (2, 3), rtol=0.02)


@pytest.mark.parametrize(
    ("slope", "curvature", "expected"),
    [(1.1 * SLOPE, CURVATURE, (1, 1)), (SLOPE, 1.1 * CURVATURE, (2, 2))],
)
def test_taylor_slopes_fall_by_one_where_a_derivative_is_wrong(
    slope, curvature, expected
):
    steps = (1e-3, 5e-4, 2.5e-4)
    slopes = taylor_slopes(cubic, X, V, slope=slope, curvature=curvature, steps=steps)
    assert_allclose(slopes, expected, rtol=0.02)


def test_taylor_slopes_of_a_quadratic_have_no_third_order():
    def square(x):
        return (x * x).sum()

    slopes = taylor_slopes(square, np.zeros(2), np.ones(2), slope=0.0, curvature=4.0)
    assert slopes == (pytest.approx(2), math.inf)


A = np.random.default_rng(0).normal(size=(3, 4))


def test_gaps_are_zero_for_what_they_ask_for():
    u, v = np.random.default_rng(1).normal(size=(2, 4))
    assert adjoint_gap(lambda x: A @ x, lambda y: A.T @ y, u, X) < 5e-15
    assert symmetry_gap(lambda x: A.T @ (A @ x), u, v) < 5e-15
    assert linearity_gap(lambda x: A @ x, u, v) < 5e-15


def test_gaps_are_large_where_it_does_not_hold():
    u, v = np.random.default_rng(1).normal(size=(2, 4))
    square = A.T @ A
    square[0, 1] *= 1.1
    assert adjoint_gap(lambda x: A @ x, lambda y: 1.01 * A.T @ y, u, X) > 1e-3
    assert symmetry_gap(lambda x: square @ x, u, v) > 1e-3
    assert linearity_gap(lambda x: A @ x + 1e-3, u, v) > 1e-4


@pytest.mark.parametrize(
    ("got", "want", "whole", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], None, 16),
        ([1.001, 0.0], [1.0, 0.0], None, 3),
        ([3.0, 0.0], [1.0, 0.0], None, 0),
        ([math.nan, 2.0], [1.0, 2.0], None, 0),
        ([0.0, 0.0], [0.0, 0.0], None, 16),
        ([1e-17, 0.0], [0.0, 0.0], None, 0),
        # √u ‖whole‖ = 1.05e-8: noise of 1e-17 in a tensor that should be zero.
        ([1e-17, 0.0], [0.0, 0.0], 1.0, 9.02),
        ([1e-17, 0.0], [0.0, 0.0], np.array([0.6, 0.8]), 9.02),
    ],
)
def test_digits_of_agreement(got, want, whole, expected):
    found = digits(np.array(got), np.array(want), whole=whole)
    assert found == pytest.approx(expected, abs=0.01)


def test_digits_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match=r"equal shapes, got \(2, 1\), \(2,\)"):
        digits(np.zeros((2, 1)), np.zeros(2))


def test_digits_of_float32_measures_in_its_own_roundoff():
    # √u of float32 is 2.4e-4.
    found = digits(np.float32([1e-8]), np.zeros(1), whole=1.0)
    assert found == pytest.approx(4.39, abs=0.01)


def test_trees_are_rebuilt_as_they_were():
    class Pair(NamedTuple):
        a: object
        b: object

    tree = Pair(np.ones(2), {"c": [np.zeros(3), None], "d": (7,)})
    assert list(arrays(tree)) == ["a", "b.c.0"]
    doubled = map_leaves(lambda _, leaf: leaf if leaf is None else 2 * leaf, tree)
    assert isinstance(doubled, Pair)
    assert doubled.b["d"] == (14,)
    assert doubled.b["c"][1] is None
