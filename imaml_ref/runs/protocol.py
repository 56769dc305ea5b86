"""How a θ was tested, in words: numbers of few-shot learning mean little without."""

from ..config import Config


def protocol(config: Config, task: str, queries=()) -> str:
    """Say what the tasks hold, and what an accuracy is.

    Args:
        config: The configuration, with the ways, shots and queries of the tasks.
        task: "classification" or "regression".
        queries: Several numbers of them, in place of the one of the configuration.
    """
    shots = config.shots
    number = " and ".join(map(str, queries or [config.queries]))
    if task == "regression":
        return f"{shots} shots and {number} queries a task"
    return (
        f"{config.ways}-way {shots}-shot, {number} queries a class; transductive: a "
        "batch-normalised network sees the queries of a task together; per example: "
        "each alone"
    )
