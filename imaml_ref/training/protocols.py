"""One θ by the protocols of publications: what each found, and how sure it is.

Where queries of a task are normalised together, their number counts: a batch with one
image of each class says how many of each there are.
"""

from .confusion import by_class, counted, in_words
from .evaluation import Evaluation
from .intervals import bootstrap95, ci95


def protocols(found: dict[int, Evaluation], source, *, seed: int = 0) -> list[dict]:
    """Return a record in plain types of each protocol; a regression has none.

    Args:
        found: Evaluations by their queries of a class; per example the largest counts.
        source: Where the tasks came from, with any number of queries.
        seed: Of the tasks.
    """
    return [
        {
            "protocol": name,
            "queries": n,
            "accuracy": float(accuracies.mean()),
            "accuracy_ci95": ci95(accuracies),
            "accuracy_bootstrap95": bootstrap95(accuracies),
            **confusions(e, guesses, source, seed),
        }
        for n, e in found.items()
        for name, accuracies, guesses in (
            ("transductive", e.accuracies, e.guesses),
            ("per example", e.accuracies_per_example, e.guesses_per_example),
        )
        if accuracies is not None and (name != "per example" or n == max(found))
    ]


def confusions(e: Evaluation, guesses, source, seed: int) -> dict:
    """Return what of integer labels is confused with what: (ways, outputs); classes."""
    if e.labels is None:
        return {}
    ways = int(e.labels.max()) + 1
    counts = counted(e.labels, guesses, ways, max(ways, int(guesses.max()) + 1))
    found: dict = {"confusion_by_way": counts.tolist()}
    if not hasattr(source, "classes_of"):
        return found
    classes = source.classes_of(e.split, seed=seed, step=0, num_tasks=e.num_tasks)
    present, N, M = by_class(e.labels, guesses, classes)
    return found | in_words([source.data.class_names[c] for c in present], N, M)
