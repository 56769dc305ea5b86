"""Meta-training: θ ← optimiser(θ, mean of the tasks' meta-gradients), again and again.

The next state is a pure function of the state: tasks of step k follow from (seed, k),
so a training that was interrupted goes on bit for bit.  λ and α may be learned with θ,
through equations (7) and (17), on their logarithms, which keeps them positive.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..arguments import having, whole
from ..compute import Array, check_array, copies_for, on_device, value_of, waiting
from ..data import TaskSource, draw
from .checkpoint import Best, TrainingState
from .evaluation import evaluate, near
from .meta_step import (
    Diverged,
    Metrics,
    at_state,
    meta_step,
    metrics_of,
    setting_of,
)

__all__ = ["Diverged", "Metrics", "at_state", "meta_step", "meta_train", "metrics_of"]
Observer = Callable[[TrainingState, Metrics], bool | None]


def meta_train(
    algorithm,
    theta: Array,
    source: TaskSource,
    *,
    optimizer,
    meta_steps: int,
    meta_batch: int = 32,
    seed: int = 0,
    lam_optimizer=None,
    alpha_optimizer=None,
    validation_interval: int = 0,
    validation_tasks: int = 200,
    log_interval: int = 1,
    observe: Observer | None = None,
    asked: Callable[[], bool] | None = None,
    resume: TrainingState | None = None,
) -> TrainingState:
    """Train θ, and λ and α if they have optimisers.

    On a GPU the steps of an interval are queued without looking at a number; then all
    that was measured comes over at once.  A λ that is learned is needed at each step.

    Args:
        algorithm: θ, TaskBatch → MetaGradient: ``IMAML``, a sibling, or one's own.
        theta: Where to start, (P,).
        source: Where the tasks come from.
        optimizer: Of θ: ``init(theta)`` and ``step(theta, grad, state)``.
        meta_steps: How many in all, those of ``resume`` included.
        meta_batch: Tasks per step.
        seed: Seed of the tasks.
        lam_optimizer: Optimiser of log λ; None leaves λ as the algorithm has it.
        alpha_optimizer: Optimiser of log α, the step size of ``MAML``, likewise.
        validation_interval: Meta-steps between validations; 0 is none.
        validation_tasks: Tasks per validation, the same every time.
        log_interval: θ on a GPU: meta-steps between looks at what was measured.
        observe: Called after each step with the state and its metrics (the columns of
            ``metrics.COLUMNS``); True ends the training there.
        asked: Called after each step; once true it stays so, and ends the training
            there, with all steps that were made observed.
        resume: The state to go on from; ``theta`` is then not looked at.

    Returns:
        The last state; ``.theta`` is the result, ``.best`` the best on validation.

    Raises:
        TypeError: If θ is no array.
        ValueError: If a number is no integer in its range, or λ or α is to be learned
            by an algorithm that has no derivative in it.
        Diverged: If a loss, the meta-gradient or a linear system is not finite, the
            inner solution diverges, a solver refuses, or a λ or α that is learned
            leaves what the dtype of θ holds.
    """
    check_parts(algorithm, theta if resume is None else resume.theta, source, optimizer)
    meta_steps = whole(0)("meta_steps", meta_steps)
    meta_batch = whole()("meta_batch", meta_batch)
    seed = whole(0)("seed", seed)
    validation_interval = whole(0)("validation_interval", validation_interval)
    validation_tasks = whole()("validation_tasks", validation_tasks)
    log_interval = whole()("log_interval", log_interval)
    of_logs = {"lam_optimizer": lam_optimizer, "alpha_optimizer": alpha_optimizer}
    state = resume or first_state(algorithm, theta, optimizer, **of_logs)
    source = near(state.theta, source)
    asked = asked or (lambda: False)
    looks = {validation_interval, log_interval if on_device(state.theta) else 1} - {0}

    def next_step(state: TrainingState) -> tuple[TrainingState, Any]:
        tasks = draw(
            source,
            "train",
            seed=seed,
            step=state.step,
            num_tasks=meta_batch,
            dtype=state.theta.dtype,
        )
        return meta_step(algorithm, state, tasks, optimizer=optimizer, **of_logs)

    while state.step < meta_steps:
        before, start = state.seconds, time.perf_counter()
        last = min([meta_steps, *(state.step + n - state.step % n for n in looks)])
        for state, row in interval(next_step, state, last, asked):  # noqa: B020
            if validation_interval and state.step % validation_interval == 0:
                state, row["validation_score"] = validated(
                    at_state(algorithm, state), state, source, validation_tasks, seed
                )
            seconds = before + time.perf_counter() - start
            state, row["seconds"] = replace(state, seconds=seconds), seconds
            if observe is not None and observe(state, row):
                return state
        if asked():
            break
    return state


def check_parts(algorithm, theta, source, optimizer) -> None:
    """Refuse what no training can start with.

    Raises:
        TypeError: If θ is no array.
        ValueError: If algorithm, source or optimiser are something else.
    """
    having("__call__", "IMAML(loss)")("algorithm", algorithm)
    check_array("θ", theta)
    having("sample", "data.Sinusoids()")("source", source)
    having("step", "Adam()")("optimizer", optimizer)


def interval(
    next_step: Callable, state: TrainingState, last: int, asked: Callable[[], bool]
) -> Iterator[tuple[TrainingState, Metrics]]:
    """Yield states and metrics up to step ``last``, all of which was read at once.

    Args:
        next_step: From a state to the next one, and its metrics or a reading of them.
        state: The state before the first step.
        last: The step of the last state.
        asked: Whether to make do with the steps that were made, one at least.
    """
    steps: list[tuple[TrainingState, Any, list]] = []
    failure: Exception | None = None
    while state.step < last and failure is None and not (steps and asked()):
        with waiting() as readings:
            try:
                state, row = next_step(state)
            except Exception as error:  # raised after what happened before it
                failure, row = error, None
        steps.append((state, row, readings))
    copies = copies_for(reading for _, _, readings in steps for reading in readings)
    for state, row, readings in steps:
        for reading in readings:
            reading.settled(copies)
        if row is not None:
            yield state, value_of(row)
    try:
        if failure is not None:
            raise failure
    finally:
        del failure  # its traceback has this frame, and so what the step held


def first_state(
    algorithm, theta, optimizer, lam_optimizer, alpha_optimizer=None
) -> TrainingState:
    """Return the state before the first step."""
    lam, inner = setting_of(algorithm, "lam"), getattr(algorithm, "inner", None)
    alpha = setting_of(None if alpha_optimizer is None else inner, "step_size")
    return TrainingState(
        step=0,
        theta=theta,
        lam=lam,
        optimizer=optimizer.init(theta),
        lam_optimizer={} if lam_optimizer is None else lam_optimizer.init(lam),
        alpha=alpha,
        alpha_optimizer={} if alpha_optimizer is None else alpha_optimizer.init(alpha),
    )


def validated(
    algorithm, state: TrainingState, source, num_tasks: int, seed: int
) -> tuple[TrainingState, float]:
    """Score θ on the validation tasks, and keep it if it is the best so far.

    Raises:
        Diverged: If the inner solution of a task diverges.
    """
    try:
        found = evaluate(
            algorithm,
            state.theta,
            source,
            split="val",
            num_tasks=num_tasks,
            seed=seed,
            per_example=False,
        )
    except ArithmeticError as error:
        raise Diverged(state, f"in validation, {error}") from error
    best = Best(state.step, found.score, state.theta, state.lam, state.alpha)
    if state.best is None or found.score > state.best.score:
        state = replace(state, best=best)
    return state, found.score
