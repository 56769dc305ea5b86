"""Patches of framed images, and their adjoint, against ``ops`` and against loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.fused.program import Program
from imaml_ref.fused.windows import NO_FRAME, NO_MARGIN, Frame, Margin, Windows
from imaml_ref.layers import ops
from imaml_ref.layers.ops import Window
from tests.helpers import oracles

F8 = np.dtype(np.float64)
# (image, size, stride, padding, zeros added at the bottom and at the right)
GEOMETRIES = [
    ((5, 5), (3, 3), (1, 1), (1, 1), (0, 0)),
    ((28, 28), (3, 3), (2, 2), (1, 1), (0, 0)),
    ((7, 7), (3, 3), (2, 2), (1, 1), (1, 1)),
    ((6, 5), (3, 3), (2, 2), (1, 1), (0, 0)),
    ((5, 6), (3, 3), (2, 2), (0, 0), (0, 0)),
    ((8, 9), (3, 3), (3, 3), (1, 1), (0, 0)),
    ((9, 7), (3, 3), (3, 3), (0, 0), (0, 0)),
    ((7, 8), (3, 2), (2, 1), (1, 0), (0, 0)),
    ((7, 8), (2, 4), (1, 2), (0, 3), (0, 0)),
    ((6, 7), (1, 3), (1, 2), (0, 1), (2, 0)),
    ((6, 7), (1, 1), (1, 1), (0, 0), (0, 0)),
    ((6, 7), (1, 1), (2, 3), (0, 0), (0, 0)),
    ((7, 8), (1, 2), (3, 3), (0, 0), (0, 0)),
    ((7, 8), (2, 1), (3, 2), (1, 1), (0, 0)),
    ((4, 5), (3, 3), (1, 1), (3, 4), (0, 0)),
    ((4, 5), (2, 2), (2, 2), (3, 5), (0, 0)),
    ((3, 4), (2, 3), (3, 2), (4, 4), (1, 3)),
    ((2, 1), (3, 3), (1, 1), (1, 1), (0, 0)),
    ((1, 1), (3, 3), (2, 2), (1, 1), (0, 0)),
    ((1, 1), (3, 3), (1, 1), (2, 2), (0, 0)),
    ((2, 2), (3, 3), (5, 4), (2, 2), (0, 0)),
    ((3, 3), (5, 5), (2, 2), (2, 2), (0, 0)),
    ((5, 4), (3, 3), (2, 2), (0, 0), (1, 2)),
    ((5, 4), (3, 3), (1, 1), (1, 1), (3, 0)),
    ((5, 4), (2, 2), (2, 2), (0, 0), (0, 3)),
    ((6, 6), (4, 4), (2, 2), (1, 1), (0, 0)),
    ((10, 9), (5, 4), (3, 2), (2, 1), (1, 1)),
    ((7, 6), (3, 3), (4, 3), (0, 0), (0, 0)),
    # The stride is longer than the image: a class of pixels has no member.
    ((2, 3), (2, 2), (4, 5), (1, 1), (0, 0)),
    ((1, 3), (1, 2), (2, 1), (0, 0), (0, 0)),
    ((1, 2), (2, 2), (3, 1), (1, 0), (0, 0)),
    # The window is taller than the image and its padding: some taps never meet it.
    ((2, 3), (8, 3), (1, 1), (4, 1), (0, 0)),
    ((3, 2), (3, 9), (2, 1), (1, 4), (0, 0)),
]


@pytest.fixture(params=GEOMETRIES, ids=str)
def geometry(request):
    return Case.of(request.param)


class Case:
    """Windows on images (2, 3, H, W, 2) with zeros added, and both paths' maps."""

    def __init__(self, image, window, bottom, right):
        self.shape, self.window = (2, 3, *image, 2), window
        self.padded = (2, 3, image[0] + bottom, image[1] + right, 2)
        self.frame = Margin(window, bottom, right).frame(*image)
        self.windows = Windows(window, self.frame, self.shape)

    @classmethod
    def of(cls, parameters):
        image, size, stride, padding, (bottom, right) = parameters
        return cls(image, Window(size, stride, padding), bottom, right)

    def framed(self, program, x):
        whole = self.frame.array(program, self.shape)
        self.frame.inside(whole)[...] = x
        return whole

    def extended(self, x):
        y = np.zeros(self.padded)
        y[:, :, : self.shape[2], : self.shape[3]] = x
        return y

    def patches(self, x):
        program = Program(F8)
        X = self.windows.patches(program, self.framed(program, x))
        program.run()
        return X

    def adjoint(self, X_bar):
        program = Program(F8)
        whole = self.windows.adjoint(program, X_bar)
        whole[...] = np.nan  # what is not written shows
        program.run()
        return self.frame.inside(whole)

    def draw(self):
        rng = np.random.default_rng(0)
        x = rng.normal(size=self.shape)
        X_bar = rng.normal(size=ops.patches(self.extended(x), self.window).shape)
        return x, X_bar


def test_patches_are_those_of_padded_images(geometry):
    x, _ = geometry.draw()
    want = ops.patches(geometry.extended(x), geometry.window)
    assert_array_equal(geometry.patches(x), want)


def test_patches_are_those_of_the_loops(geometry):
    x, window = geometry.draw()[0], geometry.window
    want = oracles.patches(
        geometry.extended(x), window.size, window.stride, window.padding
    )
    assert_array_equal(geometry.patches(x), want)


def test_counts_are_those_of_the_window(geometry):
    counts = geometry.window.counts(*geometry.padded[2:4])
    assert geometry.windows.counts == counts
    assert geometry.windows.num_rows == 3 * counts[0] * counts[1]


def test_the_adjoint_writes_every_pixel_once_and_adds_the_rest(geometry):
    """The arrays hold anything before, as they do in the second run of a program."""
    _, X_bar = geometry.draw()
    want = ops.patches_adjoint(X_bar, geometry.window, geometry.padded)
    want = want[:, :, : geometry.shape[2], : geometry.shape[3]]
    assert_allclose(geometry.adjoint(X_bar), want, rtol=1e-13, atol=1e-14)


def test_the_two_are_adjoint(geometry):
    x, X_bar = geometry.draw()
    forth = (geometry.patches(x) * X_bar).sum()
    back = (x * geometry.adjoint(X_bar)).sum()
    scale = np.abs(geometry.patches(x) * X_bar).sum()
    assert abs(forth - back) <= 1e-14 * scale


def test_the_frame_stays_zero(geometry):
    program = Program(F8)
    _, X_bar = geometry.draw()
    whole = geometry.windows.adjoint(program, X_bar)
    program.run()
    geometry.frame.inside(whole)[...] = 0
    assert not whole.any()


def test_a_frame_reaches_as_far_as_the_windows_and_no_farther(geometry):
    window, (height, width) = geometry.window, geometry.shape[2:4]
    whole = geometry.frame.around(height, width)
    counts = window.counts(*geometry.padded[2:4])
    assert geometry.frame[:2] == window.padding
    for axis, extent in enumerate((height, width)):
        met = (counts[axis] - 1) * window.stride[axis] + window.size[axis]
        assert whole[axis] == max(met, window.padding[axis] + extent)


def test_no_copy_adds_where_each_pixel_is_met_once():
    windows = Windows(Window((2, 2), (2, 2)), NO_FRAME, (1, 1, 4, 6, 3))
    taps, covered = windows.taps()
    assert covered
    assert [tap.assigns for tap in taps] == [True] * 4
    program = Program(F8)
    windows.adjoint(program, np.ones((1, 6, 12)))
    assert len(program) == 4


@pytest.mark.parametrize(
    ("size", "stride", "adds"),
    [
        ((3, 3), (1, 1), 8),
        ((3, 3), (2, 2), 5),
        ((1, 2), (3, 3), 0),
        ((1, 1), (1, 1), 0),
    ],
)
def test_the_first_tap_of_a_class_assigns_and_the_others_add(size, stride, adds):
    image = (9, 9)
    frame = Margin(Window(size, stride, (size[0] // 2, size[1] // 2))).frame(*image)
    taps, _ = Windows(Window(size, stride), frame, (1, 1, *image, 1)).taps()
    assert sum(not tap.assigns for tap in taps) == adds


def test_pixels_that_no_window_meets_have_the_cotangent_zero():
    windows = Windows(Window((1, 2), (3, 3)), NO_FRAME, (1, 1, 7, 8, 1))
    assert not windows.taps()[1]
    program = Program(F8)
    whole = windows.adjoint(program, np.ones((1, windows.num_rows, 2)))
    whole[...] = np.nan
    program.run()
    met = np.zeros((7, 8))
    met[::3, [0, 1, 3, 4, 6, 7]] = 1
    assert_array_equal(whole[0, 0, :, :, 0], met)


def test_without_windows_there_is_no_frame():
    assert NO_MARGIN.frame(5, 7) == NO_FRAME
    assert Frame(1, 2, 3, 4).around(5, 6) == (9, 12)
