"""Activations where digits could be lost, or infinity met, against 40 digits.

What the machine's exponential is off by is at most a few units in the last place, so
that 16 ε, ε the machine's, is room for a handful of operations; where y ≈ |x| is the
exponent of an exponential, its rounding, ½ ε |x|, becomes a relative error.
"""

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.layers import (
    ELU,
    GELU,
    GELUTanh,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    SiLU,
    Softplus,
    Tanh,
)

PLACES = [1e-30, 1e-9, 1e-3, 0.3, 1, 5, 7.5, 12, 20, 40]
DTYPES = [np.float32, np.float64]
FUNCTIONS = {
    "softplus": (Softplus(), lambda x: mpmath.log1p(mpmath.exp(x))),
    "tanh": (Tanh(), mpmath.tanh),
    "elu": (ELU(0.75), lambda x: x if x > 0 else mpmath.expm1(x) * 3 / 4),
    "leaky_relu": (LeakyReLU(0.25), lambda x: x if x > 0 else x / 4),
    "silu": (SiLU(), lambda x: x / (1 + mpmath.exp(-x))),
    "gelu": (GELU(), lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2),
    "gelu_tanh": (GELUTanh(), lambda x: x / (1 + mpmath.exp(-exponent(x)))),
}


def exponent(x):
    """Return v of (4) in layers/gated.py."""
    cubic = mpmath.mpf(44715) / 10**6
    return mpmath.sqrt(8 / mpmath.pi) * (x + cubic * x**3)


EXPONENTS = {"gelu": lambda x: x**2 / 2, "gelu_tanh": lambda x: 2 * x + 0.08 * x**3}


def by_hand(layer, x):
    """Return y, s and c of a layer at points (1, N, 1), by its four methods."""
    one = np.ones_like(x)
    y, saved = layer.forward({}, x)
    s, saved_dot = layer.jvp({}, saved, {}, one)
    _, c = layer.vjp_dot({}, saved, {}, saved_dot, one, 0 * one)
    return np.stack([y, s, c])[:, 0, :, 0]


# An exponential below the smallest normal number is lost, times what it meets: x³, or
# x² v'² in (4).  The witness, which takes differences, has the digits to see the rest.
LOST = {"gelu": 40**3, "gelu_tanh": 40**6}
DIGITS = dict.fromkeys(LOST, 330)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_slope_and_bend_have_all_their_digits(name, dtype):
    layer, f = FUNCTIONS[name]
    power = EXPONENTS.get(name, float)
    x = np.array([s * a for a in PLACES for s in (1, -1)], dtype)
    with mpmath.workdps(DIGITS.get(name, 40)):
        want = [
            [mpmath.diff(f, mpmath.mpf(float(at)), order) for at in x]
            for order in range(3)
        ]
    got = by_hand(layer, x[None, :, None])
    for what, found, true in zip("ysc", got, want, strict=True):
        for at, a, b in zip(x, found, true, strict=True):
            room = (16 + abs(power(float(at)))) * np.finfo(dtype).eps * abs(b)
            room += LOST.get(name, 0) * float(np.finfo(dtype).tiny)
            assert abs(mpmath.mpf(float(a)) - b) <= room, f"{what} at {at}: {a}, {b}"


INFINITE = {
    "softplus": (Softplus(), (0, np.inf)),
    "tanh": (Tanh(), (-1, 1)),
    "elu": (ELU(0.75), (-0.75, np.inf)),
    "relu": (ReLU(), (0, np.inf)),
    "silu": (SiLU(), (0, np.inf)),
    "gelu": (GELU(), (0, np.inf)),
    "gelu_tanh": (GELUTanh(), (0, np.inf)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("layer", "ends"), INFINITE.values(), ids=INFINITE.keys())
def test_infinity_goes_to_the_limit_and_nan_stays(layer, ends, dtype):
    x = np.array([[[-np.inf], [np.inf], [np.nan]]], dtype)
    y, _ = layer.forward({}, x)
    assert_array_equal(y[0, :, 0], np.array([*ends, np.nan], dtype))
    x, ones = x[:, :2], np.ones((1, 2, 1), dtype)
    y, saved = layer.forward({}, x)
    y_dot, _ = layer.jvp({}, saved, {}, ones)
    assert_array_equal(y_dot[0, :, 0], [0, y[0, 1, 0] > 1])  # flat, or the identity


@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pool_takes_the_largest_beside_infinity(dtype):
    inf, nan = np.inf, np.nan
    windows = [[-inf, 3, 1, -inf], [-inf] * 4, [inf, -inf, 0, 2], [-inf, nan, inf, 0]]
    x = np.array(windows, dtype).reshape(1, 4, 2, 2, 1)
    y, _ = MaxPool2d().forward({}, x)
    assert_array_equal(y[0, :, 0, 0, 0], np.array([3, -inf, inf, nan], dtype))
