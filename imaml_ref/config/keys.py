"""Every key of the configuration, its default (the paper's), its meaning, its range."""

import difflib
import math
import operator
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from functools import partial
from typing import Any

from ..arguments import adopt, as_float, brief, plain

LARGEST_SEED = 2**64 - 1  # HDF5 has no larger integers, and a checkpoint names it
DEVICES = "auto", "cpu", "cuda"
LIMITS = {"above": operator.gt, "at_least": operator.ge, "at_most": operator.le}
FLAGS_ONLY = "out", "resume", "config"


def key(default: Any, text: str, **limits) -> Any:
    """Declare a key.

    Args:
        default: The paper's value; its type is the key's type.
        text: One line of help.
        limits: ``choices`` (a tuple), ``above``, ``at_least`` or ``at_most`` (numbers).
    """
    return field(default=default, metadata={"help": text, **limits})


@dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes.

    Raises:
        ValueError: If a value is of the wrong type or out of its range.
    """

    preset: str = key("paper", "Where the other keys start: reliable, paper, released.")
    data: str = key("glyphs", "glyphs, sinusoid, or an HDF5 file.")
    split_scheme: str = key(
        "auto", "Split inside the data; auto is random-1200, or else the first."
    )
    ways: int = key(5, "Classes per task.", at_least=2)
    shots: int = key(1, "Support examples per class.", at_least=1)
    queries: int = key(1, "Query examples per class.", at_least=1)
    rotate: str = key(
        "train",
        "Splits whose classes are turned by 90°.",
        choices=("train", "all", "none"),
    )
    invert: bool = key(False, "Swap ink and paper, x → 1 − x.")
    net: str = key(
        "auto",
        "Network; auto is mlp for sinusoid, else omniglot-cnn.",
        choices=("auto", "omniglot-cnn", "conv4", "mlp", "linear"),
    )
    norm: str = key(
        "batch",
        "Normalisation of convolutions; layer is over images, group is 8 groups, "
        "support and task look at the support set.",
        choices=(
            *("batch", "layer", "group", "instance", "none"),
            *("support", "task"),
        ),
    )
    num_filters: int = key(64, "Channels of a layer, or width of the mlp.", at_least=1)
    algorithm: str = key(
        "imaml",
        "Meta-gradient; released-imaml is what the paper's released code computes.",
        choices=("imaml", "maml", "fomaml", "reptile", "released-imaml"),
    )
    curvature: str = key(
        "hessian",
        "Operator of the implicit gradient.",
        choices=("hessian", "gauss-newton"),
    )
    negative_curvature: str = key(
        "continue",
        "What CG does when it meets pᵀAp ≤ 0.",
        choices=("continue", "truncate", "refuse"),
    )
    lam: float = key(2.0, "λ of the proximal term, in loss/parameter².", above=0)
    proximal: bool = key(
        False, "maml, fomaml, reptile: λ's term in the inner loop, as in imaml."
    )
    lam_lr: float = key(0.0, "Adam's step for log λ; at 0 λ stays.", at_least=0)
    adapted: str = key(
        "all",
        "Layers that the inner loop moves; head is ANIL, body BOIL.",
        choices=("all", "head", "body"),
    )
    annealing: int = key(0, "Meta-steps from all inner losses to the last.", at_least=0)
    first_order_steps: int = key(0, "Meta-steps of first order, at first.", at_least=0)
    alpha_lr: float = key(0.0, "Adam's step for log inner-lr; 0 keeps it.", at_least=0)
    alpha_of: str = key(
        "run",
        "What has an inner-lr to learn; parameter is Meta-SGD.",
        choices=("run", "layer", "parameter"),
    )
    inner: str = key(
        "gd",
        "Inner optimiser; pull-back is the released code's.",
        choices=("gd", "momentum", "adam", "lbfgs", "newton-cg", "pull-back"),
    )
    inner_steps: int = key(16, "Inner steps.", at_least=1)
    inner_lr: float = key(0.1, "Inner step size, in parameter²/loss.", above=0)
    cg_steps: int = key(5, "Steps of conjugate gradients.", at_least=1)
    meta_batch: int = key(32, "Tasks per meta-step.", at_least=1)
    meta_steps: int = key(20_000, "Meta-steps in all.", at_least=0)
    meta_lr: float = key(1e-3, "Adam's step for θ.", above=0)
    meta_lr_half_life: int = key(
        0, "Meta-steps after which meta-lr is half; 0 keeps it.", at_least=0
    )
    adam_eps: float = key(1e-3, "Adam's ε.", above=0)
    device: str = key(
        "auto",
        "Where to compute; auto is a GPU if there is one.",
        choices=DEVICES,
    )
    dtype: str = key("float32", "Precision.", choices=("float32", "float64"))
    seed: int = key(0, "Seed of θ and of every task.", at_least=0, at_most=LARGEST_SEED)
    threads: int = key(0, "Threads; 0 is one per core.", at_least=0)
    processes: int = key(1, "Processes in place of threads; 1 is threads.", at_least=1)
    validation_interval: int = key(
        500, "Meta-steps between validations; 0 is none.", at_least=0
    )
    validation_tasks: int = key(200, "Tasks per validation.", at_least=2)
    test_tasks: int = key(2000, "Tasks of the final test.", at_least=2)
    log_interval: int = key(
        10, "On a GPU, meta-steps between looks at what was measured.", at_least=1
    )
    checkpoint_seconds: float = key(30.0, "Seconds between checkpoints.", at_least=0)

    def __post_init__(self):
        adopt(self, **{f.name: partial(as_declared, f) for f in fields(self)})
        for f in fields(self):
            check_type(f, getattr(self, f.name))
            check_range(f, getattr(self, f.name))


FIELDS: dict[str, Field] = {f.name: f for f in fields(Config)}


def spelled(name: str) -> str:
    """Return a field's name as files and flags spell it: ``meta-lr``."""
    return name.replace("_", "-")


def known_name(name: str, where: str = "") -> str:
    """Return the field that a key names.

    Args:
        name: A key, with hyphens or underscores.
        where: Where it stands, for the message.

    Raises:
        ValueError: If there is no such key; the nearest one is named.
    """
    candidate = str(name).replace("-", "_")
    if candidate in FIELDS:
        return candidate
    if candidate in FLAGS_ONLY:
        raise ValueError(
            f"{name!r}{where} is a flag of imaml-ref train, not a configuration key; "
            f"give --{candidate} on the command line"
        )
    (near,) = difflib.get_close_matches(candidate, FIELDS, n=1, cutoff=0.0)
    raise ValueError(
        f"unknown configuration key {name!r}{where}; did you mean {spelled(near)!r}?"
    )


def as_declared(f: Field, name: str, value: Any) -> Any:
    """Return a scalar as Python's own, of the kind that its key wants if that is safe.

    Args:
        f: The key.
        name: Its name.
        value: What was given: any scalar means its number; all else stays as it is.
    """
    value = plain(value)
    if not isinstance(f.default, float) or math.isnan(as_float(value)):
        return value
    return as_float(value)


def by_field(keys: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return values by the fields that their keys name.

    Args:
        keys: Values by key, with hyphens or underscores.
        where: Where they stand, for the message.

    Raises:
        ValueError: If there is no such key, or two spellings of one.
    """
    found: dict[str, Any] = {}
    for key, value in keys.items():
        name = known_name(key, where)
        if name in found:
            raise ValueError(
                f"{spelled(name)} is given twice{where}, as {spelled(name)!r} and as "
                f"{name!r}; leave one of them"
            )
        found[name] = value
    return found


def check_type(f: Field, value: Any) -> None:
    """Check that a value has the type of its key's default, and is finite.

    Raises:
        ValueError: If not.
    """
    kind = type(f.default)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        wanted = {float: "a finite number", int: "an integer", bool: "true or false"}
        raise ValueError(
            f"{spelled(f.name)} must be {wanted.get(kind, 'a text')}, got {value!r}"
        )


def check_range(f: Field, value: Any) -> None:
    """Check that a value is one that its key allows.

    Raises:
        ValueError: If not.
    """
    choices = f.metadata.get("choices", (value,))
    wanted = "" if value in choices else f"one of {', '.join(choices)}"
    for limit, holds in LIMITS.items():
        if limit in f.metadata and not holds(value, f.metadata[limit]):
            wanted = f"{limit.replace('_', ' ')} {f.metadata[limit]}"
    if wanted:
        raise ValueError(f"{spelled(f.name)} must be {wanted}, got {brief(value)}")
