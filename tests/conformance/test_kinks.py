"""How near a case is to a kink, beside pre-activations written out."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from imaml_ref.conformance import Computation, load_suite
from imaml_ref.conformance.kinks import TIED, distance

SUITE = load_suite()
MLP = SUITE["mlp-relu"]
CLEAR = 1e-4  # what ``build`` demands
ASKED_SMOOTHLY = [n for n, c in SUITE.items() if c.network and "L4" in c.answers]


def at(phi=None, solution=None, unrolled=None):
    """Return mlp-relu with the points that are given, and no others."""
    points = {"phi": phi, "solution": solution}
    inputs = {k: a for k, a in MLP.inputs.items() if k not in points}
    inputs |= {k: a for k, a in points.items() if a is not None}
    return replace(MLP, inputs=inputs, unrolled=unrolled or {})


def before_the_unit(phi, x):
    """Return x W + b (T, N, 4) of the first layer."""
    W, b = phi[:, :12].reshape(-1, 3, 4), phi[:, 12:16]
    return np.stack([x_t @ W_t + b_t for x_t, W_t, b_t in zip(x, W, b, strict=True)])


def share(phi, key):
    z = np.abs(before_the_unit(phi, MLP.inputs[key]))
    return z.min() / z.mean()


def test_the_nearest_unit_of_either_set_counts():
    want = min(share(MLP.phi, "support_x"), share(MLP.phi, "query_x"))
    assert_allclose(distance(at(MLP.phi)), want, rtol=1e-10)


@pytest.mark.parametrize("key", ["support_x", "query_x"])
@pytest.mark.parametrize("where", ["phi", "solution"])
def test_a_unit_that_is_brought_to_zero_is_seen(key, where):
    phi = MLP.phi.copy()
    z = before_the_unit(phi, MLP.inputs[key])[2, 3, 1]
    phi[2, 13] -= z - 1e-9
    assert_allclose(distance(at(**{where: phi})), share(phi, key), rtol=1e-5)
    assert distance(at(**{where: phi})) < 1e-8


def test_an_iterate_of_the_unrolled_steps_is_seen():
    """After one step of size z/ż a pre-activation is zero."""
    start = np.tile(MLP.theta, (MLP.num_tasks, 1))
    slope = Computation().at_support(MLP, start).grad
    x = MLP.inputs["query_x"]
    z, z_dot = before_the_unit(start, x), before_the_unit(slope, x)
    steps = z / z_dot
    size = float(steps[(steps > 0.01) & (steps < 0.5)][0])
    assert distance(at(unrolled={"steps": 1, "step_size": size})) < 1e-13
    assert distance(at(unrolled={"steps": 1, "step_size": size + 1e-4})) < 1e-3
    assert distance(at(unrolled={"steps": 0, "step_size": size})) > 1e-4


def gaps(case, x):
    """Yield by how much the largest of each window exceeds the next, beside the mean.

    Where the two are equal there is no gap.
    """
    K, b = case.phi[:, :6].reshape(-1, 2, 3), case.phi[:, 6:9]
    y = np.stack([a @ K_t + b_t for a, K_t, b_t in zip(x, K, b, strict=True)])
    T, N, height, width, channels = y.shape
    places = product(range(height // 2), range(width // 2))
    for t, n, (i, j), c in product(range(T), range(N), list(places), range(channels)):
        window = y[t, n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        second, first = sorted(window.ravel())[-2:]
        if first - second > TIED * np.abs(y).mean():
            yield (first - second) / np.abs(y).mean()


def test_windows_that_are_tied_by_construction_do_not_count():
    case = SUITE["max-pool-ties"]
    found = [list(gaps(case, case.inputs[k])) for k in ("support_x", "query_x")]
    assert_allclose(distance(case), min(map(min, found)), rtol=1e-8)
    assert len(found[0]) < 0.9 * 3 * 7 * 4 * 3  # there are ties


def test_what_is_smooth_has_no_kinks():
    assert distance(SUITE["mlp-tanh"]) == 1.0
    assert distance(SUITE["unequal-ridge"]) == 1.0


@pytest.mark.parametrize("name", ASKED_SMOOTHLY)
def test_the_suite_keeps_clear_of_kinks(name):
    assert distance(SUITE[name]) >= CLEAR


def test_a_case_at_a_kink_is_known_for_one():
    assert distance(SUITE["relu-at-zero"]) == 0.0
