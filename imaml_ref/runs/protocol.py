"""How a θ was tested, in words: numbers of few-shot learning mean little without."""

from ..config import Config


def protocol(config: Config, task: str) -> str:
    """Say what the tasks hold, and what an accuracy is.

    Args:
        config: The configuration, with the ways, shots and queries of the tasks.
        task: "classification" or "regression".
    """
    shots, queries = config.shots, config.queries
    if task == "regression":
        return f"{shots} shots and {queries} queries a task"
    return (
        f"{config.ways}-way {shots}-shot, {queries} queries a class; transductive: a "
        "batch-normalised network sees the queries of a task together; per example: "
        "each alone"
    )
