"""L1 to L3 of the reference computation: losses, their derivatives, linear systems."""

import numpy

from ..layers import Layer
from ..meta_gradients import TaskLoss
from ..networks import Linearization, Loss, Network, SoftmaxCrossEntropy, SquaredError
from .case import Array, Case
from .refusals import Refused

LOSSES: dict[str, type[Loss]] = {
    "cross-entropy": SoftmaxCrossEntropy,
    "squared-error": SquaredError,
}


class AtPhi:
    """What is asked at a given φ, and of a given matrix."""

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
