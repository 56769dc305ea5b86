"""Families are recovered with their numbers, from rounded answers."""

import numpy as np
import pytest

from benchmarks.conformance.planted import CASES, drawn, planted
from benchmarks.conformance.recovered import is_right
from imaml_ref.compute.parallel import one_blas_thread
from imaml_ref.conformance.diagnosis import diagnose
from imaml_ref.conformance.families.results import bfloat16
from imaml_ref.conformance.judge import FAIL
from imaml_ref.conformance.laboratory import Laboratory
from imaml_ref.conformance.suite import load_suite

SUITE = {name: case for name, case in load_suite().items() if name in CASES}
LABORATORY = Laboratory(SUITE)
SOME = ("damped", "solution-in-bfloat16", "neumann", "cg-steps-from-b", "adam-epsilon")
# One or two of each part.
MORE = (
    *("strength-times", "shifted", "damped-by-the-mean-diagonal", "query-mixed-in"),
    *("strength-of-biases", "blocks-of-layers", "rank-one", "curvature-times"),
    *("support-gradient-in-v", "clipped-task-by-task", "low-rank", "outer-momentum"),
    *("cg-with-the-old-residual", "unrolled-steps", "inner-steps", "adam-beta1"),
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with one_blas_thread():
        yield


def named(name, dtype="float64", seed=0):
    """Return the diagnoses of a planted family, and the numbers that were planted."""
    values, steps = drawn(name, seed)
    report = planted(LABORATORY, name, values, steps, dtype)
    assert report.count(FAIL)
    return diagnose(report, SUITE, LABORATORY).diagnoses, values, steps


@pytest.mark.parametrize(
    "name",
    [
        *SOME,
        *(pytest.param(n, marks=pytest.mark.thorough) for n in MORE),
    ],
)
def test_a_family_is_recovered_with_its_numbers(name):
    found, values, steps = named(name)
    told = [d for d in found if d.names]
    assert told
    assert all(is_right(name, d, values, steps) for d in told), [d.text for d in found]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["damped", "cg-steps-from-b", "adam-epsilon"])
def test_a_family_is_recovered_from_single_precision(name):
    found, values, steps = named(name, "float32", seed=1)
    assert is_right(name, found[0], values, steps), [d.text for d in found]


def test_bfloat16_is_that_of_pytorch():
    """Halves go to the even number."""
    torch = pytest.importorskip("torch")
    a = np.random.default_rng(0).normal(size=1000) * np.exp(np.linspace(-30, 30, 1000))
    a = np.concatenate([a, [0.0, -1.0, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20]])
    np.testing.assert_array_equal(bfloat16(a), torch.tensor(a).bfloat16().double())
