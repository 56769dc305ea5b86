"""Runs: a folder each, from the configuration to the tested θ.

Knows files, figures, locks and signals, and makes the objects that a configuration
names. Must not know the console: a reporter is handed in.
"""

from .drawing import panels, save
from .experiment import resolved_device
from .figures import draw_missing
from .folder import RunFolder, resumed_config
from .interruption import Interrupted
from .load import Run, load_run
from .lock import Busy
from .predict import Prediction, predict
from .prepare import Prepared, check_processes, prepare
from .protocol import protocol
from .report import protocols as draw_protocols
from .reporter import Progress, Reporter, Silent
from .train import train_run

__all__ = [
    "Busy",
    "Interrupted",
    "Prediction",
    "Prepared",
    "Progress",
    "Reporter",
    "Run",
    "RunFolder",
    "Silent",
    "check_processes",
    "draw_missing",
    "draw_protocols",
    "load_run",
    "panels",
    "predict",
    "prepare",
    "protocol",
    "resolved_device",
    "resumed_config",
    "save",
    "train_run",
]
