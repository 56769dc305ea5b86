"""Is my meta-gradient right?  Ask at my own φ, and learn which mistake it is.

    python examples/verify_your_own.py

The code under test is yours: here softmax regression in a dozen lines of NumPy, with
its own inner loop, and four ways to finish, one of them right.  What crosses over are
arrays: θ, the φ that your inner loop found, the task, and your gradient.

`implicit_gradient_at` evaluates equation (5) of docs/mathematics.md at *your* φ, so an
inner loop that is not finished does not blur the comparison; how far it is from
finished, `diagnostics.inner_residual` says.  Your model must be one of ours, or bring
its own `linearize` (see `TaskLoss`).
"""

from typing import NamedTuple

import numpy as np

import imaml_ref as ir
from imaml_ref.checks import check_layer, digits
from imaml_ref.layers import Layer

FEATURES, WAYS, LAM = 6, 3, 2.0


def main() -> None:
    """Judge four meta-gradients, then a layer."""
    support, query, theta = draw_task(np.random.default_rng(0))
    phi = my_inner_loop(theta, support)
    out = reference(theta, phi, support, query)
    print(f"your φ: ‖∇G(φ)‖ = {out.diagnostics.inner_residual[0]:.1e}")
    for finish in (my_right_one, my_lost_factor, my_stale_hessian, my_first_order):
        mine = finish(theta, phi, support, query)
        print(f"{finish.__name__:17s} {verdict(mine, out.grad)}")
    print("\na layer of your own, right:")
    print(check_layer(Swish(), (2, 3, 5)))
    print("\nand with the term ṡ ȳ of vjp_dot forgotten:")
    try:
        check_layer(ForgetfulSwish(), (2, 3, 5))
    except AssertionError as error:
        print(error)


def verdict(mine: np.ndarray, ours: np.ndarray) -> str:
    """Say how well two gradients agree, and how they differ.

    A constant ratio is a lost factor (λ, a sum for a mean); a cosine below one, another
    operator or another point.
    """
    good = digits(mine, ours)
    ratio = np.linalg.norm(mine) / np.linalg.norm(ours)
    cos = mine @ ours / (np.linalg.norm(mine) * np.linalg.norm(ours))
    word = "right" if good > 10 else "WRONG"
    return f"{word}: {good:4.1f} digits, length × {ratio:.4f}, cosine {cos:.6f}"


def reference(theta, phi, support, query) -> ir.MetaGradient:
    """Return (5) at φ: the task as a batch of one, the system solved by LAPACK."""
    net = ir.architectures.linear((FEATURES,), WAYS)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    tasks = ir.TaskBatch(*(a[None] for a in (*support, *query)))
    return ir.implicit_gradient_at(
        loss, theta.ravel(), phi.ravel()[None], tasks, lam=LAM, solver=ir.Dense()
    )


# From here on it is the program under test: parameters W (FEATURES + 1, WAYS), the last
# row the bias, which flattened in C order is the layout of our linear layer.


class Examples(NamedTuple):
    """Inputs (N, FEATURES) and labels (N,)."""

    x: np.ndarray
    y: np.ndarray


def draw_task(rng) -> tuple[Examples, Examples, np.ndarray]:
    """Draw a support set, a query set and θ."""
    centres = rng.normal(size=(WAYS, FEATURES))

    def examples(per_class):
        y = np.repeat(np.arange(WAYS), per_class)
        return Examples(centres[y] + 0.8 * rng.normal(size=(len(y), FEATURES)), y)

    return examples(4), examples(7), 0.3 * rng.normal(size=(FEATURES + 1, WAYS))


def my_gradient(W, examples) -> np.ndarray:
    """Return the gradient of the mean cross-entropy, shaped like W."""
    x, p = my_forward(W, examples)
    return x.T @ (p - np.eye(WAYS)[examples.y]) / len(x)


def my_hessian(W, examples) -> np.ndarray:
    """Return the Hessian of the mean cross-entropy in the flattened W."""
    x, p = my_forward(W, examples)
    bend = p[:, :, None] * np.eye(WAYS) - p[:, :, None] * p[:, None, :]
    size = W.size
    return np.einsum("ni,nj,nab->iajb", x, x, bend).reshape(size, size) / len(x)


def my_forward(W, examples) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs with a column of ones, and the probabilities."""
    x = np.column_stack([examples.x, np.ones(len(examples.x))])
    p = np.exp(x @ W)
    return x, p / p.sum(1, keepdims=True)


def my_inner_loop(theta, support, steps: int = 40) -> np.ndarray:
    """Descend on L + λ/2 ‖W − θ‖²."""
    W = theta
    for _ in range(steps):
        W = W - 0.2 * (my_gradient(W, support) + LAM * (W - theta))
    return W


def my_solution(at, phi, support, query) -> np.ndarray:
    """Return x of (H + λI) x = v, with the Hessian taken at some point."""
    A = my_hessian(at, support) + LAM * np.eye(phi.size)
    return np.linalg.solve(A, my_gradient(phi, query).ravel())


def my_right_one(theta, phi, support, query):
    """Return λ (H(φ) + λI)⁻¹ v: (6)."""
    return LAM * my_solution(phi, phi, support, query)


def my_lost_factor(theta, phi, support, query):
    """Return x itself: the direction is right, so that Adam never tells."""
    return my_solution(phi, phi, support, query)


def my_stale_hessian(theta, phi, support, query):
    """Return (6) with H taken at θ, where the inner loop began."""
    return LAM * my_solution(theta, phi, support, query)


def my_first_order(theta, phi, support, query):
    """Return v: no solve at all."""
    return my_gradient(phi, query).ravel()


class Swish(Layer):
    """y = x σ(x), with slope s = σ + y (1 − σ) and bend c = σ (1 − σ) (2 + x − 2y)."""

    shapes = {}  # noqa: RUF012 - no parameters

    def forward(self, p, x):
        """Return y, and save (x, s)."""
        sigma = 1 / (1 + np.exp(-x))
        y = x * sigma
        return y, (x, sigma + y * (1 - sigma))

    def jvp(self, p, saved, p_dot, x_dot):
        """Return ẏ = s ẋ, and the tangents of what is saved: (ẋ, ṡ = c ẋ)."""
        x, s = saved
        sigma = 1 / (1 + np.exp(-x))
        bend = sigma * (1 - sigma) * (2 + x - 2 * x * sigma)
        return s * x_dot, (x_dot, bend * x_dot)

    def vjp(self, p, saved, y_bar):
        """Return x̄ = s ȳ."""
        return {}, saved[1] * y_bar

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        """Return R{x̄} = ṡ ȳ + s R{ȳ}."""
        return {}, saved_dot[1] * y_bar + saved[1] * y_bar_dot


class ForgetfulSwish(Swish):
    """The same, but vjp_dot takes the slope for a constant."""

    def vjp_dot(self, p, saved, p_dot, saved_dot, y_bar, y_bar_dot):
        """Return s R{ȳ}: the term ṡ ȳ is missing."""
        return {}, saved[1] * y_bar_dot


if __name__ == "__main__":
    main()
