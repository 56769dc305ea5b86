"""One derivation: what its cases have in common, and what they are known by."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose

from imaml_ref.layers import BatchNorm2d, GroupNorm, InstanceNorm2d, LayerNorm
from imaml_ref.layers.normalisation import Normalisation

IMAGES = (2, 3, 5, 7, 6)  # T, N, H, W, C
CLOSE = {"rtol": 1e-11, "atol": 1e-12}


@dataclass(frozen=True)
class OfBatch(Normalisation):
    """Batch normalisation as the case R = K = 1."""

    num_channels: int

    def sets(self, x_shape):
        return 1, x_shape[1] * x_shape[2] * x_shape[3], self.num_channels, 1


def per_channel(layer, a):
    """Return γ or β (T, C) as a layer has them: for each pixel, if it wants so."""
    last = layer.shapes["gamma"]
    ones = (1,) * (len(last) - 1)
    return np.broadcast_to(a.reshape(len(a), *ones, -1), (len(a), *last)).copy()


def answers(layer, x_shape):
    """Return what the four methods say at a random point; γ̄ and β̄ per channel."""
    rng = np.random.default_rng(5)
    tasks, channels = x_shape[0], x_shape[-1]
    x, x_dot, y_bar, y_bar_dot = 2 + 3 * rng.normal(size=(4, *x_shape))
    p, p_dot = (
        {n: per_channel(layer, rng.normal(size=(tasks, channels))) for n in names}
        for names in (layer.shapes, layer.shapes)
    )
    y, saved = layer.forward(p, x)
    y_dot, saved_dot = layer.jvp(p, saved, p_dot, x_dot)
    p_bar, x_bar = layer.vjp(p, saved, y_bar)
    p_bar_dot, x_bar_dot = layer.vjp_dot(p, saved, p_dot, saved_dot, y_bar, y_bar_dot)
    summed = [
        found[n].reshape(tasks, -1, channels).sum(1)
        for found in (p_bar, p_bar_dot)
        for n in ("gamma", "beta")
    ]
    return [y, y_dot, x_bar, x_bar_dot, *summed]


ALIKE = {
    "batch": (BatchNorm2d(6, eps=0.3), OfBatch(6, eps=0.3), IMAGES),
    "instances are groups of one": (InstanceNorm2d(6), GroupNorm(6, 6), IMAGES),
    "a layer is one group": (LayerNorm((5, 7, 6)), GroupNorm(1, 6), IMAGES),
    "of features too": (LayerNorm(6), GroupNorm(1, 6), (2, 3, 6)),
}


@pytest.mark.parametrize(("one", "other", "x_shape"), ALIKE.values(), ids=ALIKE.keys())
def test_cases_of_one_another_say_the_same(one, other, x_shape):
    pairs = zip(answers(one, x_shape), answers(other, x_shape), strict=True)
    for got, want in pairs:
        assert_allclose(got, want, **CLOSE)


def test_a_number_is_the_last_axis():
    assert LayerNorm(np.int64(6)) == LayerNorm((6,)) == LayerNorm([6])
    for wrong in ((), 0, (3, -1), "6", 2.5, None):
        with pytest.raises(
            ValueError, match=r"^normalized_shape must be integers >= 1"
        ):
            LayerNorm(wrong)


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="num_channels must be a multiple of 4 groups"):
        GroupNorm(4, 6)


def test_examples_do_not_see_one_another():
    x = np.random.default_rng(0).normal(size=IMAGES)
    for layer in (LayerNorm((5, 7, 6)), GroupNorm(2, 6), InstanceNorm2d(6)):
        p = {n: np.full((2, *s), 1.5) for n, s in layer.shapes.items()}
        y, _ = layer.forward(p, x)
        alone = [layer.forward(p, x[:, n : n + 1])[0] for n in range(3)]
        assert_allclose(y, np.concatenate(alone, axis=1), **CLOSE)
