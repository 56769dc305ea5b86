"""The loss of a task; the proximal objective of the inner problem.

The derivatives of the loss are in ``linearization``, and for some networks, computed
faster, in ``fused`` and ``kernels``.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy

from ..arguments import Brief, having, settle
from ..compute import Array, check_array
from ..fused import FusedExamples, FusedNetwork, covers, is_plain
from ..kernels import DeviceExamples, DeviceNetwork, device_network
from ..networks import Linearization, Loss, Network

FAST = FusedExamples, DeviceExamples  # they have more to offer than ``Examples``


@dataclass(frozen=True)
class TaskLoss:
    """The mean loss L_t(φ_t) of a network on the examples of each task.

    Args:
        net: The network, a function of φ (T, P) and x (T, N, ...).
        loss: The loss of its outputs and the labels.

    Raises:
        ValueError: If one of them is something else.
    """

    net: Network
    loss: Loss

    def __post_init__(self):
        # Both have forward(): these tell one from the other where they are swapped.
        net = having("vjp", "architectures.mlp()")
        settle(self, net=net, loss=having("grad", "SoftmaxCrossEntropy()"))

    def linearize(self, phi: Array, x: Array, y: Array) -> Linearization:
        """Return L, its gradient and its curvature at φ.

        Args:
            phi: Parameters of each task, (T, P).
            x: Inputs (T, N, ...), in the real dtype of φ.
            y: Labels (T, N), or targets (T, N, D).
        """
        examples = self.on(phi, x, y)
        if isinstance(examples, FAST):
            return examples.linearize(phi)
        return Linearization(self, phi, x, y)

    def on(self, theta: Array, x: Array, y: Array) -> Any:
        """Return L of these examples: ``gradient`` and ``linearize`` at φ like θ.

        What does not depend on φ is computed once.

        Raises:
            TypeError: If θ, x or y is no array.
        """
        for name, array in (("θ", theta), ("x", x), ("y", y)):
            check_array(name, array)
        # A subclass may linearise in another way.
        if is_plain() or type(self).linearize is not TaskLoss.linearize:
            return Examples(self, x, y)
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

    def value(self, phi: Array, x: Array, y: Array) -> Array:
        """Return L (T,) alone, for one forward sweep."""
        examples = self.on(phi, x, y)
        if isinstance(examples, FAST) and examples.fits(phi):
            return examples.value(phi)
        return self.loss.forward(self.net.logits(phi, x), y)[0]


@dataclass(frozen=True, repr=False)
class Examples(Brief):
    """A loss with its inputs and labels.

    Args:
        loss: Anything with ``linearize(phi, x, y)``.
        x: Inputs (T, N, ...).
        y: Labels (T, N), or targets (T, N, D).
    """

    loss: Any
    x: Array
    y: Array

    def linearize(self, phi: Array) -> Any:
        """Return L, its gradient and its curvature at φ (T, P)."""
        return self.loss.linearize(phi, self.x, self.y)

    def gradient(self, phi: Array) -> Array:
        """Return ∇L (T, P)."""
        return self.linearize(phi).grad


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
        one = slice(t, t + 1)
        return ProximalObjective(
            self.loss, self.theta, self.x[one], self.y[one], self.lam
        )

    def linearize(self, phi: Array) -> "ProximalLinearization":
        """Return G, its gradient and its curvature at φ (T, P)."""
        support = self._support.linearize(phi)
        return ProximalLinearization(support, phi - self.theta, self.lam)

    def grad(self, phi: Array) -> Array:
        """Return ∇G = ∇L + Λ (φ − θ), (T, P)."""
        return self._support.gradient(phi) + self.lam * (phi - self.theta)

    @property
    def fused(self) -> FusedExamples | DeviceExamples | None:
        """L of the support set, where it can make steps in place; else None."""
        # A subclass may have another gradient.
        own, support = type(self).grad is ProximalObjective.grad, self._support
        real = isinstance(support, FAST) and numpy.isrealobj(self.lam)
        known = getattr(self.lam, "shape", ()) in ((), self.theta.shape[-1:])
        return support if own and real and known else None

    @cached_property
    def _support(self) -> Any:
        """L of the support set."""
        if hasattr(self.loss, "on"):
            return self.loss.on(self.theta, self.x, self.y)
        return Examples(self.loss, self.x, self.y)

    def value(self, phi: Array) -> Array:
        """Return G, (T,)."""
        if hasattr(self.loss, "value"):
            away = phi - self.theta
            value = self.loss.value(phi, self.x, self.y)
            return value + (self.lam * away * away).sum(-1) / 2
        return self.linearize(phi).value


class ProximalLinearization:
    """G at φ: ``grad`` (T, P), ``value``, ``hvp``, and ``support``, L at φ."""

    def __init__(self, support, away: Array, lam):
        self.support, self._away, self._lam = support, away, lam
        self.grad = lam * away
        self.grad += support.grad

    @cached_property
    def value(self) -> Array:
        """G, (T,); gradient descent has no use for it."""
        pull = (self._lam * self._away * self._away).sum(-1)
        return self.support.value + pull / 2

    def hvp(self, v: Array) -> Array:
        """Return (H + Λ) v, (T, P)."""
        return self.support.hvp(v) + self._lam * v


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
    having("linearize", "TaskLoss(net, SoftmaxCrossEntropy())")("loss", loss)
    check_array("θ", theta)
