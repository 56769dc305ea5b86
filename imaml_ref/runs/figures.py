"""The figures of a run: drawn when its numbers are safe, and never at their cost."""

from collections.abc import Callable

from ..training import at_lam
from . import report
from .drawing import Figure, save
from .episode import episode_figure
from .experiment import placed
from .folder import RunFolder
from .metrics import read_metrics
from .prepare import Prepared
from .reporter import Reporter

NAMES = "learning_curves.png", "diagnostics.png", "episode.png"


def remove_figures(folder: RunFolder) -> None:
    """Remove the figures of an earlier result."""
    for name in NAMES:
        (folder.path / name).unlink(missing_ok=True)


def draw_missing(run: Prepared, reporter: Reporter) -> None:
    """Draw the figures that are not there, of the θ that was tested.

    A figure that cannot be drawn is a line to the reporter: the numbers are written,
    and going on with the run tries it again.
    """
    for name, figure in zip(NAMES, figures(run), strict=True):
        path = run.folder.path / name
        if path.exists():
            continue
        try:
            save(figure(), path)
        except Exception as error:  # whatever matplotlib, its fonts or the disk say
            why = " ".join(f"{type(error).__name__}: {error}".split())
            reporter.note(f"{path} was not drawn; the numbers are complete ({why})")


def figures(run: Prepared) -> tuple[Callable[[], Figure], ...]:
    """Return what draws the figures, in the order of their names."""

    def learning_curves():
        return report.learning_curves(read_metrics(run.folder.metrics), title)

    def diagnostics():
        return report.diagnostics(read_metrics(run.folder.metrics), title)

    def episode():
        checkpoint = run.folder.read_checkpoint()
        theta, lam = checkpoint.result
        algorithm = at_lam(run.model.algorithm, lam)
        return episode_figure(run, algorithm, placed(theta, run.config.device))

    title = run.model.algorithm.name
    return learning_curves, diagnostics, episode
