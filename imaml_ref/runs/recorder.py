"""After each meta-step: a row, now and then a checkpoint, a sign of life."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..training import Checkpoint, TrainingState, write_checkpoint
from .folder import RunFolder
from .interruption import Interrupted, Interruption
from .metrics import MetricsFile
from .reporter import Progress


@dataclass
class Recorder:
    """An observer for ``meta_train`` that keeps the files of a run up to date.

    When it writes a checkpoint depends on the clock, what it writes does not.

    Args:
        folder: The run.
        metrics: Its metrics.csv, open.
        about: Attributes of every checkpoint.
        seconds: Between checkpoints.
        interruption: Asks to stop.
        progress: Is told of each step.

    Attributes:
        last: The last state that it was told of, or None.
        saved_step: The meta-step of the last checkpoint it wrote, 0 before.
        saved_at: When that was, or when it began.
    """

    folder: RunFolder
    metrics: MetricsFile
    about: Mapping[str, Any]
    seconds: float
    interruption: Interruption
    progress: Progress
    last: TrainingState | None = None
    saved_step: int = 0
    saved_at: float = field(default_factory=time.monotonic)

    def asked(self) -> bool:
        """Whether somebody asked the training to stop."""
        return self.interruption.signum is not None

    def __call__(self, state: TrainingState, row: Mapping[str, float]) -> None:
        """Record a step."""
        self.metrics.append(row)
        self.last = state
        if time.monotonic() - self.saved_at >= self.seconds:
            self.save(state)
        self.progress.update(state.step, in_words(row))

    def save(self, state: TrainingState, *, chosen: str = "last") -> Checkpoint:
        """Write the rows that led to a state, and then the state."""
        self.metrics.sync()
        checkpoint = Checkpoint(state, self.about, chosen)
        write_checkpoint(self.folder.checkpoint, checkpoint)
        self.saved_at, self.saved_step = time.monotonic(), state.step
        return checkpoint

    def stop_if_asked(self) -> None:
        """Stop here, where the last checkpoint has all that was done, if a signal came.

        Raises:
            Interrupted: If so.
        """
        signum = self.interruption.signum
        if signum is not None:
            raise Interrupted(signum, self.saved_step, self.folder.path)


def in_words(row: Mapping[str, float]) -> str:
    """Say in a few words how a step went; accuracies in %, losses as they are."""
    words, score = f"query loss {row['query_loss']:.3f}", row.get("validation_score")
    classifies = row["query_accuracy"] == row["query_accuracy"]
    if classifies:
        words += f", accuracy {100 * row['query_accuracy']:.1f} %"
    if score is not None:
        said = f"accuracy {100 * score:.1f} %" if classifies else f"loss {-score:.3f}"
        words += f", validation {said}"
    return words
