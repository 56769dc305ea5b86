"""Which keys a choice makes use of: one that has no effect is not taken in silence.

A preset sets keys that another choice may then leave without a use; only a value that
is not the preset's is somebody's wish.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .keys import FIELDS, Config, spelled
from .presets import preset_value


class Use(NamedTuple):
    """When a key has an effect.

    Args:
        choice: The key that decides.
        holds: Whether it has one in a configuration.
        words: What takes it.
    """

    choice: str
    holds: Callable[[Config], bool]
    words: str


IMPLICIT = ("imaml", "released-imaml")
CONVOLUTIONS = ("omniglot-cnn", "conv4")
OF_IMAGES = Use("data", lambda c: c.data != "sinusoid", "images")
OF_IMAML = Use("algorithm", lambda c: c.algorithm == "imaml", "imaml")
PARTLY = ("imaml", "maml", "fomaml")
OF_MAML = Use("algorithm", lambda c: c.algorithm == "maml", "maml")
USES = {
    "adapted": Use(
        "algorithm", lambda c: c.algorithm in PARTLY, "imaml, maml and fomaml"
    ),
    "annealing": OF_MAML,
    "first_order_steps": Use(
        "algorithm", lambda c: c.algorithm in PARTLY[:2], "imaml and maml"
    ),
    "alpha_lr": OF_MAML,
    "alpha_of": Use("alpha_lr", lambda c: c.alpha_lr > 0, "alpha-lr above 0"),
    "split_scheme": OF_IMAGES,
    "ways": OF_IMAGES,
    "rotate": OF_IMAGES,
    "invert": OF_IMAGES,
    "num_filters": Use("net", lambda c: c.net != "linear", "all others"),
    "norm": Use(
        "net",
        lambda c: c.net in CONVOLUTIONS or (c.net == "auto" and c.data != "sinusoid"),
        " and ".join(CONVOLUTIONS),
    ),
    "curvature": OF_IMAML,
    "negative_curvature": OF_IMAML,
    "cg_steps": Use(
        "algorithm",
        lambda c: c.algorithm in IMPLICIT or c.inner == "newton-cg",
        "imaml, released-imaml, and inner newton-cg",
    ),
    "lam": Use(
        "algorithm",
        lambda c: c.algorithm in IMPLICIT or c.proximal,
        "imaml and released-imaml, and the others with proximal",
    ),
    "proximal": Use(
        "algorithm",
        lambda c: c.algorithm not in IMPLICIT,
        "maml, fomaml and reptile; the others have λ's term always",
    ),
    "inner_lr": Use(
        "inner",
        lambda c: c.inner not in ("lbfgs", "newton-cg"),
        "gd, momentum, adam and pull-back",
    ),
}


def check_used(config: Config, names: Iterable[str] = tuple(FIELDS)) -> None:
    """Check that every key that was set has an effect.

    Args:
        config: The configuration.
        names: The keys to look at.

    Raises:
        ValueError: If one has none, though its value is not the preset's.
    """
    for name in names:
        use, value = USES.get(name), getattr(config, name)
        wished = value != preset_value(name, config.preset, config.data)
        if use and wished and not use.holds(config):
            choice = f"{spelled(use.choice)} {getattr(config, use.choice)}"
            raise ValueError(
                f"{spelled(name)} {value} has no effect with {choice}, only with "
                f"{use.words}; leave it out, or make another choice"
            )
