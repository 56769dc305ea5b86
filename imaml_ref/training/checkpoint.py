"""Checkpoints: everything that a training needs to go on bit for bit, in one file.

    theta                       (P,), in the precision of the run
    lam                         () or (P,), float64
    optimizer/*                 state of the optimiser of θ, one dataset per name
    lam_optimizer/*             state of the optimiser of log λ, if λ is learned
    alpha, alpha_optimizer/*    the step size of the inner loop, if it is learned
    best/theta, lam, alpha      the best on validation so far, if there was one
    attributes                  step, seconds, seed, chosen, best_step, best_score;
                                config (TOML), data_digest; input_shape, num_outputs,
                                task, estimator, program_version: what predicting needs;
                                device_stage, "" where it was no GPU

Written whole or not at all, see ``files.py``.  Plain HDF5: any program can read θ.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy

from ..arguments import Brief
from ..compute import Array, to_host
from ..files import atomic_path, open_h5, whole

SCHEMA, VERSION = "imaml_ref/checkpoint", 1


@dataclass(frozen=True, repr=False)
class Best(Brief):
    """The parameters that did best on the validation tasks.

    Args:
        step: Meta-steps behind it.
        score: Validation accuracy, or minus the validation loss.
        theta: (P,).
        lam: λ that belongs to it, () or (P,).
        alpha: α likewise; NaN where it stays.
    """

    step: int
    score: float
    theta: Array
    lam: Array
    alpha: Array = field(default_factory=partial(numpy.array, math.nan))


@dataclass(frozen=True, repr=False)
class TrainingState(Brief):
    """Where a training stands; the next meta-step is a pure function of it.

    Args:
        step: Meta-steps done.
        theta: (P,).
        lam: λ, () or (P,), float64.
        optimizer: State of the optimiser of θ, arrays by name.
        lam_optimizer: State of the optimiser of log λ; empty where λ stays.
        best: The best on validation so far.
        seconds: Time spent in training, over all sessions.
        alpha: α that is learned, (), (L,) or (P,), float64; NaN where it stays.
        alpha_optimizer: State of the optimiser of log α; empty where α stays.
    """

    step: int
    theta: Array
    lam: Array
    optimizer: Mapping[str, Array]
    lam_optimizer: Mapping[str, Array] = field(default_factory=dict)
    best: Best | None = None
    seconds: float = 0.0
    alpha: Array = field(default_factory=partial(numpy.array, math.nan))
    alpha_optimizer: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Checkpoint(Brief):
    """A state, and what it belongs to.

    Args:
        state: Where the training stands.
        about: Plain attributes: configuration, digest of the data, shapes, versions.
        chosen: ``"last"`` or ``"best"``: which θ is the result of the run.
    """

    state: TrainingState
    about: Mapping[str, Any]
    chosen: str = "last"

    @property
    def parameters(self) -> Best | TrainingState:
        """Where θ, λ and α are that the run stands for."""
        best = self.state.best
        return best if self.chosen == "best" and best is not None else self.state

    @property
    def result(self) -> tuple[Array, Array]:
        """θ (P,) and λ that the run stands for."""
        return self.parameters.theta, self.parameters.lam

    @property
    def result_step(self) -> int:
        """Meta-steps behind that θ."""
        return self.parameters.step


def write_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; what was there before stays until the new one is whole.

    Raises:
        FileNotFoundError: If the folder does not exist.
        OSError: If it cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(as_bytes(checkpoint))


def as_bytes(checkpoint: Checkpoint) -> bytes:
    """Return the HDF5 file of a checkpoint, made in memory.

    HDF5 that finds a disk full cannot close the file and may end the program; bytes
    that do not fit are an error like any other.
    """
    state = checkpoint.state
    in_memory: Any = {"driver": "core", "backing_store": False}
    with h5py.File("checkpoint", "w", **in_memory) as file:
        file.attrs["schema"], file.attrs["schema_version"] = SCHEMA, VERSION
        file.attrs.update(checkpoint.about)
        file.attrs["chosen"] = checkpoint.chosen
        file.attrs["step"] = state.step
        file.attrs["seconds"] = state.seconds
        write_arrays(file, "", parameters_of(state))
        write_arrays(file, "optimizer", state.optimizer)
        write_arrays(file, "lam_optimizer", state.lam_optimizer)
        write_arrays(file, "alpha_optimizer", state.alpha_optimizer)
        if state.best is not None:
            write_arrays(file, "best", parameters_of(state.best))
            file.attrs["best_step"] = state.best.step
            file.attrs["best_score"] = state.best.score
        file.flush()
        return file.id.get_file_image()


def parameters_of(found: Best | TrainingState) -> dict[str, Array]:
    """Return θ, λ and α by name, without an α that is not learned."""
    named = {"theta": found.theta, "lam": found.lam, "alpha": found.alpha}
    if numpy.isnan(found.alpha).any():
        del named["alpha"]
    return named


def write_arrays(file: h5py.File, group: str, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name into a group."""
    for name, a in arrays.items():
        data = a if numpy.isscalar(a) else to_host(a)
        file.create_dataset(f"{group}/{name}", data=data)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint, every array with the bits that were written.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the system does not let it be read.
        BadFile: If it is truncated, or no checkpoint, or lacks a part.
    """
    what = "is a damaged checkpoint"
    advice = "restore it, or train again in another folder"
    with (
        open_h5(path, schema=SCHEMA, version=VERSION) as file,
        whole(path, otherwise=what, advice=advice),
    ):
        return parse(file)


def parse(file: h5py.File) -> Checkpoint:
    """Turn an open file into a checkpoint."""
    about = {name: plain(value) for name, value in file.attrs.items()}
    best = None
    if "best" in file:
        arrays = read_arrays(file, "best")
        best = Best(about.pop("best_step"), about.pop("best_score"), **arrays)
    state = TrainingState(
        step=about.pop("step"),
        theta=file["theta"][()],
        lam=numpy.asarray(file["lam"][()]),
        optimizer=read_arrays(file, "optimizer"),
        lam_optimizer=read_arrays(file, "lam_optimizer"),
        alpha=numpy.asarray(file["alpha"][()] if "alpha" in file else math.nan),
        alpha_optimizer=read_arrays(file, "alpha_optimizer"),
        best=best,
        seconds=about.pop("seconds"),
    )
    for name in ("schema", "schema_version"):
        del about[name]
    return Checkpoint(state, chosen=about.pop("chosen"), about=about)


def read_arrays(file: h5py.File, group: str) -> dict[str, numpy.ndarray]:
    """Read the arrays of a group by name; an absent group has none."""
    return {name: numpy.asarray(a[()]) for name, a in file.get(group, {}).items()}


def plain(value: Any) -> Any:
    """Return an attribute as Python's own type; an array becomes a tuple."""
    if isinstance(value, numpy.ndarray):
        return tuple(value.tolist())
    return value.item() if isinstance(value, numpy.generic) else value
