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
from .axes import along_axes, copies, times
from .case import Array, Case

LOSSES: dict[str, type[Loss]] = {
    "cross-entropy": SoftmaxCrossEntropy,
    "squared-error": SquaredError,
}
STATIONARY = 1e-3  # ‖∇G‖ over the norms of its two parts, for φ to count as a solution
NEWTON_STEPS, HALVINGS = 60, 12


class Refused(ArithmeticError):
    """There is no trustworthy answer; the message says why."""


class Computation:
    """What the suite asks for, level by level.

    Every method takes the case; those that a user's object has too are ``loss``,
    ``grad``, ``hvp``, ``gnvp``, ``solve``, ``inner``, ``meta_grad``, ``lam_grad``,
    ``outer_step`` and ``unrolled_grad``.  Of these the last five take tasks of unequal
    size too, group by group; the others never see more than one group.
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

        A task's step is halved until its ‖∇G‖ falls; where no length will do, φ is a
        solution to rounding.
        """
        phi = self.start(case)
        grad = self.inner_gradient(case, phi)
        open_ = numpy.full((len(phi), 1), True)
        for _ in range(NEWTON_STEPS):
            jacobian = along_axes(self.inner_gradient, case, phi)
            step = -numpy.linalg.solve(jacobian, grad[..., None])[..., 0]
            waiting = open_
            for length in 0.5 ** numpy.arange(HALVINGS):
                trial = self.inner_gradient(case, phi + waiting * length * step)
                before, after = (numpy.linalg.norm(a, axis=1) for a in (grad, trial))
                falls = waiting & (after < before)[:, None]
                phi = numpy.where(falls, phi + length * step, phi)
                grad = numpy.where(falls, trial, grad)
                waiting = waiting & ~falls
                if not waiting.any():
                    break
            open_ = open_ & ~waiting
            if not open_.any():
                break
        return phi

    def inner(self, case: Case) -> Array:
        """Return φ* (T, P), the tasks of all groups."""
        return numpy.concatenate([self.solution(c) for c in case.groups])

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

    def solved(self, case: Case, phi: Array) -> Array:
        """Return x (T, P) of (5)."""
        A = self.operator(self.curvature(case, phi), self.lam(case))
        v = self.outer_gradient(case, phi)
        return numpy.stack([self.inverse(*pair) for pair in zip(A, v, strict=True)])

    def task_grads(self, case: Case, phi: Array) -> Array:
        """Return g_t (T, P) of (5)."""
        return self.scaled(self.solved(case, phi), self.lam(case))

    def task_lam_grads(self, case: Case, phi: Array) -> Array:
        """Return dQ_t/dλ of (7), (T,) or (T, P)."""
        each = -self.solved(case, phi) * (phi - case.theta)
        return each if case.inputs["lam"].ndim else each.sum(1)

    def over_tasks(self, g: Array) -> Array:
        """Return the mean over tasks, (P,)."""
        return g.mean(0)

    def found(self, case: Case, phi: Array | None) -> Array:
        """Return the φ (T, P) that is given, looked at, or else the solution.

        Raises:
            Refused: If the φ is no solution, or H + Λ not positive definite there.
        """
        if phi is None:
            return self.solution(case)
        self.refuse_unstationary(case, phi)
        for A in self.operator(self.curvature(case, phi), self.lam(case)):
            self.refuse_indefinite(A)
        return phi

    def group_grads(self, case: Case, phi: Array | None) -> Array:
        """Return g_t (T, P) of a group, at a φ (T, P) or at the solution."""
        return self.task_grads(case, self.found(case, phi))

    def group_lam_grads(self, case: Case, phi: Array | None) -> Array:
        """Return dQ_t/dλ of a group, (T,) or (T, P)."""
        return self.task_lam_grads(case, self.found(case, phi))

    def by_group(self, ask: Callable, case: Case, phi: Array | None = None) -> Array:
        """Return what is asked of each group, (T, ...) for the tasks of all."""
        ends = numpy.cumsum([c.num_tasks for c in case.groups])[:-1]
        phis = [None] * len(case.groups) if phi is None else numpy.split(phi, ends)
        return numpy.concatenate([ask(*pair) for pair in zip(case.groups, phis, strict=True)])

    def meta_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return the meta-gradient (P,), at a φ (T, P) or at the solution.

        Raises:
            Refused: If the φ is no solution, or H + Λ not positive definite there.
        """
        return self.over_tasks(self.by_group(self.group_grads, case, phi))

    def lam_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return dF/dλ, () or (P,), at a φ (T, P) or at the solution.

        Raises:
            Refused: If the φ is no solution, or H + Λ not positive definite there.
        """
        return self.over_tasks(self.by_group(self.group_lam_grads, case, phi))

    # U.

    def unrolled_task_grads(self, case: Case, phi: Array | None = None) -> Array:
        """Return dQ_t(φ_K)/dθ (T, P), by the chain rule from φ_K back to φ_0 = θ."""
        step, phis = case.unrolled["step_size"], [self.start(case)]
        for _ in range(case.unrolled["steps"]):
            phis.append(phis[-1] - step * self.at_support(case, phis[-1]).grad)
        v = self.outer_gradient(case, phis.pop())
        for phi in reversed(phis):
            v = v - step * times(self.curvature(case, phi), v)
        return v

    def unrolled_grad(self, case: Case) -> Array:
        """Return the gradient (P,) of mean_t Q_t(φ_K(θ))."""
        return self.over_tasks(self.by_group(self.unrolled_task_grads, case))

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
