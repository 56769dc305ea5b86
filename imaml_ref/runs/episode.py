"""One test task of a run, drawn with what the adapted network says about it."""

import numpy

from ..compute import Array, array_module, to_host
from ..networks import context_for
from ..training import beside
from . import report
from .drawing import Figure
from .prepare import Prepared


def episode_figure(run: Prepared, algorithm, theta: Array) -> Figure:
    """Adapt to the first test task, and return a figure of it.

    Args:
        run: The run.
        algorithm: Its algorithm, at the λ of θ.
        theta: The θ that was tested, (P,).
    """
    tasks = run.source.sample(
        "test", seed=run.config.seed, step=0, num_tasks=1, dtype=theta.dtype
    )
    here = beside(theta, tasks)
    phi = algorithm.adapt(theta, here.support_x, here.support_y)
    net = run.model.net
    if run.source.task == "regression":
        x, inputs = span_of(tasks)
        inputs = array_module(theta).asarray(inputs)
        before, after = (to_host(net.logits(p, inputs))[0, :, 0] for p in (theta, phi))
        return report.regression_episode(tasks, x, before, after, algorithm.name)
    z = net.logits(phi, here.query_x, **context_for(net, here.support_x))
    chances = softmax(to_host(z)[0])
    return report.image_episode(
        tasks, chances, algorithm.name, inverted=run.config.invert
    )


def span_of(tasks) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return a hundred inputs from the least to the largest: (100,) and (1, 100, 1)."""
    seen = numpy.concatenate([tasks.support_x[0], tasks.query_x[0]])
    x = numpy.linspace(seen.min(), seen.max(), 100, dtype=seen.dtype)
    return x, x[None, :, None]


def softmax(z: numpy.ndarray) -> numpy.ndarray:
    """Return probabilities (N, D) from logits (N, D), in float64."""
    e = numpy.exp(z.astype(float) - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
