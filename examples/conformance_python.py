"""Is my meta-gradient right?  Ask the suite, with an object that has a few methods.

    python examples/conformance_python.py

An object may have any of `loss, grad, hvp, gnvp, solve, meta_grad, outer_step`, see
`imaml_ref.conformance.asking`; each takes a case and returns NumPy arrays.  What it
cannot do it leaves out, or answers with NotImplementedError.  Here that is a ridge
regression of a dozen lines, once right and once with a factor forgotten.
"""

import warnings

import numpy as np

from imaml_ref.conformance import as_text, check


class Ridge:
    """The meta-gradient of linear models with the squared error, in closed form."""

    def hessian(self, x: np.ndarray, outputs: int) -> np.ndarray:
        """Return H (T, P, P) of z = x W + b: mean (x̃ x̃ᵀ) ⊗ I, x̃ = (x, 1)."""
        x = np.concatenate([x, np.ones_like(x[..., :1])], axis=-1)
        moments = x.swapaxes(1, 2) @ x / x.shape[1]
        return np.stack([np.kron(moment, np.eye(outputs)) for moment in moments])

    def gradient(self, x: np.ndarray, y: np.ndarray, phi: np.ndarray) -> np.ndarray:
        """Return the gradient (T, P) of the mean of ½‖z − y‖²."""
        x = np.concatenate([x, np.ones_like(x[..., :1])], axis=-1)
        error = x @ phi.reshape(len(x), x.shape[2], -1) - y
        return (x.swapaxes(1, 2) @ error).reshape(phi.shape) / x.shape[1]

    def grad(self, case) -> np.ndarray:
        """Answer L1."""
        self.demand_ridge(case)
        tasks = case.tasks
        return self.gradient(tasks.support_x, tasks.support_y, case.phi)

    def solve(self, A: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Answer L3, with a warning where there is no trustworthy answer."""
        if np.linalg.eigvalsh(A)[0] <= 0:
            warnings.warn("A is not positive definite", stacklevel=2)
        return np.linalg.solve(A, b)

    def meta_grad(self, case, phi: np.ndarray | None = None) -> np.ndarray:
        """Answer L4: the mean over tasks of Λ (H + Λ)⁻¹ v."""
        self.demand_ridge(case)
        if phi is None:
            raise NotImplementedError("the inner problem is not solved here")
        tasks, lam = case.tasks, case.lam * np.eye(len(case.theta))
        H = self.hessian(tasks.support_x, tasks.support_y.shape[2])
        v = self.gradient(tasks.query_x, tasks.query_y, phi)
        x = np.linalg.solve(H + lam, v[..., None])
        return self.multiplied(lam, x)[..., 0].mean(0)

    def multiplied(self, lam: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return Λ x."""
        return lam @ x

    def demand_ridge(self, case) -> None:
        """Leave out what is no ridge regression."""
        if len(case.network["layers"]) > 1 or case.loss != "squared-error":
            raise NotImplementedError("only linear models with the squared error")


class ForgetfulRidge(Ridge):
    """The same with a factor forgotten: the loss would still go down."""

    def multiplied(self, lam: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return x, not multiplied by Λ."""
        return x


def main() -> None:
    """Judge both."""
    for subject in (Ridge(), ForgetfulRidge()):
        print(as_text(check(subject), most=3), end="\n\n")


if __name__ == "__main__":
    main()
