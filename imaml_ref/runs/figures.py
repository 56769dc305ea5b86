"""The figures of a run: drawn when its numbers are safe, and never at their cost."""

from collections.abc import Callable

from ..training import at_state
from . import report
from .drawing import Figure, save
from .episode import episode_figure
from .experiment import placed
from .folder import RunFolder
from .metrics import read_metrics
from .prepare import Prepared
from .reporter import Reporter


def remove_figures(folder: RunFolder) -> None:
    """Remove the figures of an earlier result."""
    for name in FIGURES:
        (folder.path / name).unlink(missing_ok=True)


def learning_curves(run: Prepared) -> Figure:
    """Draw losses and accuracies."""
    metrics = read_metrics(run.folder.metrics)
    return report.learning_curves(metrics, run.model.algorithm.name)


def diagnostics(run: Prepared) -> Figure:
    """Draw what was measured with every meta-gradient."""
    metrics = read_metrics(run.folder.metrics)
    return report.diagnostics(metrics, run.model.algorithm.name)


def episode(run: Prepared) -> Figure:
    """Draw a test task, at the θ that was tested."""
    found = run.folder.read_checkpoint().parameters  # type: ignore[union-attr]
    algorithm = at_state(run.model.algorithm, found)
    return episode_figure(run, algorithm, placed(found.theta, run.config.device))


FIGURES: dict[str, Callable[[Prepared], Figure]] = {
    "learning_curves.png": learning_curves,
    "diagnostics.png": diagnostics,
    "episode.png": episode,
}


def draw_missing(run: Prepared, reporter: Reporter) -> None:
    """Draw the figures that are not there, of the θ that was tested.

    A figure that cannot be drawn is a line to the reporter: the numbers are written,
    and going on with the run tries it again.
    """
    for name, drawn in FIGURES.items():
        path = run.folder.path / name
        if path.exists():
            continue
        try:
            save(drawn(run), path)
        except Exception as error:  # whatever matplotlib, its fonts or the disk say
            why = " ".join(f"{type(error).__name__}: {error}".split())
            reporter.note(f"{path} was not drawn; the numbers are complete ({why})")
