"""The configuration of a run: its keys, its presets, and TOML.

A key has one name everywhere, ``meta-lr`` in a TOML file, ``--meta-lr`` on the command
line, ``config.meta_lr`` in Python, and one line that says what it means, in
``keys.py``.  Knows words and numbers.  Must not know the objects that they name:
``runs`` makes those.
"""

from .keys import DEVICES, FIELDS, Config, as_declared, by_field, known_name, spelled
from .presets import PRESETS, make_config, preset_value, written_config
from .toml import dumps, loads, read_config
from .used import check_used

__all__ = [
    "DEVICES",
    "FIELDS",
    "PRESETS",
    "Config",
    "as_declared",
    "by_field",
    "check_used",
    "dumps",
    "known_name",
    "loads",
    "make_config",
    "preset_value",
    "read_config",
    "spelled",
    "written_config",
]
