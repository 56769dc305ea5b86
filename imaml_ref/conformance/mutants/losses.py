"""Losses that are wrong, around one that is right."""

from collections.abc import Callable

from ...compute import Array
from ...networks import Loss, SoftmaxCrossEntropy


class Wrapped(Loss):
    """A loss that passes everything on.

    Args:
        inner: The loss that is right.
    """

    def __init__(self, inner: Loss):
        self.inner = inner

    def forward(self, z, y):
        return self.inner.forward(z, y)

    def grad(self, saved):
        return self.inner.grad(saved)

    def hvp(self, saved, z_dot):
        return self.inner.hvp(saved, z_dot)

    def accuracy(self, z, y):
        return self.inner.accuracy(z, y)


class Weighted(Wrapped):
    """A loss times a number.

    Args:
        inner: The loss that is right.
        weight: The number, from the shape (T, N, D) of the outputs.
    """

    def __init__(self, inner: Loss, weight: Callable[[tuple[int, ...]], float]):
        super().__init__(inner)
        self.weight = weight

    def forward(self, z, y):
        value, saved = super().forward(z, y)
        return self.weight(z.shape) * value, saved

    def grad(self, saved):
        z_bar = super().grad(saved)
        return self.weight(z_bar.shape) * z_bar

    def hvp(self, saved, z_dot):
        return self.weight(z_dot.shape) * super().hvp(saved, z_dot)


class Ascending(Wrapped):
    """A loss whose gradient has the other sign."""

    def grad(self, saved):
        return -super().grad(saved)

    def hvp(self, saved, z_dot):
        return -super().hvp(saved, z_dot)


class EmpiricalFisher(Wrapped):
    """r rᵀ / N in place of H_z, r the gradient of one example's loss in z."""

    def hvp(self, saved, z_dot):
        z_bar = self.grad(saved)
        return z_bar.shape[1] * z_bar * (z_bar * z_dot).sum(-1, keepdims=True)


class WithoutCurvature(Wrapped):
    """I / N in place of H_z."""

    def hvp(self, saved, z_dot):
        return z_dot / z_dot.shape[1]


class TwiceSoftmax(SoftmaxCrossEntropy):
    """Cross-entropy of softmax(q), where q is a softmax already.

    With S = diag(q) − q qᵀ, c the gradient in q and ċ its tangent along q̇ = S ż,

        z̄ = S c,   R{z̄} = S ċ + q̇ c − q̇ ⟨q, c⟩ − q ⟨q̇, c⟩
    """

    def forward(self, z, y):
        _, once = super().forward(z, y)
        value, twice = super().forward(once.p, y)
        return value, (once.p, twice)

    def grad(self, saved):
        q, twice = saved
        return along(q, super().grad(twice))

    def hvp(self, saved, z_dot):
        q, twice = saved
        q_dot, c = along(q, z_dot), super().grad(twice)
        found = along(q, super().hvp(twice, q_dot)) + q_dot * c
        return found - q_dot * inner(q, c) - q * inner(q_dot, c)


def along(q: Array, a: Array) -> Array:
    """Return S a."""
    return q * a - q * inner(q, a)


def inner(a: Array, b: Array) -> Array:
    """Return ⟨a, b⟩ of every example, (T, N, 1)."""
    return (a * b).sum(-1, keepdims=True)
