"""Runs: a folder each, from the configuration to the tested θ."""

from .folder import RunFolder, resumed_config
from .interruption import Interrupted
from .load import Run, load_run
from .lock import Busy
from .prepare import Prepared, check_processes, prepare
from .reporter import Progress, Reporter, Silent
from .train import train_run

__all__ = [
    "Busy",
    "Interrupted",
    "Prepared",
    "Progress",
    "Reporter",
    "Run",
    "RunFolder",
    "Silent",
    "check_processes",
    "load_run",
    "prepare",
    "resumed_config",
    "train_run",
]
