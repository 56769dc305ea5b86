"""Which classes are taken for which, over many tasks.

A query of class a can be taken for class b only if b is in the task.  So beside N_ab,
how many were, stands M_ab, how many queries of a had b among the classes of their task:
the rate is N_ab / M_ab, and M_aa are all queries of a.
"""

import numpy


def by_class(labels, guesses, classes):
    """Return the classes met, ascending (C,), and over all queries N (C, C + 1), M.

    Labels and guesses are (num_tasks, queries), integers; classes (num_tasks, ways) are
    the indices that they stand for.  In the last column of N is what was taken for an
    output of the network that stands for none.  M is (C, C).
    """
    present, place = numpy.unique(classes, return_inverse=True)
    place, C = place.reshape(classes.shape), len(present)
    places = numpy.pad(place, ((0, 0), (0, 1)), constant_values=C)
    said = numpy.minimum(guesses, classes.shape[1])
    said = numpy.take_along_axis(places, said, axis=1)
    true = numpy.take_along_axis(place, labels, axis=1)
    M = counted(true[..., None], place[:, None], C, C)
    return present, counted(true, said, C, C + 1), M


def counted(rows, columns, height: int, width: int) -> numpy.ndarray:
    """Count how often each row meets each column, indices from 0 that broadcast."""
    flat = (rows * width + columns).ravel()
    return numpy.bincount(flat, minlength=height * width).reshape(height, width)


def in_words(names: list[str], N: numpy.ndarray, M: numpy.ndarray) -> dict:
    """Return accuracies of classes, the 20 pairs confused most, and rates by group.

    A pair is [class, taken for, times, of so many].  The group of a class, such as its
    alphabet, is what is before the last "/" of its name; rates of none are left out.
    """
    N, itself = N[:, :-1], numpy.eye(len(names), dtype=bool)
    wrong = numpy.where(itself, 0, N)
    order = numpy.argsort(-wrong, axis=None, kind="stable")[:20]
    pairs = zip(*numpy.unravel_index(order, N.shape), strict=True)
    group = numpy.array([name.rpartition("/")[0] for name in names])
    one = group[:, None] == group
    rates = {"same_group": one & ~itself, "other_group": ~one}
    right = (N.diagonal() / M.diagonal()).tolist()
    return {
        "accuracy_by_class": dict(zip(names, right, strict=True)),
        "confused": [
            [names[a], names[b], int(N[a, b]), int(M[a, b])]
            for a, b in pairs
            if wrong[a, b]
        ],
        **{
            f"confused_with_{name}": float(N[of].sum() / M[of].sum())
            for name, of in rates.items()
            if M[of].any()
        },
    }
