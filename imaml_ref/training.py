"""Meta-training: θ ← optimiser(θ, mean of the tasks' meta-gradients), again and again.

The next state is a pure function of the state: tasks of step k follow from (seed, k),
so a training that was interrupted goes on bit for bit.  λ may be learned with θ,
through equation (7), on log λ, which keeps it positive.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy

from .backend import Array, array_module
from .checkpoint import Best, TrainingState
from .data.tasks import TaskSource
from .evaluation import beside, evaluate

Metrics = dict[str, float]
Observer = Callable[[TrainingState, Metrics], bool | None]
NAN = float("nan")
REMEDY = "lower meta-lr or inner-lr, or raise lam"


class Diverged(ArithmeticError):
    """A training met NaN, infinity or a definiteness that was asked for and absent.

    Args:
        state: The last good state; its ``step`` steps are done.
        reason: What happened in the next one.
    """

    def __init__(self, state: TrainingState, reason: str):
        super().__init__(f"training diverged in meta-step {state.step + 1}: {reason}")
        self.state = state


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
    validation_interval: int = 0,
    validation_tasks: int = 200,
    observe: Observer | None = None,
    resume: TrainingState | None = None,
) -> TrainingState:
    """Train θ, and λ if it has an optimiser.

    Args:
        algorithm: θ, TaskBatch → MetaGradient: ``IMAML``, a sibling, or one's own.
        theta: Where to start, (P,).
        source: Where the tasks come from.
        optimizer: Of θ: ``init(theta)`` and ``step(theta, grad, state)``.
        meta_steps: How many in all, those of ``resume`` included.
        meta_batch: Tasks per step.
        seed: Seed of the tasks.
        lam_optimizer: Optimiser of log λ; None leaves λ as the algorithm has it.
        validation_interval: Meta-steps between validations; 0 is none.
        validation_tasks: Tasks per validation, the same every time.
        observe: Called after each step with the state and its metrics (the columns of
            ``metrics.COLUMNS``); True ends the training there.
        resume: The state to go on from; ``theta`` is then not looked at.

    Returns:
        The last state; ``.theta`` is the result, ``.best`` the best on validation.

    Raises:
        Diverged: If a loss or the meta-gradient is not finite, the inner solution
            diverges, or a solver refuses.
    """
    state = resume or first_state(algorithm, theta, optimizer, lam_optimizer)
    while state.step < meta_steps:
        start = time.perf_counter()
        state, row = meta_step(
            algorithm,
            state,
            source.sample(
                "train",
                seed=seed,
                step=state.step,
                num_tasks=meta_batch,
                dtype=state.theta.dtype,
            ),
            optimizer=optimizer,
            lam_optimizer=lam_optimizer,
        )
        if validation_interval and state.step % validation_interval == 0:
            state, row["validation_score"] = validated(
                at_lam(algorithm, state.lam), state, source, validation_tasks, seed
            )
        seconds = state.seconds + time.perf_counter() - start
        state, row["seconds"] = replace(state, seconds=seconds), seconds
        if observe is not None and observe(state, row):
            break
    return state


def first_state(algorithm, theta, optimizer, lam_optimizer) -> TrainingState:
    """Return the state before the first step."""
    lam = lam_of(algorithm)
    return TrainingState(
        step=0,
        theta=theta,
        lam=lam,
        optimizer=optimizer.init(theta),
        lam_optimizer={} if lam_optimizer is None else lam_optimizer.init(lam),
    )


def meta_step(
    algorithm, state: TrainingState, tasks, *, optimizer, lam_optimizer=None
) -> tuple[TrainingState, Metrics]:
    """Take one step; the state that comes in stays as it is.

    Raises:
        Diverged: If it cannot be taken.
        ValueError: If the tasks have inputs that are not finite.
    """
    tasks.check_finite()
    algorithm = at_lam(algorithm, state.lam)
    try:
        out = algorithm(state.theta, beside(state.theta, tasks))
    except ArithmeticError as error:
        raise Diverged(state, str(error)) from error
    refuse_nonfinite(state, out)
    theta, moments = optimizer.step(state.theta, out.grad, state.optimizer)
    refuse_nonfinite_array(state, theta, "next θ")
    state = replace(state, step=state.step + 1, theta=theta, optimizer=moments)
    if lam_optimizer is not None:
        state = lam_step(state, out.lam_grad, lam_optimizer)
    return state, metrics_of(state, out)


def lam_step(state: TrainingState, lam_grad, lam_optimizer) -> TrainingState:
    """Move log λ along its gradient: dF/d log λ = λ dF/dλ."""
    grad = state.lam * numpy.asarray(lam_grad, float)
    log_lam, moments = lam_optimizer.step(
        numpy.log(state.lam), grad, state.lam_optimizer
    )
    return replace(state, lam=numpy.exp(log_lam), lam_optimizer=moments)


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
    best = Best(state.step, found.score, state.theta, state.lam)
    if state.best is None or found.score > state.best.score:
        state = replace(state, best=best)
    return state, found.score


def lam_of(algorithm) -> numpy.ndarray:
    """Return λ of an algorithm, () or (P,), float64; NaN if it has none."""
    lam = getattr(algorithm, "lam", None)
    if lam is None:
        return numpy.array(NAN)
    return numpy.array(lam.get() if hasattr(lam, "get") else lam, float)


def at_lam(algorithm, lam: numpy.ndarray):
    """Return the algorithm with another λ; the same one if it has none."""
    if numpy.isnan(lam).any():
        return algorithm
    return replace(algorithm, lam=float(lam) if lam.ndim == 0 else lam)


def refuse_nonfinite(state: TrainingState, out) -> None:
    """Stop before NaN or infinity reaches θ.

    Raises:
        Diverged: If a loss or the meta-gradient is not finite.
    """
    for name in ("query_loss", "support_loss"):
        bad = ~numpy.isfinite(getattr(out.diagnostics, name))
        if bad.any():
            what = f"the {name.replace('_', ' ')} of task {int(bad.argmax())}"
            raise Diverged(state, f"{what} is not finite; {REMEDY}")
    refuse_nonfinite_array(state, out.grad, "meta-gradient")


def refuse_nonfinite_array(state: TrainingState, a: Array, name: str) -> None:
    """Stop if an array has an entry that is no number.

    Raises:
        Diverged: If so.
    """
    if not bool(array_module(a).isfinite(a).all()):
        raise Diverged(state, f"the {name} is not finite; {REMEDY}")


def metrics_of(state: TrainingState, out) -> Metrics:
    """Summarise the diagnostics of one step over its tasks."""
    found = out.diagnostics
    ritz, products = found.smallest_ritz, found.num_products.sum()
    return {
        "step": state.step,
        "query_loss": float(found.query_loss.mean()),
        "query_accuracy": float(found.query_accuracy.mean()),
        "support_loss": float(found.support_loss.mean()),
        "r1": float(found.inner_residual.mean()),
        "r2": float(found.solver_residual.mean()),
        "cos_gv": float(found.cosine.mean()),
        "smallest_ritz": float(numpy.nanmin(ritz)) if (ritz == ritz).any() else NAN,
        "negative_curvature": float(found.negative_curvature.sum() / products)
        if products
        else NAN,
        "lam": float(numpy.exp(numpy.log(state.lam).mean())),
        "grad_norm": float((out.grad * out.grad).sum()) ** 0.5,
    }
