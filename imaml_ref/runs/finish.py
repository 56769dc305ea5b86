"""The end of a run: choose θ, test it once, write the numbers, and then draw.

Validation chooses, the test never does: the last θ is taken, unless the best one on the
validation tasks beats it there by more than the last one's 95 % interval.
"""

import platform
from importlib.metadata import version
from typing import Any

from .._version import __version__
from ..compute import Array, num_processes, num_threads
from ..data import nearest_neighbour
from ..training import Evaluation, TrainingState, at_state, ci95, evaluate
from .experiment import device_stage_of, placed
from .figures import draw_missing, remove_figures
from .prepare import Prepared
from .protocol import protocol
from .recorder import Recorder
from .reporter import Reporter

USED = ("numpy", "scipy", "h5py")


def finish(
    run: Prepared, state: TrainingState, recorder: Recorder, reporter: Reporter
) -> dict[str, Any]:
    """Choose, test, write summary.json and the figures; return the summary.

    Raises:
        Interrupted: If SIGINT or SIGTERM came; the checkpoint is written.
    """
    tester = Tester(run, recorder, reporter)
    choice = choose(run, state, tester)
    found = recorder.save(state, chosen=choice["theta"]).parameters
    theta, lam = found.theta, found.lam
    if choice["theta"] == "best":
        theta = placed(theta, run.config.device)
    algorithm = at_state(run.model.algorithm, found)
    summary = (
        tester.final(algorithm, theta)
        | choice
        | circumstances(run, state)
        | {"lam": float(lam) if lam == lam else None}
    )
    remove_figures(run.folder)
    run.folder.write_summary(summary)
    draw_missing(run, reporter)
    return summary


class Tester:
    """Evaluates on splits of a run, with progress, and stops when asked to.

    Args:
        run: The run.
        recorder: Knows whether somebody asked to stop.
        reporter: Shows the progress.
    """

    def __init__(self, run: Prepared, recorder: Recorder, reporter: Reporter):
        self.run, self.recorder, self.reporter = run, recorder, reporter

    def evaluate(
        self, what: str, algorithm, theta: Array, split: str, num_tasks: int
    ) -> Evaluation:
        """Evaluate on tasks of a split."""
        with self.reporter.progress(what, num_tasks) as progress:

            def observe(done):
                progress.update(done)
                self.recorder.stop_if_asked()

            return evaluate(
                algorithm,
                theta,
                self.run.source,
                split=split,
                num_tasks=num_tasks,
                seed=self.run.config.seed,
                per_example=split == "test",
                observe=observe,
            )

    def final(self, algorithm, theta: Array) -> dict[str, Any]:
        """Test θ, and what it is to be compared with on the same tasks."""
        run, number = self.run, self.run.config.test_tasks
        tested = self.evaluate("testing", algorithm, theta, "test", number)
        untrained = self.evaluate(
            "testing the untrained θ", run.model.algorithm, run.theta, "test", number
        )
        found = tested.as_dict("test") | untrained.as_dict("untrained")
        if run.source.task == "classification":
            near = nearest_neighbour(run.source, seed=run.config.seed, num_tasks=number)
            found["nearest_neighbour_accuracy"] = float(near.mean())
            found["nearest_neighbour_accuracy_ci95"] = ci95(near)
        return found


def choose(run: Prepared, state: TrainingState, tester: Tester) -> dict[str, Any]:
    """Choose between the last θ and the best one on the validation tasks."""
    best, last = state.best, {"theta": "last", "theta_step": state.step}
    if best is None:
        return last | {"theta_reason": "the last; there was no validation"}
    found = tester.evaluate(
        "validating",
        at_state(run.model.algorithm, state),
        state.theta,
        "val",
        run.config.validation_tasks,
    )
    scores = found.as_dict("validation") | {"validation_best": best.score}
    if best.score <= found.score + found.score_ci95:
        reason = "the last; none before was better on validation beyond its interval"
        return last | scores | {"theta_reason": reason}
    return scores | {
        "theta": "best",
        "theta_step": best.step,
        "theta_reason": "best on validation, beyond the interval of the last",
    }


def circumstances(run: Prepared, state: TrainingState) -> dict[str, Any]:
    """Return what the numbers were made with."""
    config, source = run.config, run.source
    return {
        "meta_steps": state.step,
        "seconds": round(state.seconds, 3),
        "estimator": run.model.algorithm.name,
        "curvature": run.model.algorithm.curvature,
        "protocol": protocol(config, source.task),
        "preset": config.preset,
        "num_parameters": run.model.net.layout.size,
        "seed": config.seed,
        "dtype": config.dtype,
        "device": config.device,
        "device_stage": device_stage_of(config.device) or None,
        "threads": num_threads(),
        "processes": num_processes(),
        "data": source.describe() if hasattr(source, "describe") else config.data,
        "data_digest": source.digest,
        "versions": {
            "imaml_ref": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in USED},
        },
    }
