"""A configuration as TOML: flat, one key per line, in full."""

import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .keys import FIELDS, Config, by_field, spelled
from .presets import make_config


def dumps(config: Config) -> str:
    """Write every key of a configuration, each with its meaning beside it."""
    lines = [(name, value_text(value)) for name, value in asdict(config).items()]
    width = max(len(spelled(name) + value) for name, value in lines)
    return "".join(
        f"{spelled(name)} = {value}".ljust(width + 3)
        + f"  # {FIELDS[name].metadata['help']}\n"
        for name, value in lines
    )


def value_text(value: Any) -> str:
    """Write one value in TOML; JSON's notation of these types is TOML's too."""
    return json.dumps(value, ensure_ascii=False)


def loads(text: str, where: str = "the text") -> dict[str, Any]:
    """Read the keys that a TOML text gives.

    Args:
        text: TOML, with keys of the configuration and nothing else.
        where: What it is called in messages.

    Raises:
        ValueError: If it is no TOML, or a key is unknown or given twice.
    """
    try:
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # too many digits, brackets
        raise ValueError(f"{where} is not valid TOML: {error}") from error
    return by_field(given, f" in {where}")


def read_config(path: str | Path) -> dict[str, Any]:
    """Read the keys that a TOML file gives, for ``make_config``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no TOML, a key is unknown, or a value is out of its range.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such configuration file: {path}; check the path")
    try:  # an editor may have put a mark before UTF-8
        given = loads(path.read_text(encoding="utf-8-sig"), str(path))
        make_config(given)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not valid TOML: it is not UTF-8 text") from error
    return given
