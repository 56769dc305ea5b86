"""The folder of a run: what is in it, and when it may be written to.

config.toml     the configuration, in full
metrics.csv     one row per meta-step
checkpoint.h5   where the training stands
summary.json    the result; once it is there, the run is finished
*.png           figures, drawn after it
.lock           empty; locked while a program writes the run
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import (
    FIELDS,
    Config,
    as_declared,
    by_field,
    dumps,
    loads,
    read_config,
    spelled,
    written_config,
)
from ..files import BadFile, atomic_path
from ..training import Checkpoint, read_checkpoint
from .lock import NAME as LOCK

# What may change between the sessions of one run: how far and how fast it goes and
# where its data lies, not what it computes.
FREE = (
    "meta_steps",
    "threads",
    "processes",
    "log_interval",
    "checkpoint_seconds",
    "test_tasks",
    "data",
)


class RunFolder:
    """The files of one run.

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config = self.path / "config.toml"
        self.metrics = self.path / "metrics.csv"
        self.checkpoint = self.path / "checkpoint.h5"
        self.summary = self.path / "summary.json"

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    def is_run(self) -> bool:
        """Whether there is a run in the folder."""
        return self.config.is_file()

    def check_free(self) -> None:
        """Check that a new run may start here.

        Raises:
            ValueError: If there is a run already, or something that is not a run.
        """
        if self.is_run():
            raise ValueError(
                f"{self.path} holds a run already; add --resume to go on with it, or "
                "choose another --out"
            )
        place = self.path.absolute()
        exists = next(p for p in (place, *place.parents) if p.exists())
        if not exists.is_dir():
            raise ValueError(f"{exists} is not a folder; choose another --out")
        if self.path.is_dir() and any(map(is_foreign, self.path.iterdir())):
            raise ValueError(
                f"{self.path} is not empty and not a run; choose another --out"
            )

    def read_config(self) -> Config:
        """Read the configuration of the run.

        Raises:
            ValueError: If it is damaged.
            FileNotFoundError: If there is no run here.
        """
        if not self.is_run():
            raise FileNotFoundError(f"no run in {self.path}: it has no config.toml")
        return written_config(read_config(self.config))

    def read_checkpoint(self) -> Checkpoint | None:
        """Read the checkpoint; None if there is none yet.

        Raises:
            BadFile: If it is damaged.
        """
        return read_checkpoint(self.checkpoint) if self.checkpoint.exists() else None

    def create(self, config: Config) -> None:
        """Make the folder if need be, and write the configuration."""
        self.path.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.config) as temporary:
            temporary.write_text(dumps(config), encoding="utf-8")

    def read_summary(self) -> dict[str, Any] | None:
        """Read summary.json; None if it is absent or damaged."""
        try:
            found = json.loads(self.summary.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json, whole or not at all."""
        with atomic_path(self.summary) as temporary:
            known = {name: finite(value) for name, value in summary.items()}
            text = json.dumps(known, indent=2, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """Return None for NaN and infinity, which JSON does not know."""
    unknown = isinstance(value, float) and not math.isfinite(value)
    return None if unknown else value


def is_foreign(path: Path) -> bool:
    """Whether a file is none of those that a killed first write leaves behind."""
    leftover = path.name.startswith(".config.") and ".part" in path.name
    return not leftover and path.name != LOCK


def resumed_config(folder: RunFolder, given: Mapping[str, Any]) -> Config:
    """Return the configuration to go on with: the run's, its free keys as given.

    Args:
        folder: A run.
        given: Keys from flags and file.

    Raises:
        ValueError: If a key is given that the run has otherwise.
    """
    config = folder.read_config()
    wanted = by_field(given)
    wanted = {n: as_declared(FIELDS[n], n, value) for n, value in wanted.items()}
    if wanted.get("device") == "auto":
        del wanted["device"]
    for name, value in wanted.items():
        if name not in FREE and value != getattr(config, name):
            raise ValueError(
                f"{folder.path} was trained with {spelled(name)} = "
                f"{getattr(config, name)}, not {value}; a run goes on as it began"
            )
    return replace(config, **wanted)


def check_configuration(
    folder: RunFolder, checkpoint: Checkpoint, config: Config
) -> None:
    """Check that a checkpoint was made with a configuration, free keys aside.

    Raises:
        BadFile: If not; the first key that differs is named.
    """
    where = folder.checkpoint
    old = written_config(loads(checkpoint.about["config"], str(where)))
    for name in FIELDS:
        if name not in FREE and getattr(old, name) != getattr(config, name):
            raise BadFile(
                f"{where} belongs to another configuration: {spelled(name)} = "
                f"{getattr(old, name)}, not {getattr(config, name)}"
            )


def check_data(where: Path, theirs: str, data: str, ours: str) -> None:
    """Check that data have the digest of those that something was trained on.

    Raises:
        BadFile: If not.
    """
    if theirs != ours:
        raise BadFile(
            f"{where} was trained on data of digest {theirs[:12]}…, {data} has "
            f"{ours[:12]}…; give the same data"
        )


def check_stage(where: Path, theirs: str, ours: str) -> None:
    """Check that a checkpoint was made by the same kernels.

    Raises:
        BadFile: If not: the bits may be others.
    """
    if theirs != ours:
        plainly = ", without IMAML_REF_PLAIN" if ours == "plain" else ""
        raise BadFile(
            f"{where} was trained at the stage {theirs or 'unknown'} of the path on a "
            f"GPU, not at {ours}; set IMAML_REF_DEVICE_STAGE={theirs}{plainly}"
        )


def check_belongs(
    folder: RunFolder, checkpoint: Checkpoint, config: Config, about: Mapping[str, Any]
) -> None:
    """Check that a checkpoint goes on bit for bit with a configuration and data.

    Args:
        folder: The run.
        checkpoint: What was found in it.
        config: The configuration to go on with.
        about: What a checkpoint of today would say about itself.

    Raises:
        BadFile: If it belongs to another configuration or other data.
        ValueError: If it is beyond the last meta-step already.
    """
    theirs, where = checkpoint.about, folder.checkpoint
    check_data(where, theirs["data_digest"], config.data, about["data_digest"])
    check_configuration(folder, checkpoint, config)
    if theirs["tasks_digest"] != about["tasks_digest"]:
        raise BadFile(
            f"{where} was trained on other tasks: the splits of {config.data} have "
            "changed, or random numbers of another NumPy or imaml_ref "
            f"({theirs['program_version']} then, {about['program_version']} now)"
        )
    # Checkpoints of version 0.1.0 do not say, and are of a CPU.
    check_stage(where, theirs.get("device_stage", ""), about["device_stage"])
    if checkpoint.state.step > config.meta_steps:
        raise ValueError(
            f"{folder.path} has made {checkpoint.state.step} meta-steps already, more "
            f"than the {config.meta_steps} asked for; raise --meta-steps"
        )
