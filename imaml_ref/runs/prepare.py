"""Everything that a run needs, opened and checked before anything is written."""

from dataclasses import dataclass, replace
from typing import Any

from .._version import __version__
from ..arguments import Brief
from ..compute import OR_CPU, Array, set_num_processes, set_num_threads
from ..config import Config, check_used, dumps
from ..data import TaskSource
from ..training import TrainingState
from .experiment import (
    Model,
    device_stage_of,
    first_theta,
    make_model,
    make_source,
    placed,
    resolved_device,
    tasks_digest,
)
from .folder import RunFolder, check_belongs


@dataclass(frozen=True, repr=False)
class Prepared(Brief):
    """A run that was checked as far as it can be without training.

    Args:
        config: The configuration, its device resolved.
        folder: Where the run lives.
        source: Where its tasks come from.
        model: Its network, loss and algorithm.
        theta: θ before the first step, (P,).
        about: Attributes of its checkpoints.
        state: Where to go on from; None starts at 0.
    """

    config: Config
    folder: RunFolder
    source: TaskSource
    model: Model
    theta: Array
    about: dict[str, Any]
    state: TrainingState | None = None

    @property
    def finished(self) -> bool:
        """Whether training and test are done already."""
        summary = self.folder.read_summary()
        steps = self.state.step if self.state else 0
        return (
            steps == self.config.meta_steps
            and summary is not None
            and summary.get("meta_steps") == steps
            and summary.get("test_tasks") == self.config.test_tasks
        )


def prepare(config: Config, folder: RunFolder) -> Prepared:
    """Open and check everything that a run needs; nothing is written.

    Raises:
        ValueError: If data, configuration or checkpoint are not what they must be.
        FileNotFoundError: If the data file is absent.
        RuntimeError: If the device is absent.
    """
    config = replace(config, device=device_of(config, folder))
    check_processes(config.processes, config.device)
    set_num_threads(config.threads or None)
    set_num_processes(config.processes)
    source = make_source(config)
    shapes: dict[str, Any] = {
        "input_shape": source.input_shape,
        "num_outputs": source.num_outputs,
        "task": source.task,
    }
    model = make_model(config, **shapes)
    if not folder.is_run():
        check_used(config)
    about = {
        "config": dumps(config),
        "data_digest": source.digest,
        "tasks_digest": tasks_digest(source, seed=config.seed),
        "seed": config.seed,
        "estimator": model.algorithm.name,
        "program_version": __version__,
        "device_stage": device_stage_of(config.device),
        "polarity": getattr(getattr(source, "data", None), "polarity", ""),
        **shapes,
    }
    checkpoint = folder.read_checkpoint()
    if checkpoint is not None:
        check_belongs(folder, checkpoint, config, about)
    return Prepared(
        config,
        folder,
        source,
        model,
        first_theta(config, model.net),
        about,
        on_device(checkpoint.state, config.device) if checkpoint else None,
    )


def device_of(config: Config, folder: RunFolder) -> str:
    """Return where a run computes; one that has begun on a GPU stays there.

    Raises:
        RuntimeError: If the device is absent.
    """
    try:
        return resolved_device(config.device)
    except RuntimeError as error:
        if not folder.is_run():
            raise
        why = str(error).removesuffix(OR_CPU)
        raise RuntimeError(
            f"{folder.path} began on a GPU and goes on there: {why}"
        ) from error


def check_processes(processes: int, device: str) -> None:
    """Refuse processes beside a GPU: a fork cannot use it.

    Raises:
        ValueError: If there are to be several.
    """
    if device == "cuda" and processes > 1:
        raise ValueError(
            f"{processes} processes cannot share a GPU; leave processes at 1, "
            "or compute on device cpu"
        )


def on_device(state: TrainingState, device: str) -> TrainingState:
    """Return a state with θ and its optimiser's arrays where the run computes."""
    moments = {name: placed(a, device) for name, a in state.optimizer.items()}
    return replace(state, theta=placed(state.theta, device), optimizer=moments)
