"""MAML, and what it is with a few settings: ANIL, Meta-SGD, MAML++."""

from dataclasses import dataclass, replace
from typing import Any

from ..arguments import optional, setting, whole
from ..compute import Array
from .algorithms import Algorithm
from .estimators import ADAPTED
from .task_mean import MetaGradient, Tasks
from .unrolled import Unrolled, step_weights, unrolled_gradient

OPTIONS = "lam", "inner", "adapted", "last", "weights"


@dataclass(frozen=True, repr=False)
class MAML(Algorithm):
    """MAML: the exact derivative of K gradient steps, without a proximal term.

    ``adapted=("head",)`` is ANIL, all other layers BOIL; a step size per parameter that
    is learned Meta-SGD; one per layer, ``annealing`` and ``first_order_steps`` MAML++.

    Args:
        loss: See ``Algorithm``; so for λ and the inner loop, K steps of descent.
        adapted: Names of the layers that the inner loop moves; None is all.
        last: m, how many of the last steps are differentiated; None is all.
        weights: w_0, …, w_K of the multi-step loss; None is Q(φ_K).
        annealing: Meta-steps of a training in which w goes from all steps alike to the
            last one; ``weights`` count after them.
        first_order_steps: Meta-steps of a training that are first order (m = 0).

    Raises:
        TypeError: If the inner optimiser is not gradient descent.
        ValueError: If a setting is not what it must be.

    Source: Finn et al., ICML 2017; ``partial`` and ``unrolled`` name the others.
    """

    adapted: Any = setting(ADAPTED, None)
    last: Any = setting(optional(whole(0)), None)
    weights: Any = setting(optional(step_weights), None)
    annealing: int = setting(whole(0), 0)
    first_order_steps: int = setting(whole(0), 0)

    title = "MAML"
    name = f"{title}: {Unrolled().name}"
    curvature = "hessian"

    def __post_init__(self):
        super().__post_init__()
        self.estimator.check_steps(self.inner)
        object.__setattr__(self, "name", f"{self.title}: {self.estimator.name}")
        object.__setattr__(self, "curvature", self.estimator.curvature)

    @property
    def estimator(self) -> Unrolled:
        """What is differentiated."""
        return Unrolled(self.adapted, self.last, self.weights)

    def at_step(self, step: int) -> "MAML":
        """Return the algorithm of meta-step ``step``, counted from 0."""
        changes: dict[str, Any] = {}
        if step < self.first_order_steps:
            changes["last"] = 0
        if step < self.annealing:
            # From w_k = 1/K.  The code of MAML++ leaves 0.03/K to each, this nothing.
            steps = self.inner.num_steps
            early = (1 - step / self.annealing) / max(steps, 1)
            last = 1 - max(steps - 1, 0) * early
            changes["weights"] = (*[0.0] * min(steps, 1), *[early] * (steps - 1), last)
        return replace(self, **changes) if changes else self

    def __call__(self, theta: Array, tasks: Tasks) -> MetaGradient:
        """Return the meta-gradient (P,) with diagnostics."""
        options = {name: getattr(self, name) for name in OPTIONS}
        return unrolled_gradient(self.loss, theta, tasks, **options)
