"""Presets, and the order in which the sources of a configuration win.

defaults (the paper's)  <  preset  <  what it changes for the data  <  file  <  flags
"""

from collections.abc import Mapping
from typing import Any

from .keys import FIELDS, Config, by_field, check_type

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "released": {"algorithm": "released-imaml", "inner": "pull-back"},
    "reliable": {
        "curvature": "gauss-newton",
        "lam": 0.2,
        "queries": 5,
        "invert": True,
        "meta_batch": 8,
        "meta_lr": 8e-3,
        "meta_lr_half_life": 2000,
        "adam_eps": 1e-8,
        "meta_steps": 1200,
        "validation_interval": 500,
    },
}

FOR_DATA: dict[tuple[str, str], dict[str, Any]] = {
    ("reliable", "glyphs"): {
        "num_filters": 32,
        "meta_lr": 4e-3,
        "meta_lr_half_life": 0,
        "meta_steps": 500,
        "validation_interval": 100,
        "validation_tasks": 100,
        "test_tasks": 1000,
    },
    ("reliable", "sinusoid"): {
        "shots": 10,
        "queries": 10,
        "invert": False,
        "num_filters": 40,
        "inner_lr": 0.004,
        "meta_batch": 32,
        "meta_lr": 4e-3,
        "meta_lr_half_life": 0,
        "meta_steps": 3000,
        "validation_interval": 100,
    },
}


def make_config(*sources: Mapping[str, Any], preset: str = "reliable") -> Config:
    """Merge a preset and later sources into a configuration.

    Args:
        sources: Mappings from keys (``meta-lr`` or ``meta_lr``) to values; later ones
            win.  One of them may name another ``preset``.
        preset: The preset if no source names one.

    Raises:
        ValueError: If a key or the preset is unknown, or given twice in one source, or
            a value is out of its range.
    """
    given: dict[str, Any] = {"preset": preset}
    for source in sources:
        given.update(by_field(source))
    for name in ("preset", "data"):  # looked up below, before the rest is checked
        if not isinstance(given.get(name, ""), str):
            check_type(FIELDS[name], given[name])
    if given["preset"] not in PRESETS:
        raise ValueError(
            f"preset must be one of {', '.join(PRESETS)}, got {given['preset']!r}"
        )
    data = given.get("data", FIELDS["data"].default)
    return Config(**(preset_values(given["preset"], data) | given))


def written_config(given: Mapping[str, Any]) -> Config:
    """Return the configuration that a run wrote, which has every key of its time.

    A later key has its default, whatever the preset makes of it today: it did nothing
    then, and a run goes on as it began.

    Raises:
        ValueError: If a key is unknown, or given twice, or a value is out of its range.
    """
    return Config(**by_field(given))


def preset_values(preset: str, data: str) -> dict[str, Any]:
    """Return what a preset changes, for the data."""
    return PRESETS[preset] | FOR_DATA.get((preset, data), {})


def preset_value(name: str, preset: str, data: str) -> Any:
    """Return what a preset makes of a key, for the data.

    Args:
        name: The field.
        preset: The preset.
        data: glyphs, sinusoid, or a file.
    """
    own = {"preset": preset, "data": data}
    return (preset_values(preset, data) | own).get(name, FIELDS[name].default)
