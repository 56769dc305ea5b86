"""Implicit MAML in NumPy: backward by hand, second derivatives by complex steps.

Systems are solved by conjugate gradients with the preconditioner Λ⁻¹.  Here to be
broken: the mistakes of the blind list are planted in this source and in
numpy_layers.
"""

import numpy as np

from .numpy_layers import KINDS, cross_entropy, squared_error

STEP = 1e-100


class IndefiniteError(ArithmeticError):
    """The matrix is not positive definite."""


class UnsolvedError(ArithmeticError):
    """φ does not solve the inner problem."""


class Task:
    """The losses of a task, and their derivatives."""

    def __init__(self, case, inputs, t):
        """Take task t."""
        self.layers = [KINDS[spec["type"]](spec) for spec in case.network["layers"]]
        self.criterion = (
            cross_entropy if case.loss == "cross-entropy" else squared_error
        )
        self.sets = {
            name: (inputs[f"{name}_x"][t], inputs[f"{name}_y"][t])
            for name in ("support", "query")
        }

    def outputs(self, phi, which="support"):
        """Return the outputs (N, D) of a set."""
        x, start = self.sets[which][0], 0
        for layer in self.layers:
            params = []
            for shape in layer.shapes:
                end = start + int(np.prod(shape))
                params.append(phi[start:end].reshape(shape))
                start = end
            x = layer.forward(x, *params)
        return x

    def back(self, z_bar):
        """Return the gradient (P,) behind the outputs just computed."""
        parts = []
        for layer in reversed(self.layers):
            z_bar, *grads = layer.backward(z_bar)
            parts = [g.ravel() for g in grads] + parts
        return np.concatenate(parts)

    def loss(self, phi, which="support"):
        """Return the mean loss of a set."""
        return self.criterion(self.outputs(phi, which), self.sets[which][1])[0]

    def grad(self, phi, which="support"):
        """Return its gradient, (P,)."""
        z = self.outputs(phi, which)
        return self.back(self.criterion(z, self.sets[which][1])[1])

    def hvp(self, phi, v):
        """Return H v by a complex step of the gradient."""
        return self.grad(phi + 1j * STEP * v).imag / STEP

    def gnvp(self, phi, v):
        """Return G v: J v and H_z by complex steps, Jᵀ by backward."""
        z_dot = self.outputs(phi + 1j * STEP * v).imag / STEP
        z = self.outputs(phi)
        curved = self.criterion(z + 1j * STEP * z_dot, self.sets["support"][1])[1].imag
        return self.back(curved / STEP)

    def hessian(self, phi):
        """Return H (P, P), a column at a time."""
        return np.stack([self.hvp(phi, e) for e in np.eye(len(phi))], axis=1)


def preconditioned_cg(product, b, diagonal, rtol=1e-15):
    """Return x with A x = b, preconditioned by 1 / diagonal.

    Raises:
        IndefiniteError: If a curvature is not positive.
    """
    x = np.zeros_like(b)
    if not b.any():
        return x
    for _ in range(3):
        r = b - product(x)
        z = r / diagonal
        p, rho = z, r @ z
        for _ in range(2 * len(b)):
            if np.linalg.norm(r) <= rtol * np.linalg.norm(b):
                break
            image = product(p)
            if p @ image <= 0:
                raise IndefiniteError(f"a curvature of {p @ image:.3g} in CG")
            alpha = rho / (p @ image)
            x, r = x + alpha * p, r - alpha * image
            z = r / diagonal
            beta = (r @ z) / rho
            p, rho = z + beta * p, r @ z
    return x


def descend(task, theta, lam):
    """Return φ*: regularised Newton steps from θ, until they are at rounding."""
    phi, shift = theta.copy(), 1.0
    value = task.loss(phi)
    for _ in range(150):
        pull = task.grad(phi) + lam * (phi - theta)
        eigenvalues, U = np.linalg.eigh(task.hessian(phi) + np.diag(lam))
        scale = np.maximum(np.abs(eigenvalues), 1e-9) + shift
        step = U @ ((U.T @ pull) / scale)
        trial = phi - step
        after = task.loss(trial) + 0.5 * (lam * (trial - theta) ** 2).sum()
        if after <= value + 1e-13 * (1 + abs(value)):
            phi, value, shift = trial, after, shift / 4 if shift > 1e-3 else 0.0
        else:
            shift = max(0.05, 3 * shift)
        if np.linalg.norm(step) < 1e-13:
            break
    return phi


class Program:
    """What the suite asks."""

    def loss(self, case):
        """Return L, (T,)."""
        pairs = zip(self.tasks(case), case.phi, strict=True)
        return np.array([task.loss(phi) for task, phi in pairs])

    def grad(self, case):
        """Return ∇L, (T, P)."""
        pairs = zip(self.tasks(case), case.phi, strict=True)
        return np.array([task.grad(phi) for task, phi in pairs])

    def hvp(self, case):
        """Return H v, (T, P)."""
        triples = zip(self.tasks(case), case.phi, case.v, strict=True)
        return np.array([task.hvp(phi, v) for task, phi, v in triples])

    def gnvp(self, case):
        """Return G v, (T, P)."""
        triples = zip(self.tasks(case), case.phi, case.v, strict=True)
        return np.array([task.gnvp(phi, v) for task, phi, v in triples])

    def solve(self, A, b):
        """Return x."""
        return preconditioned_cg(lambda p: A @ p, b, np.ones(len(b)))

    def inner(self, case):
        """Return φ*, (T, P)."""
        lam = case.lam * np.ones(len(case.theta))
        return np.array([descend(task, case.theta, lam) for task in self.tasks(case)])

    def meta_grad(self, case, phi=None):
        """Return the meta-gradient, (P,)."""
        xs, _, lam = self.adjoints(case, phi)
        return (lam * xs).mean(axis=0)

    def lam_grad(self, case, phi=None):
        """Return dF/dλ."""
        xs, phi, _ = self.adjoints(case, phi)
        per_entry = -(xs * (phi - case.theta)).mean(axis=0)
        return per_entry if np.ndim(case.lam) else per_entry.sum()

    def unrolled_grad(self, case):
        """Return the gradient through K steps, backwards by hand, (P,)."""
        alpha, steps = case.unrolled["step_size"], case.unrolled["steps"]
        found = []
        for task in self.tasks(case):
            path = [case.theta]
            for _ in range(steps):
                path.append(path[-1] - alpha * task.grad(path[-1]))
            bar = task.grad(path[-1], "query")
            for phi in reversed(path[:-1]):
                bar = bar - alpha * task.hvp(phi, bar)
            found.append(bar)
        return np.mean(found, axis=0)

    def outer_step(self, case, theta, state):
        """Return θ and the state after one step."""
        g, outer = self.meta_grad(case.at(theta)), case.outer
        if outer["optimizer"] == "sgd":
            return theta - outer["step_size"] * g, None
        b1, b2 = outer["beta1"], outer["beta2"]
        k, m, s = state or (1, np.zeros_like(g), np.zeros_like(g))
        m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g**2
        step = m / (1 - b1**k) / (np.sqrt(s / (1 - b2**k)) + outer["eps"])
        return theta - outer["step_size"] * step, (k + 1, m, s)

    def adjoints(self, case, given):
        """Return x and φ, (T, P) both, and Λ's diagonal (P,)."""
        lam = case.lam * np.ones(len(case.theta))
        phis = self.inner(case) if given is None else given
        xs = []
        for task, phi in zip(self.tasks(case), phis, strict=True):
            if given is not None:
                demand_solution(task, phi, case.theta, lam)

            def operator(p, task=task, phi=phi):
                return task.hvp(phi, p) + lam * p

            xs.append(preconditioned_cg(operator, task.grad(phi, "query"), lam))
        return np.array(xs), phis, lam

    def tasks(self, case):
        """Return the tasks of all groups."""
        groups = getattr(case, "groups", None) or (case,)
        counts = [len(group.inputs["support_x"]) for group in groups]
        pairs = zip(groups, counts, strict=True)
        return [Task(case, group.inputs, t) for group, n in pairs for t in range(n)]


def demand_solution(task, phi, theta, lam):
    """Refuse a φ that is not stationary, or no minimum."""
    g, pull = task.grad(phi), lam * (phi - theta)
    if np.linalg.norm(g + pull) > 1e-6 * (np.linalg.norm(g) + np.linalg.norm(pull)):
        raise UnsolvedError("∇L + Λ(φ − θ) is not small")
    if np.linalg.eigvalsh(task.hessian(phi) + np.diag(lam))[0] < 0:
        raise IndefiniteError("H + Λ has a negative eigenvalue")
