"""Intervals over tasks: Student's against SciPy, the bootstrap against its limits."""

import math
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from imaml_ref.training.intervals import RESAMPLINGS, bootstrap95, ci95

# Of the share of means below an end, over all resamplings; 4 standard deviations.
SHARE = 4 * math.sqrt(0.025 * 0.975 / RESAMPLINGS)
SAMPLES = {
    "few": np.array([0.2, 0.8, 0.4, 1.0, 0.6]),
    "two": np.array([0.25, 0.75]),
    "many": np.random.default_rng(1).binomial(5, 0.9, 700) / 5,
    "losses": np.random.default_rng(2).gamma(0.7, size=61),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_students_interval_is_that_of_scipy(name):
    values = SAMPLES[name]
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    half = ci95(values)
    assert_allclose([values.mean() - half, values.mean() + half], [low, high], 1e-12)


def test_students_interval_by_hand():
    """2, 4, 4, 5, 10: mean 5, s² = (9 + 1 + 1 + 0 + 25)/4 = 9; t of 4 is 2.776445."""
    expected = 2.7764451051977987 * 3 / math.sqrt(5)
    assert_allclose(ci95(np.array([2.0, 4, 4, 5, 10])), expected, rtol=1e-12)


def below(means, chances, end):
    """Chances of a mean below an end, and not above it; equal means may round apart."""
    return chances[means < end - 1e-9].sum(), chances[means < end + 1e-9].sum()


def assert_ends(values, means, chances):
    """The ends are the quantiles of a distribution, as far as a sample can tell."""
    for end, share in zip(bootstrap95(values), (0.025, 0.975), strict=True):
        strictly, at_most = below(means, chances, end)
        assert strictly <= share + SHARE, f"{end}: {strictly} of the means are below"
        assert at_most >= share - SHARE, f"{end}: only {at_most} are not above"


@pytest.mark.parametrize(("right", "n"), [(3, 7), (59, 60), (380, 400), (211, 650)])
def test_the_mean_of_what_is_right_or_wrong_is_binomial(right, n):
    """Resamplings of K ones among n hold binomially many ones, of chance K/n."""
    values = np.random.default_rng(0).permutation(np.arange(n) < right).astype(float)
    counts = np.arange(n + 1)
    assert_ends(values, counts / n, stats.binom.pmf(counts, n, right / n))


def test_the_interval_of_four_values_is_that_of_all_their_resamplings():
    values = np.array([0.1, 0.5, 0.7, 1.9])
    means = np.array([np.mean(drawn) for drawn in product(values, repeat=4)])
    assert_ends(values, means, np.full(256, 1 / 256))


def test_of_many_values_it_tends_to_the_normal_one():
    """Var x̄* = s²/n (n − 1)/n; an end has a standard error of 0.038 deviations."""
    values = np.random.default_rng(3).gamma(2, size=3000)
    deviation = values.std() / math.sqrt(3000)
    ends = (np.array(bootstrap95(values)) - values.mean()) / deviation
    assert_allclose(ends, [-1.96, 1.96], atol=0.16)


def test_near_100_percent_students_interval_leaves_the_range_and_the_bootstrap_not():
    values = np.array([1.0] * 39 + [0.8])
    assert values.mean() + ci95(values) > 1
    low, high = bootstrap95(values)
    assert low < values.mean() < high <= 1
    assert values.mean() - low > 1.5 * (high - values.mean())


def test_a_seed_gives_the_same_ends_again_and_another_seed_others():
    values = SAMPLES["losses"]
    assert bootstrap95(values, seed=4) == bootstrap95(values, seed=4)
    assert bootstrap95(values, seed=4) != bootstrap95(values, seed=5)


@pytest.mark.parametrize("count", [0, 1])
def test_one_task_has_no_interval(count):
    assert np.isnan([ci95(np.ones(count)), *bootstrap95(np.ones(count))]).all()
