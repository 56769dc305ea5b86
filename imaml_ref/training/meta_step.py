"""One meta-step: θ ← optimiser(θ, the meta-gradient of tasks), and λ with it.

The next state is a pure function of the state and the tasks.  What is measured is read
as ``readings`` has it: on the host at once, on a device when somebody looks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy

from ..compute import Array, array_module, on_device, read, settling_in, value_of
from ..meta_gradients import Diagnostics, check_held
from ..solvers import Status
from .checkpoint import TrainingState
from .evaluation import beside

Metrics = dict[str, float]
NAN = float("nan")
LETTERS = {"lam": "λ", "alpha": "α"}
REMEDY = "lower the step size of θ (in a run meta-lr) or of φ (inner-lr), or raise lam"


class Diverged(ArithmeticError):
    """A training met NaN, infinity or a definiteness that was asked for and absent.

    Args:
        state: The last good state; its ``step`` steps are done.
        reason: What happened in the next one.
    """

    def __init__(self, state: TrainingState, reason: str):
        super().__init__(f"training diverged in meta-step {state.step + 1}: {reason}")
        self.state = state


def meta_step(
    algorithm,
    state: TrainingState,
    tasks,
    *,
    optimizer,
    lam_optimizer=None,
    alpha_optimizer=None,
) -> tuple[TrainingState, Any]:
    """Take one step; the state that comes in stays as it is.

    While readings wait, the metrics are a reading, and a step that cannot be taken
    raises when it is settled.  Tasks that are on a device are not looked at.

    Raises:
        Diverged: If it cannot be taken.
        ValueError: If the tasks have inputs that are not finite, or λ or α is to be
            learned by an algorithm that has no derivative in it.
    """
    if not on_device(tasks.support_x):
        tasks.check_finite()
    algorithm = at_state(algorithm, state)
    if hasattr(algorithm, "at_step"):
        algorithm = algorithm.at_step(state.step)
    with settling_in(partial(taken_for_divergence, state)):
        out = algorithm(state.theta, beside(state.theta, tasks))
    read(partial(refuse_unsound, state), out.diagnostics)
    refuse_nonfinite(state, out.grad, "meta-gradient")
    theta, moments = optimizer.step(state.theta, out.grad, state.optimizer)
    refuse_nonfinite(state, theta, "next θ")
    after = replace(state, step=state.step + 1, theta=theta, optimizer=moments)
    for name, of_log in (("lam", lam_optimizer), ("alpha", alpha_optimizer)):
        if of_log is not None:
            grad = getattr(out, f"{name}_grad")
            after = replace(after, **next_on_log(state, name, grad, of_log))
    return after, metrics_of(after, out)


def next_on_log(state: TrainingState, name: str, grad, of_log) -> dict[str, Any]:
    """Move the logarithm of λ, or α, along its gradient, dF/d log λ = λ dF/dλ.

    Args:
        state: Before the step.
        name: "lam" or "alpha".
        grad: dF/dλ.
        of_log: The optimiser.

    Returns:
        The next λ and the moments of its optimiser, as fields of a state.

    Raises:
        ValueError: If there is no gradient.
        Diverged: If the dtype of θ does not hold the next λ, or its reciprocal.
    """
    letter, value, moments = LETTERS[name], getattr(state, name), f"{name}_optimizer"
    if grad is None:
        raise ValueError(
            f"{letter} cannot be learned: this estimator has no dF/d{letter}, its "
            f"{name}_grad is None; leave {moments} out"
        )
    grad = value * numpy.asarray(value_of(read(numpy.asarray, grad)), float)
    log, after = of_log.step(numpy.log(value), grad, getattr(state, moments))
    with numpy.errstate(over="ignore", under="ignore"):
        found = numpy.exp(log)
    try:
        check_held(f"the next {letter}", found, state.theta)
    except ValueError as error:
        raise Diverged(state, str(error)) from error
    return {name: found, moments: after}


def setting_of(bag, name: str) -> numpy.ndarray:
    """Return λ of an algorithm, or α of an inner loop, in float64; NaN for none."""
    value = getattr(bag, name, None)
    if value is None:
        return numpy.array(NAN)
    return numpy.array(value.get() if hasattr(value, "get") else value, float)


def at_state(algorithm, state):
    """Return the algorithm with λ and α of a state, as far as that has them."""
    lam, alpha = (a if a.ndim else float(a) for a in (state.lam, state.alpha))
    if not numpy.isnan(lam).any():
        algorithm = replace(algorithm, lam=lam)
    if not numpy.isnan(alpha).any():
        algorithm = replace(algorithm, inner=replace(algorithm.inner, step_size=alpha))
    return algorithm


@contextmanager
def taken_for_divergence(state: TrainingState) -> Iterator[None]:
    """Take arithmetic errors for divergence in the step after ``state``.

    Raises:
        Diverged: In their place.
    """
    try:
        yield
    except ArithmeticError as error:
        raise Diverged(state, str(error)) from error


def refuse_unsound(state: TrainingState, found: Diagnostics) -> None:
    """Stop before NaN or infinity, or a g that solves nothing, reaches θ.

    Raises:
        Diverged: If a loss is not finite, or a solver met what is not.
    """
    bad = {
        "query loss": ~numpy.isfinite(found.query_loss),
        "support loss": ~numpy.isfinite(found.support_loss),
        "linear system": found.status == Status.NOT_FINITE,
    }
    for what, tasks in bad.items():
        if tasks.any():
            where = f"the {what} of task {int(tasks.argmax())}"
            raise Diverged(state, f"{where} is not finite; {REMEDY}")


def refuse_nonfinite(state: TrainingState, a: Array, name: str) -> None:
    """Stop if an array has an entry that is no number.

    Raises:
        Diverged: If so; from a reading while they wait.
    """

    def refuse(finite) -> None:
        if not finite:
            raise Diverged(state, f"the {name} is not finite; {REMEDY}")

    read(refuse, array_module(a).isfinite(a).all())


def metrics_of(state: TrainingState, out) -> Any:
    """Summarise one step over its tasks: ``Metrics``, or a reading of them."""
    squared = (out.grad * out.grad).sum()
    return read(partial(summary, state.step, state.lam), out.diagnostics, squared)


def mean_of_known(values: numpy.ndarray) -> float:
    """Return the mean without the NaN, (T,) -> (); NaN if there is nothing else."""
    known = values[~numpy.isnan(values)]
    return float(known.mean()) if known.size else NAN


def summary(
    step: int, lam: numpy.ndarray, found: Diagnostics, squared_norm: Any
) -> Metrics:
    """Return the metrics of a step from what it measured."""
    ritz, products = found.smallest_ritz, found.num_products.sum()
    return {
        "step": step,
        "query_loss": float(found.query_loss.mean()),
        "query_accuracy": float(found.query_accuracy.mean()),
        "support_loss": float(found.support_loss.mean()),
        "r1": float(found.inner_residual.mean()),
        "r2": float(found.solver_residual.mean()),
        "cos_gv": mean_of_known(found.cosine),
        "smallest_ritz": float(numpy.nanmin(ritz)) if (ritz == ritz).any() else NAN,
        "negative_curvature": float(found.negative_curvature.sum() / products)
        if products
        else NAN,
        "lam": float(numpy.exp(numpy.log(lam).mean())),
        "grad_norm": float(squared_norm) ** 0.5,
    }
