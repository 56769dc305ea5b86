"""What is taken for what, against a loop over queries and classes."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.training.confusion import by_class, counted, in_words

TASKS, WAYS = 40, 3
QUERIES = (1, 2, 4)  # of each class: M is not symmetric
NAMES = ["A/1", "A/2", "A/3", "B/1", "B/2", "no group", "C/1"]


@pytest.fixture(scope="module")
def drawn():
    """Labels, guesses of a net of five outputs, and classes; class 4 never comes."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.repeat(np.arange(WAYS), QUERIES), (TASKS, 1))
    wrong = rng.random(labels.shape) < 0.6
    guesses = np.where(wrong, rng.integers(0, 5, labels.shape), labels)
    at_hand = [0, 1, 2, 3, 5, 6]
    classes = [rng.choice(at_hand, WAYS, replace=False) for _ in range(TASKS)]
    return labels, guesses, np.stack(classes)


@pytest.fixture(scope="module")
def counts(drawn):
    return by_class(*drawn)


def test_every_query_is_counted_once_for_each_class_of_its_task(drawn, counts):
    said, met = Counter(), Counter()
    for labels, guesses, classes in zip(*drawn, strict=True):
        for label, guess in zip(labels, guesses, strict=True):
            true = classes[label]
            said[true, classes[guess] if guess < WAYS else "none"] += 1
            met.update((true, other) for other in classes)
    present, N, M = counts
    assert present.tolist() == [0, 1, 2, 3, 5, 6]
    for i, a in enumerate(present):
        assert [N[i, j] for j in range(7)] == [said[a, b] for b in [*present, "none"]]
        assert [M[i, j] for j in range(6)] == [met[a, b] for b in present]


def test_confusions_of_a_class_sum_to_its_queries(drawn, counts):
    labels, guesses, _ = drawn
    _, N, M = counts
    assert_array_equal(N.sum(1), M.diagonal())
    assert N.sum() == labels.size
    assert N.diagonal().sum() == (labels == guesses).sum()
    assert N[:, -1].sum() == (guesses >= WAYS).sum() > 0
    assert (N[:, :-1] <= M).all()
    assert (M != M.T).any()


def test_labels_and_outputs_are_counted(drawn):
    labels, guesses, _ = drawn
    expected = [
        [((labels == i) & (guesses == j)).sum() for j in range(5)] for i in (0, 1, 2)
    ]
    assert_array_equal(counted(labels, guesses, WAYS, 5), expected)


def test_a_record_names_what_was_counted(counts):
    present, N, M = counts
    names = [NAMES[c] for c in present]
    found = in_words(names, N, M)
    assert list(found["accuracy_by_class"]) == names
    right = [N[i, i] / M[i, i] for i in range(6)]
    assert_allclose(list(found["accuracy_by_class"].values()), right, rtol=1e-15)
    at = {name: i for i, name in enumerate(names)}
    times = [n for _, _, n, _ in found["confused"]]
    assert times == sorted(times, reverse=True)
    for a, b, n, of in found["confused"]:
        assert a != b
        assert (n, of) == (N[at[a], at[b]], M[at[a], at[b]])
    others = N[:, :-1].copy()
    others[np.diag_indices(6)] = 0
    assert sum(times[:3]) == np.sort(others.ravel())[-3:].sum()


def test_rates_are_told_apart_by_what_stands_before_the_last_stroke(counts):
    present, N, M = counts
    found = in_words([NAMES[c] for c in present], N, M)
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    same = [(i, j) for i, j in pairs if max(i, j) < 3]  # A/1, A/2, A/3
    for key, of in (("same", same), ("other", set(pairs) - set(same))):
        expected = sum(N[p] for p in of) / sum(M[p] for p in of)
        assert_allclose(found[f"confused_with_{key}_group"], expected, rtol=1e-12)


def test_what_never_met_has_no_rate():
    N, M = np.array([[3, 1, 0], [2, 2, 0]]), np.full((2, 2), 4)
    assert "confused_with_same_group" not in in_words(["A/1", "B/1"], N, M)
    assert "confused_with_other_group" not in in_words(["A/1", "A/2"], N, M)
    found = in_words(["1", "2"], N, M)
    assert found["confused"] == [["2", "1", 2, 4], ["1", "2", 1, 4]]
    assert found["confused_with_same_group"] == 3 / 8
