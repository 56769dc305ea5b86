"""The loss of a task; the proximal objective of the inner problem.

The derivatives of the loss are in ``linearization``, and for some networks, computed
faster, in ``fused`` and ``kernels``.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..arguments import Brief, Settings, having, setting
from ..compute import Array, array_module, check_array
from ..fused import FusedExamples, FusedNetwork, covers, is_plain
from ..kernels import DeviceExamples, DeviceNetwork, device_network
from ..networks import Examples, Linearization, Loss, Network
from ..optimizers import SGD, follow

TO_LINEARIZE = having("linearize", "TaskLoss(net, SoftmaxCrossEntropy())")


@dataclass(frozen=True)
class TaskLoss(Settings):
    """The mean loss L_t(φ_t) of a network on the examples of each task.

    Args:
        net: The network, a function of φ (T, P) and x (T, N, ...).
        loss: The loss of its outputs and the labels.

    Raises:
        ValueError: If one of them is something else.
    """

    # Both have forward(): these tell one from the other where they are swapped.
    net: Network = setting(having("vjp", "architectures.mlp()"))
    loss: Loss = setting(having("grad", "SoftmaxCrossEntropy()"))

    @property
    def looks_at_support(self) -> bool:
        """Whether the network asks for the ``context`` of queries."""
        return getattr(self.net, "looks_at_support", False)

    def linearize(self, phi: Array, x: Array, y: Array, context=None) -> Linearization:
        """Return L, its gradient and its curvature at φ.

        Args:
            phi: Parameters of each task, (T, P).
            x: Inputs (T, N, ...), in the real dtype of φ.
            y: Labels (T, N), or targets (T, N, D).
            context: Support inputs (T, n, ...) of queries, where the net asks for them.
        """
        return self._examples(phi, x, y, context).linearize(phi)

    def value(self, phi: Array, x: Array, y: Array, context=None) -> Array:
        """Return L (T,) alone, for one forward sweep."""
        return self._examples(phi, x, y, context).value(phi)

    def on(self, theta: Array, x: Array, y: Array) -> Examples:
        """Return L of these examples at any φ like θ, by the way that computes it.

        What does not depend on φ is computed once.

        Raises:
            TypeError: If θ, x or y is no array.
        """
        examples = self._examples(theta, x, y)
        # A subclass may have another loss.
        own = {type(self).linearize, type(self).value}
        known = {TaskLoss.linearize, TaskLoss.value}
        return examples if own == known else OwnExamples(self, x, y)

    def _examples(self, theta: Array, x: Array, y: Array, context=None) -> Examples:
        """Decide for the layers, the sweeps on a device, or those on the host."""
        for name, array in (("θ", theta), ("x", x), ("y", y)):
            check_array(name, array)
        if context is not None and self.looks_at_support:
            x = array_module(context, x).concatenate([context, x], axis=1)
            return Examples(TaskLoss(self.net.given(context.shape[1]), self.loss), x, y)
        if not is_plain():
            if self._device and self._device.fits(theta, x, y):
                return DeviceExamples(self, self._device, theta, x, y)
            if self._fused and self._fused.fits(theta, x):
                return FusedExamples(self, self._fused, theta.dtype, x, y)
        return Examples(self, x, y)

    @cached_property
    def _device(self) -> DeviceNetwork | None:
        return device_network(self)

    @cached_property
    def _fused(self) -> FusedNetwork | None:
        return FusedNetwork(self.net) if covers(self.net) else None


class OwnExamples(Examples):
    """L of somebody's own loss: its ``linearize``, and its ``value`` if it has one."""

    def linearize(self, phi: Array) -> Any:
        """Return L, its gradient and its curvature at φ (T, P)."""
        return self.task_loss.linearize(phi, self.x, self.y)

    def value(self, phi: Array) -> Array:
        """Return L (T,), for one forward sweep if the loss has its own way to it."""
        value = getattr(type(self.task_loss), "value", TaskLoss.value)
        if value is TaskLoss.value:
            return self.linearize(phi).value
        return self.task_loss.value(phi, self.x, self.y)


@dataclass(frozen=True, repr=False)
class ProximalObjective(Brief):
    """G(φ; θ) = L(φ) + ½ (φ − θ)ᵀ Λ (φ − θ) of (1) in docs/mathematics.md.

    Args:
        loss: Anything whose ``linearize(phi, x, y)`` has ``.value .grad .hvp``.
        theta: The anchor θ, (P,).
        x: Support inputs (T, N, ...).
        y: Support labels (T, N), or targets (T, N, D).
        lam: λ, a positive float or (P,), in loss/parameter²; 0 is plain L, as in MAML.
    """

    loss: Any
    theta: Array
    x: Array
    y: Array
    lam: Any

    def __len__(self) -> int:
        return len(self.x)

    def task(self, t: int) -> "ProximalObjective":
        """Return the objective of one task, T = 1."""
        return replace(self, x=self.x[t : t + 1], y=self.y[t : t + 1])

    @cached_property
    def examples(self) -> Examples:
        """L of the support set."""
        on = getattr(self.loss, "on", None)
        if on is None:
            return OwnExamples(self.loss, self.x, self.y)
        return on(self.theta, self.x, self.y)

    def linearize(self, phi: Array) -> "ProximalLinearization":
        """Return G, its gradient and its curvature at φ (T, P)."""
        return ProximalLinearization(self, phi)

    def grad(self, phi: Array) -> Array:
        """Return ∇G = ∇L + Λ (φ − θ), (T, P)."""
        return self.examples.gradient(phi) + self.lam * (phi - self.theta)

    def value(self, phi: Array) -> Array:
        """Return G, (T,)."""
        away = phi - self.theta
        return self.examples.value(phi) + (self.lam * away * away).sum(-1) / 2

    def only(self, v: Array) -> Array:
        """Return of v (T, P) what the inner loop may move: all of it."""
        return v

    def spread(self, alpha: Array) -> Array:
        """Return α (P,) for one of each layer with parameters, (L,).

        Raises:
            ValueError: If it is not that.
        """
        layout: Any = getattr(getattr(self.loss, "net", None), "layout", None)
        layers = (len(layout.layers),) if layout else ()
        if alpha.shape != layers:
            raise ValueError(
                f"step_size must be a number, {layers}, one per layer, or "
                f"{self.theta.shape}, one per parameter, got shape {alpha.shape}"
            )
        return layout.spread(alpha)

    def descend(
        self, phi: Array, step_size: float, num_steps: int
    ) -> tuple[Array, list[Array]]:
        """Return φ after K steps of −α ∇G, and ‖∇G‖, (T,), where each began."""
        # A subclass may have another gradient.
        if type(self).grad is not ProximalObjective.grad:
            return follow(self.grad, phi, [SGD(step_size)] * num_steps)
        return self.examples.descend(phi, self.theta, self.lam, step_size, num_steps)


class ProximalLinearization:
    """G at φ: ``grad`` (T, P), ``value``, ``hvp``, and what it is made of.

    Args:
        objective: G, of which ``support`` is L at φ, ``lam`` is λ.
        phi: (T, P), of which ``away`` is φ − θ.
    """

    def __init__(self, objective: ProximalObjective, phi: Array):
        self._examples, self.lam = objective.examples, objective.lam
        self.support = self._examples.linearize(phi)
        self.away = phi - objective.theta
        self.grad = self.lam * self.away
        self.grad += self.support.grad

    @cached_property
    def value(self) -> Array:
        """G, (T,); gradient descent has no use for it."""
        pull = (self.lam * self.away * self.away).sum(-1)
        return self.support.value + pull / 2

    def hvp(self, v: Array) -> Array:
        """Return (H + Λ) v, (T, P)."""
        return self.support.hvp(v) + self.lam * v

    def solve(self, solver: Any, curvature: str, v: Array, damping: float) -> Any:
        """Return x of (H + Λ + damping) x = v, or with G, and what the solver says.

        Args:
            solver: Has ``solve(matvec, b, M)``.
            curvature: "hvp" for H, "gnvp" for G.
            v: (T, P).
            damping: Added to λ.
        """
        shift = self.lam + damping
        return self._examples.solve(self.support, solver, curvature, v, shift)

    def pulled_back(self, x: Array, curvature: str, v: Array) -> Array:
        """Return g (T, P) of (5) for the x of v that ``solve`` returned."""
        return self.lam * x


def check_labels(task_loss: Any, *labels: Array) -> None:
    """Refuse labels on a device that no sweep refuses, if the loss knows which.

    Raises:
        ValueError: If one is not among the outputs; while readings wait, when they
            are settled.
    """
    check = getattr(getattr(task_loss, "loss", None), "check_labels", None)
    if check is not None:
        for y in labels:
            check(y, task_loss.net.num_outputs)


def check_problem(loss: Any, theta: Array) -> None:
    """Refuse what is no loss of tasks, or no θ.

    Raises:
        ValueError: If the loss cannot be linearised.
        TypeError: If θ is no array.
    """
    TO_LINEARIZE("loss", loss)
    check_array("θ", theta)
