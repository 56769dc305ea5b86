"""One test task of a run, drawn with what the adapted network says about it."""

from pathlib import Path

import numpy

from .. import report
from ..backend import Array, to_host
from ..evaluation import beside
from .prepare import Prepared


def draw_episode(run: Prepared, algorithm, theta: Array, path: str | Path) -> None:
    """Adapt to the first test task and draw it.

    Args:
        run: The run.
        algorithm: Its algorithm, at the λ of θ.
        theta: The θ that was tested, (P,).
        path: The PNG to write.
    """
    tasks = run.source.sample(
        "test", seed=run.config.seed, step=0, num_tasks=1, dtype=theta.dtype
    )
    here = beside(theta, tasks)
    phi = algorithm.adapt(theta, here.support_x, here.support_y)
    net = run.model.net
    if run.source.task == "regression":
        before = to_host(net.logits(theta, here.query_x))[0]
        after = to_host(net.logits(phi, here.query_x))[0]
        figure = report.regression_episode(tasks, before, after, algorithm.name)
    else:
        chances = softmax(to_host(net.logits(phi, here.query_x))[0])
        figure = report.image_episode(
            tasks, chances, algorithm.name, inverted=run.config.invert
        )
    report.save(figure, path)


def softmax(z: numpy.ndarray) -> numpy.ndarray:
    """Return probabilities (N, D) from logits (N, D), in float64."""
    e = numpy.exp(z.astype(float) - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
