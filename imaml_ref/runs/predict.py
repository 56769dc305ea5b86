"""Classify one's own images with a trained run: adapt to a few, predict the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy

from ..arguments import Brief
from ..compute import array_module, to_host
from ..networks import blind_layer, context_for, logits_alone, why_blind
from .episode import softmax
from .load import Run

INK_IS_DARK = "ink 0"  # how the polarity of a data set of ink on paper begins


@dataclass(frozen=True, repr=False)
class Prediction(Brief):
    """What the adapted network says about query images.

    Args:
        chances: Probability of each class for each image, (N, ways).
        inverted: Whether the images were inverted to look like the training data.
    """

    chances: numpy.ndarray
    inverted: bool


def predict(
    run: Run,
    support: Sequence[numpy.ndarray],
    query: numpy.ndarray,
    *,
    alone: bool = False,
) -> Prediction:
    """Adapt to the support images of each class, and classify the query images.

    Args:
        run: A trained run.
        support: For each class its images, (n, H, W, C), uint8, 0 to 255.
        query: Images to classify, (N, H, W, C), uint8.
        alone: Whether to normalise each query image alone, instead of all together as
            in training; without batch normalisation it makes no difference.

    Raises:
        ValueError: If the run is no classifier of so many classes, or images are to be
            classified one by one and its network would then see none of them.
    """
    if run.checkpoint.about["task"] != "classification":
        raise ValueError(f"{run.path} is a regression; it has no classes to predict")
    ways = run.net.num_outputs
    if len(support) != ways:
        raise ValueError(
            f"{run.path} tells {ways} classes apart, got support images of "
            f"{len(support)}; its network has {ways} outputs and needs as many support "
            "folders"
        )
    one_by_one = alone or len(query) == 1
    if one_by_one and (layer := blind_layer(run.net)):
        raise ValueError(
            f"{run.path} cannot classify an image alone: {why_blind(layer)}; "
            "give several query images, and normalise them together"
        )
    pixels = numpy.concatenate([*support, query])
    inverted = looks_inverted(run, pixels)
    x = prepared(pixels, run, inverted)
    labels = numpy.repeat(numpy.arange(ways), [len(images) for images in support])
    xp = array_module(run.theta)
    support_x, query_x = map(xp.asarray, numpy.split(x, [len(labels)], axis=1))
    phi = run.algorithm.adapt(run.theta, support_x, xp.asarray(labels)[None])
    logits = partial(logits_alone, run.net) if alone else run.net.logits
    z = logits(phi, query_x, **context_for(run.net, support_x))
    return Prediction(softmax(to_host(z)[0]), inverted)


def looks_inverted(run: Run, pixels: numpy.ndarray) -> bool:
    """Whether images are light on dark where the training data are dark on light.

    What covers most of an image is taken for its paper.
    """
    dark_ink = run.checkpoint.about["polarity"].startswith(INK_IS_DARK)
    return dark_ink and float(numpy.median(pixels)) < 127.5


def prepared(pixels: numpy.ndarray, run: Run, inverted: bool) -> numpy.ndarray:
    """Map images (N, H, W, C), uint8, to the inputs (1, N, H, W, C) of the network."""
    dtype = run.theta.dtype
    if inverted != run.config.invert:
        pixels = 255 - pixels
    return (pixels.astype(dtype) / dtype.type(255))[None]
