"""Patches and their adjoint, against loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.checks import adjoint_gap
from imaml_ref.layers.ops import Window, pad, patches, patches_adjoint, sum_rows
from tests.helpers import oracles

SHAPE = (2, 3, 5, 6, 4)
WINDOWS = {
    "square": Window((3, 3)),
    "stride-2": Window((3, 3), (2, 2), (1, 1)),
    "not-square": Window((2, 3), (1, 2), (0, 2)),
    "does-not-divide": Window((2, 4), (2, 3)),
    "gaps": Window((1, 2), (3, 3)),
    "one-pixel": Window((1, 1)),
    "whole-image": Window((5, 6)),
}


@pytest.fixture(params=WINDOWS.values(), ids=WINDOWS.keys())
def window(request):
    return request.param


def test_patches_are_the_windows(window):
    x = np.random.default_rng(0).normal(size=SHAPE)
    want = oracles.patches(x, window.size, window.stride, window.padding)
    assert_array_equal(patches(x, window), want)


def test_patches_adjoint_is_the_adjoint(window):
    rng = np.random.default_rng(0)
    x = rng.normal(size=SHAPE)
    x_bar = rng.normal(size=patches(x, window).shape)
    gap = adjoint_gap(
        lambda x: patches(x, window),
        lambda x_bar: patches_adjoint(x_bar, window, SHAPE),
        x,
        x_bar,
    )
    assert gap < 1e-15


def test_patches_adjoint_counts_how_often_a_pixel_is_seen(window):
    ones = np.ones(patches(np.zeros(SHAPE), window).shape)
    index = np.arange(np.prod(SHAPE)).reshape(SHAPE) + 1.0
    seen = oracles.patches(index, window.size, window.stride, window.padding)
    numbers, counts = np.unique(seen[seen > 0], return_counts=True)
    want = np.zeros(np.prod(SHAPE))
    want[numbers.astype(int) - 1] = counts
    assert_array_equal(patches_adjoint(ones, window, SHAPE), want.reshape(SHAPE))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_the_dtype_is_kept(window, dtype):
    x = np.ones(SHAPE, dtype)
    assert patches(x, window).dtype == dtype
    assert patches_adjoint(patches(x, window), window, SHAPE).dtype == dtype


def test_patches_of_a_view_are_those_of_its_copy(window):
    x = np.random.default_rng(0).normal(size=SHAPE[::-1]).T
    assert_array_equal(patches(x, window), patches(x.copy(), window))


def test_pad_surrounds_with_zeros():
    x = np.random.default_rng(0).normal(size=SHAPE)
    want = np.pad(x, ((0, 0), (0, 0), (2, 2), (1, 1), (0, 0)))
    assert_array_equal(pad(x, (2, 1)), want)
    assert_allclose(pad(x, (0, 0)), x, rtol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_sum_rows_sums_over_the_middle_axis(dtype):
    a = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(dtype)
    assert sum_rows(a).dtype == dtype
    assert_allclose(sum_rows(a), [[sum(c) for c in t.T] for t in a], rtol=1e-6)


def test_a_window_that_does_not_fit_is_named():
    expected = r"window of \(6, 2\) with padding \(0, 0\) .* 5 × 6 pixels"
    with pytest.raises(ValueError, match=expected):
        patches(np.zeros(SHAPE), Window((6, 2)))
