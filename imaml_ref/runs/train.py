"""Train from a configuration into a folder: from nothing, or from a checkpoint."""

from typing import Any

from ..compute import sums_by_address
from ..config import dumps
from ..training import Diverged, TrainingState, meta_train
from .experiment import make_optimizers
from .finish import finish
from .interruption import Interruption
from .lock import Busy, locked
from .metrics import MetricsFile
from .prepare import Prepared
from .recorder import Recorder
from .reporter import Reporter, Silent


def train_run(run: Prepared, reporter: Reporter | None = None) -> dict[str, Any]:
    """Train, test, and write everything into the run's folder; return the summary.

    Raises:
        Busy: If another program writes the run, or did since it was prepared.
        Diverged: If the training diverges; the last good state is in the checkpoint.
        Interrupted: If SIGINT or SIGTERM came; the checkpoint is written.
    """
    reporter = reporter or Silent()
    with locked(run.folder.path) as held:
        check_unchanged(run)
        announce(run, reporter, held)
        return train_alone(run, reporter)


def check_unchanged(run: Prepared) -> None:
    """Check that the run stands where it stood when it was prepared.

    Raises:
        Busy: If not.
    """
    found = run.folder.read_checkpoint()
    now, before = (
        state.step if state else 0 for state in (found and found.state, run.state)
    )
    if now != before:
        raise Busy(
            f"another program has taken {run.folder.path} from meta-step {before} to "
            f"{now} meanwhile; go on from there with --resume"
        )


def announce(run: Prepared, reporter: Reporter, held: bool) -> None:
    """Say in full what is going to happen."""
    reporter.note(dumps(run.config).rstrip())
    reporter.note(f"estimator: {run.model.algorithm.name}")
    steps = f"to meta-step {run.config.meta_steps}"
    start = f"from meta-step {run.state.step} " if run.state else ""
    reporter.note(f"run: {run.folder.path}, {start}{steps}")
    if not held:
        reporter.note(
            f"{run.folder.path} is on a file system without locks: see to it that no "
            "other program writes this run"
        )
    if run.config.dtype == "float64" and sums_by_address():
        reporter.note(
            "the BLAS of this processor sums by address: if a layer has one output, "
            "other --threads or --processes change last bits"
        )


def train_alone(run: Prepared, reporter: Reporter) -> dict[str, Any]:
    """Train, test and write, where nobody else writes.

    Raises:
        Diverged: If the training diverges; the last good state is in the checkpoint.
        Interrupted: If SIGINT or SIGTERM came; the checkpoint is written.
    """
    start = run.state.step if run.state else 0
    progress = reporter.progress("training", run.config.meta_steps, done=start)
    with Interruption() as interruption, opened(run, start) as metrics:
        with progress as shown:
            recorder = Recorder(
                run.folder,
                metrics,
                run.about,
                seconds=run.config.checkpoint_seconds,
                interruption=interruption,
                progress=shown,
            )
            state = trained(run, recorder)
        recorder.save(state)
        recorder.stop_if_asked()
        return finish(run, state, recorder, reporter)


def opened(run: Prepared, start: int) -> MetricsFile:
    """Make the folder if need be, and open its metrics.csv after step ``start``."""
    run.folder.create(run.config)
    return MetricsFile(run.folder.metrics, after=start)


def trained(run: Prepared, recorder: Recorder) -> TrainingState:
    """Train to the last meta-step, or until somebody asks to stop.

    Raises:
        Diverged: If the training diverges; the last good state is in the checkpoint.
        MemoryError: If there is not enough; so is the last state that was looked at.
    """
    config = run.config
    optimizer, lam_optimizer, alpha_optimizer = make_optimizers(config)
    try:
        return meta_train(
            run.model.algorithm,
            run.theta,
            run.source,
            optimizer=optimizer,
            meta_steps=config.meta_steps,
            meta_batch=config.meta_batch,
            seed=config.seed,
            lam_optimizer=lam_optimizer,
            alpha_optimizer=alpha_optimizer,
            validation_interval=config.validation_interval,
            validation_tasks=config.validation_tasks,
            log_interval=config.log_interval,
            observe=recorder,
            asked=recorder.asked,
            resume=run.state,
        )
    except Diverged as error:
        recorder.save(error.state)
        raise
    except MemoryError as error:
        raise MemoryError(f"{error}; {kept(run, recorder)}") from error


def kept(run: Prepared, recorder: Recorder) -> str:
    """Write the last state that was looked at, and say in words what helps."""
    state = recorder.last or run.state
    if recorder.last is not None:
        recorder.save(recorder.last)
    found = "there is no checkpoint yet"
    if state is not None:
        found = f"the checkpoint has meta-step {state.step}, --resume goes on from it"
    return f"free some, or train anew with a smaller meta-batch; {found}"
