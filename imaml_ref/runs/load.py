"""A finished or unfinished run, read back from its folder."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..arguments import Brief
from ..compute import Array, on_device
from ..config import Config, by_field, check_used, spelled
from ..data import TaskSource
from ..files import BadFile
from ..training import Checkpoint, at_state
from .experiment import Model, make_model, make_source, placed, resolved_device
from .folder import RunFolder, check_configuration, check_data

OF_THETA = "net", "norm", "num_filters", "dtype", "lam"


@dataclass(frozen=True, repr=False)
class Run(Brief):
    """A run: its configuration, and θ that it arrived at.

    Args:
        path: Its folder.
        config: Its configuration.
        model: Its network, loss and algorithm, at the λ of θ.
        theta: The θ that was tested, or the last one of an unfinished run, (P,).
        checkpoint: What else is in its checkpoint.
    """

    path: Path
    config: Config
    model: Model
    theta: Array
    checkpoint: Checkpoint

    @property
    def device(self) -> str:
        """Where θ is, "cpu" or "cuda"."""
        return "cuda" if on_device(self.theta) else "cpu"

    @property
    def net(self):
        """The network."""
        return self.model.net

    @property
    def loss(self):
        """The loss of a task."""
        return self.model.loss

    @property
    def algorithm(self) -> Any:
        """The algorithm; its ``adapt(theta, x, y)`` is the inner loop."""
        return self.model.algorithm

    @cached_property
    def source(self) -> TaskSource:
        """Where its tasks come from; opened when first asked for.

        Raises:
            FileNotFoundError: If the data file is absent.
            BadFile: If it does not hold what the run was trained on.
        """
        try:
            source = make_source(self.config)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"no such file: {self.config.data}, the data of {self.path}; "
                "say where they lie with --data FILE.h5"
            ) from error
        theirs = self.checkpoint.about["data_digest"]
        check_data(self.path, theirs, self.config.data, source.digest)
        return source


def load_run(path: str | Path, **changes: Any) -> Run:
    """Read a run.

    Args:
        path: Its folder.
        changes: Keys of the configuration to change, such as ``inner_steps=50``, or
            other tasks: ``queries=15, shots=5``, and ``ways`` up to the network's
            outputs.  What belongs to θ stays: network, λ, precision.

    Raises:
        FileNotFoundError: If there is no run, or no checkpoint in it yet.
        BadFile: If the checkpoint is damaged, or of another configuration.
        ValueError: If the configuration is damaged, or a change does not fit.
        RuntimeError: If the device is "cuda" and there is none.
    """
    folder = RunFolder(path)
    config = folder.read_config()
    checkpoint = folder.read_checkpoint()
    if checkpoint is None:
        raise FileNotFoundError(
            f"no checkpoint in {folder.path} yet; train it with "
            f"`imaml-ref train --resume --out {folder.path}`"
        )
    check_configuration(folder, checkpoint, config)
    about = checkpoint.about
    config = changed(config, by_field(changes), about["num_outputs"])
    model = make_model(
        config,
        input_shape=about["input_shape"],
        num_outputs=about["num_outputs"],
        task=about["task"],
    )
    found = checkpoint.parameters
    theta = found.theta
    if theta.shape != (model.net.layout.size,):
        raise BadFile(
            f"{folder.checkpoint} belongs to another configuration: θ has "
            f"{theta.size} entries, the network {model.net.layout.size}"
        )
    return Run(
        folder.path,
        config,
        replace(model, algorithm=at_state(model.algorithm, found)),
        placed(theta, resolved_device(config.device)),
        checkpoint,
    )


def changed(config: Config, changes: dict[str, Any], num_outputs: int) -> Config:
    """Return the configuration of a run with some keys changed.

    Args:
        config: As it was trained.
        changes: Values by field.
        num_outputs: Of the network.

    Raises:
        ValueError: If one belongs to θ, has no effect, or asks for too many classes.
    """
    # Who has learned α has no use for the inner-lr that it began with.
    for name in (*OF_THETA, *["inner_lr"] * (config.alpha_lr > 0)):
        if changes.get(name, getattr(config, name)) != getattr(config, name):
            raise ValueError(
                f"{spelled(name)} belongs to the θ of a run and stays "
                f"{getattr(config, name)}, got {changes[name]}"
            )
    config = replace(config, **changes)
    check_used(config, changes)
    if "ways" in changes and config.ways > num_outputs:
        raise ValueError(
            f"ways must be at most {num_outputs}, the outputs of the trained network, "
            f"got {config.ways}; train one for more classes"
        )
    return config
