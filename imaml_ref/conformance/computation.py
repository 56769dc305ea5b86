"""The reference computation in small steps, each a method that a mistake can override.

It is plain, dense, and float64 only: every product with H is written as a matrix.  It
serves as the body of the mistakes in ``mutants`` and as a route of the certificates;
``engine.Engine`` is what the package itself computes.
"""

from collections.abc import Callable
from typing import Any

import numpy

from ..layers import Layer
from ..meta_gradients import TaskLoss
from ..networks import Linearization, Loss, Network, SoftmaxCrossEntropy, SquaredError
from ..optimizers import SGD, Adam
from .axes import along_axes, copies
from .case import Array, Case
from .refusals import Refused

LOSSES: dict[str, type[Loss]] = {
    "cross-entropy": SoftmaxCrossEntropy,
    "squared-error": SquaredError,
}
STATIONARY = 1e-3  # ‖∇G‖ over the norms of its two parts, for φ to count as a solution
NEWTON_STEPS, HALVINGS = 60, 12


class Computation:
    """What the suite asks for, level by level.

    Every method takes the case; those that a user's object has too are ``loss``,
    ``grad``, ``hvp``, ``gnvp``, ``solve``, ``meta_grad`` and ``outer_step``.
    """

    # The network and the loss.

    def layer(self, layer: Layer) -> Layer:
        """Return what stands in the place of a layer."""
        return layer

    def network(self, case: Case) -> Network:
        """Return f."""
        layers = {name: self.layer(layer) for name, layer in case.net.layers.items()}
        if layers == case.net.layers:
            return case.net
        return Network(layers, case.net.input_shape)

    def criterion(self, case: Case) -> Loss:
        """Return ℓ."""
        return LOSSES[case.loss]()

    def linearized(self, case: Case, phi: Array, x: Array, y: Array) -> Linearization:
        """Return ℓ(f(φ, x), y) with its derivatives."""
        loss = TaskLoss(self.network(case), self.criterion(case))
        return loss.linearize(phi, x, y)

    def at_support(self, case: Case, phi: Array) -> Linearization:
        """Return L at φ (T, P)."""
        return self.linearized(case, phi, case.tasks.support_x, case.tasks.support_y)

    def at_query(self, case: Case, phi: Array) -> Linearization:
        """Return Q at φ (T, P)."""
        return self.linearized(case, phi, case.tasks.query_x, case.tasks.query_y)

    # L1 and L2.

    def loss(self, case: Case) -> Array:
        """Return L (T,) at the φ of the case."""
        return self.at_support(case, case.phi).value

    def grad(self, case: Case) -> Array:
        """Return ∇L (T, P) at the φ of the case."""
        return self.at_support(case, case.phi).grad

    def hvp(self, case: Case) -> Array:
        """Return H v (T, P) at the φ of the case."""
        return self.product(case, self.at_support(case, case.phi), case.v)

    def gnvp(self, case: Case) -> Array:
        """Return G v (T, P) at the φ of the case."""
        return self.at_support(case, case.phi).gnvp(case.v)

    def product(self, case: Case, lin: Linearization, v: Array) -> Array:
        """Return H v (T, P), from the linearisation of L."""
        return lin.hvp(v)

    # L3.

    def solve(self, A: Array, b: Array) -> Array:
        """Return x with A x = b.

        Raises:
            Refused: If A is not positive definite.
        """
        self.refuse_indefinite(A)
        return self.inverse(A, b)

    def inverse(self, A: Array, b: Array) -> Array:
        """Return A⁻¹ b, whatever A is like."""
        return numpy.linalg.solve(A, b)

    def refuse_indefinite(self, A: Array) -> None:
        """Look at the spectrum.

        Raises:
            Refused: If an eigenvalue is not positive.
        """
        smallest = float(numpy.linalg.eigvalsh(A)[0])
        if not smallest > 0:
            raise Refused(f"not positive definite: smallest eigenvalue {smallest:.2g}")

    # The inner problem (1).

    def lam(self, case: Case) -> Any:
        """Return λ, a number or (P,)."""
        return case.lam

    def anchor(self, case: Case) -> Array:
        """Return what the proximal term pulls φ to, (P,)."""
        return case.theta

    def pull(self, case: Case, phi: Array) -> Array:
        """Return Λ (φ − θ), (T, P)."""
        return self.lam(case) * (phi - self.anchor(case))

    def inner_gradient(self, case: Case, phi: Array) -> Array:
        """Return ∇G = ∇L + Λ (φ − θ), (T, P)."""
        return self.at_support(case, phi).grad + self.pull(case, phi)

    def start(self, case: Case) -> Array:
        """Return θ for every task, (T, P)."""
        return numpy.repeat(case.theta[None], case.num_tasks, 0)

    def solution(self, case: Case) -> Array:
        """Return φ* (T, P): Newton's method on ∇G, Jacobian by complex steps.

        A step is halved until ‖∇G‖ falls; where no length will do, φ is a solution to
        rounding.
        """
        phi = self.start(case)
        grad = self.inner_gradient(case, phi)
        for _ in range(NEWTON_STEPS):
            jacobian = along_axes(self.inner_gradient, case, phi)
            step = -numpy.linalg.solve(jacobian, grad[..., None])[..., 0]
            for length in 0.5 ** numpy.arange(HALVINGS):
                trial = self.inner_gradient(case, phi + length * step)
                if numpy.linalg.norm(trial) < numpy.linalg.norm(grad):
                    phi, grad = phi + length * step, trial
                    break
            else:
                break
        return phi

    def refuse_unstationary(self, case: Case, phi: Array) -> None:
        """Look at ‖∇G(φ)‖ beside the norms of its parts.

        Raises:
            Refused: If φ is no solution of the inner problem.
        """
        pull, grad = self.pull(case, phi), self.at_support(case, phi).grad
        scale = numpy.linalg.norm(grad, axis=1) + numpy.linalg.norm(pull, axis=1)
        share = (numpy.linalg.norm(grad + pull, axis=1) / scale).max()
        if not share < STATIONARY:
            raise Refused(f"φ is not stationary: ‖∇G‖ is {share:.2g} of its parts")

    # The implicit gradient (5).

    def outer_gradient(self, case: Case, phi: Array) -> Array:
        """Return v = ∇Q(φ), (T, P)."""
        return self.at_query(case, phi).grad

    def curvature(self, case: Case, phi: Array) -> Array:
        """Return H (T, P, P)."""
        T, P = phi.shape
        many = copies(case, P)
        lin = self.at_support(many, numpy.repeat(phi, P, 0))
        columns = self.product(many, lin, numpy.tile(numpy.eye(P), (T, 1)))
        return columns.reshape(T, P, P).swapaxes(1, 2)

    def operator(self, H: Array, lam: Any) -> Array:
        """Return H + Λ, (T, P, P)."""
        return H + numpy.diag(lam * numpy.ones(H.shape[-1]))

    def scaled(self, x: Array, lam: Any) -> Array:
        """Return g = Λ x, (T, P)."""
        return lam * x

    def task_grads(self, case: Case, phi: Array) -> Array:
        """Return g_t (T, P) of (5)."""
        A = self.operator(self.curvature(case, phi), self.lam(case))
        v = self.outer_gradient(case, phi)
        x = numpy.stack([self.inverse(*pair) for pair in zip(A, v, strict=True)])
        return self.scaled(x, self.lam(case))

    def over_tasks(self, g: Array) -> Array:
        """Return the mean over tasks, (P,)."""
        return g.mean(0)

    def meta_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return the meta-gradient (P,), at a φ (T, P) or at the solution.

        Raises:
            Refused: If the φ is no solution, or H + Λ not positive definite there.
        """
        if phi is not None:
            self.refuse_unstationary(case, phi)
            for A in self.operator(self.curvature(case, phi), self.lam(case)):
                self.refuse_indefinite(A)
        else:
            phi = self.solution(case)
        return self.over_tasks(self.task_grads(case, phi))

    # L6 and L7.

    def optimizer(self, case: Case) -> Any:
        """Return the optimiser of the outer steps."""
        outer = dict(case.outer)
        kinds: dict[str, Callable] = {"sgd": SGD, "adam": Adam}
        return kinds[outer.pop("optimizer")](**outer)

    def outer_slope(self, case: Case) -> Array:
        """Return the gradient (P,) of an outer step."""
        return self.meta_grad(case)

    def outer_step(self, case: Case, theta: Array, state: Any) -> tuple[Array, Any]:
        """Return the next θ (P,) and what the optimiser keeps, which is first None."""
        optimizer = self.optimizer(case)
        state = optimizer.init(theta) if state is None else state
        return optimizer.step(theta, self.outer_slope(case.at(theta)), state)
