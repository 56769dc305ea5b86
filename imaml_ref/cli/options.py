"""The keys of the configuration as flags: one declaration, in ``config/keys.py``."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from ..config import FIELDS, preset_value, spelled

# Where a default may differ: the reliable preset by data, and the other presets.
SITUATIONS = {
    "glyphs": ("reliable", "glyphs"),
    "a data file": ("reliable", "FILE.h5"),
    "sinusoid": ("reliable", "sinusoid"),
    "paper": ("paper", "glyphs"),
    "released": ("released", "glyphs"),
}

PANELS: dict[str | None, tuple[str, ...]] = {
    None: ("preset",),
    "Data": ("data", "split_scheme", "ways", "shots", "queries", "rotate", "invert"),
    "Network": ("net", "norm", "num_filters"),
    "Meta-gradient": (
        "algorithm",
        "curvature",
        "negative_curvature",
        "cg_steps",
        "lam",
        "lam_lr",
        "proximal",
        "adapted",
        "annealing",
        "first_order_steps",
    ),
    "Inner loop": ("inner", "inner_steps", "inner_lr", "alpha_of", "alpha_lr"),
    "Meta-training": (
        "meta_batch",
        "meta_steps",
        "meta_lr",
        "meta_lr_half_life",
        "adam_eps",
        "seed",
    ),
    "Validation and test": ("validation_interval", "validation_tasks", "test_tasks"),
    "Machine": (
        "device",
        "dtype",
        "threads",
        "processes",
        "log_interval",
        "checkpoint_seconds",
    ),
}


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one flag per key; it gets those that were given as ``keys``."""

    @wraps(command)
    def with_keys(**arguments):
        keys = {n: arguments.pop(n) for n in FIELDS if n in arguments}
        keys = {name: value for name, value in keys.items() if value is not None}
        return command(keys=keys, **arguments)

    own = inspect.signature(command).parameters.values()
    parameters = [p for p in own if p.name != "keys"]
    parameters += [flag(name, panel) for panel in PANELS for name in PANELS[panel]]
    with_keys.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_keys.__annotations__ = {p.name: p.annotation for p in parameters}
    del with_keys.__wrapped__  # type: ignore[attr-defined]
    return with_keys


def flag(name: str, panel: str | None) -> inspect.Parameter:
    """Return the parameter of one key: an option without a default of its own."""
    f = FIELDS[name]
    text = "--" + spelled(name)
    if isinstance(f.default, bool):
        text += "/--no-" + spelled(name)
    option = typer.Option(
        text,
        help=f.metadata["help"] + choices_of(name) + defaults_of(name),
        rich_help_panel=panel,
        show_default=False,
    )
    kind: Any = type(f.default)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def choices_of(name: str) -> str:
    """Say what a key may be, if the list is closed."""
    choices = FIELDS[name].metadata.get("choices", ())
    return f" One of {', '.join(choices)}." if choices else ""


def defaults_of(name: str) -> str:
    """Say what a key is in the reliable preset, by data, and where others differ."""
    if name == "preset":
        return " (default reliable)"
    if name == "data":
        return f" ({FIELDS[name].default})"
    labels: dict[Any, list[str]] = {}
    for label, (preset, data) in SITUATIONS.items():
        labels.setdefault(preset_value(name, preset, data), []).append(label)
    words = [f"{', '.join(who)} {shown(value)}" for value, who in labels.items()]
    value, who = next(iter(labels.items()))
    if set(SITUATIONS) - set(who) <= {"paper", "released"}:
        words[0] = shown(value)
    return f" ({'; '.join(words)})"


def shown(value: Any) -> str:
    """Write a value as a user would."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
