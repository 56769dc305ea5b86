"""Watch the theory hold, on a problem whose answer is known in closed form.

    python examples/study_the_theory.py                      three tables
    python examples/study_the_theory.py --figure theory.png       and a figure of them

The network is linear and the loss squared, so that the inner problem (1) is ridge
regression towards θ, and φ* and the meta-gradient (5) are two linear systems, solved
here in four lines that share nothing with the package.  Equation numbers are those of
docs/mathematics.md.
"""

import argparse

import numpy as np

import imaml_ref as ir
from imaml_ref.runs import panels, save

FEATURES, OUTPUTS, LAM = 6, 2, 0.5
STEPS = (5, 20, 80, 160, 320)
CG_STEPS = (1, 2, 3, 5, 7, 10, 14)
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)

NET = ir.architectures.linear((FEATURES,), OUTPUTS)
LOSS = ir.TaskLoss(NET, ir.SquaredError())


def main() -> None:
    """Print the tables; draw them if asked."""
    parser = argparse.ArgumentParser(description="the theory, in numbers")
    parser.add_argument("--figure", help="a PNG file to write")
    figure = parser.parse_args().figure
    rng = np.random.default_rng(3)
    theta, tasks = NET.init(rng), draw_tasks(rng)
    tables = (
        inner_steps(theta, tasks),
        cg_steps(theta, tasks, np.exp(rng.uniform(-2.0, 2.0, len(theta)))),
        strengths(theta, tasks),
    )
    if figure:
        draw(tables, figure)
        print(f"wrote {figure}")


def inner_steps(theta, tasks) -> np.ndarray:
    """Print the errors of the unrolled and the implicit gradient after K steps.

    Both tend to (5) as the inner loop tends to φ*; in the end the error falls by ρ, the
    contraction of gradient descent, per step.  Only the implicit one has a bound.
    """
    _, exact, hessians = closed_form(theta, tasks, LAM)
    spectrum = np.concatenate([np.linalg.eigvalsh(H) for H in hessians]) + LAM
    alpha = 1 / spectrum.max()
    rho = np.abs(1 - alpha * spectrum).max()
    print(f"1. K inner steps: both gradients tend to (5); contraction ρ = {rho:.4f}")
    print("     K   unrolled (9)   per step   implicit (5)   per step   bound (8)")
    rows = []
    for steps in STEPS:
        inner = ir.GradientDescent(alpha, steps)
        unrolled = ir.unrolled_gradient(LOSS, theta, tasks, lam=LAM, inner=inner)
        implicit = ir.implicit_gradient(
            LOSS, theta, tasks, lam=LAM, inner=inner, solver=ir.Dense()
        )
        bound = implicit.diagnostics.bound.mean() / np.linalg.norm(exact)
        u, i = error(unrolled.grad, exact), error(implicit.grad, exact)
        rows.append((steps, u, i, bound))
        print(
            f"{steps:6d}   {u:12.1e}   {rate(rows, 1)}   {i:12.1e}   {rate(rows, 2)}"
            f"   {bound:9.1e}"
        )
    return np.array(rows)


def rate(rows, column: int) -> str:
    """Return the factor by which an error fell per step since the row before."""
    if len(rows) < 2:
        return "       –"
    (k, e), (K, E) = ((row[0], row[column]) for row in rows[-2:])
    return f"{(E / e) ** (1 / (K - k)):8.4f}"


def cg_steps(theta, tasks, lam) -> np.ndarray:
    """Print the error of (5) after so many CG steps, at the exact φ*.

    One step is the first-order direction.  With a scalar λ, as many steps as H has
    different eigenvalues are enough, here 7; with a λ per parameter it is P = 14, if CG
    is preconditioned with Λ⁻¹.  CG on I + Λ⁻¹H, which is not symmetric, gets nowhere.
    """
    print("\n2. CG steps, at φ* itself: relative errors")
    print("  steps   cos(g, v)   scalar λ   λ per parameter   on I + Λ⁻¹H instead")
    rows = []
    for steps in CG_STEPS:
        scalar = at_solution(theta, tasks, LAM, ir.CG(maxiter=steps))
        each = at_solution(theta, tasks, lam, ir.CG(maxiter=steps))
        s = error(scalar.grad, closed_form(theta, tasks, LAM)[1])
        e = error(each.grad, closed_form(theta, tasks, lam)[1])
        a = asymmetric(theta, tasks, lam, steps)
        cos = scalar.diagnostics.cosine.mean()
        rows.append((steps, s, e, a))
        print(f"{steps:7d}   {cos:9.6f}   {s:8.1e}   {e:15.1e}   {a:19.1e}")
    return np.array(rows)


def asymmetric(theta, tasks, lam, steps: int) -> float:
    """Return the error of plain CG on (I + Λ⁻¹H) y = v, for its own solution y."""
    phi, _, hessians = closed_form(theta, tasks, lam)
    v = LOSS.linearize(phi, tasks.query_x, tasks.query_y).grad
    operators = np.eye(len(theta)) + hessians / lam[:, None]
    y, _ = ir.cg_batched(
        lambda p: (operators @ p[..., None])[..., 0], v, rtol=0.0, maxiter=steps
    )
    return error(y, np.linalg.solve(operators, v[..., None])[..., 0])


def strengths(theta, tasks) -> np.ndarray:
    """Print, for each λ, how far first order and five CG steps are from (5)."""
    print("\n3. λ, at φ*: how much the curvature matters")
    print("       λ   cos(g, v)   error of g = v   error of 5 CG steps")
    rows = []
    for lam in STRENGTHS:
        phi, exact, _ = closed_form(theta, tasks, lam)
        few = at_solution(theta, tasks, lam, ir.CG(maxiter=5))
        v = LOSS.linearize(phi, tasks.query_x, tasks.query_y).grad.mean(0)
        first, five = error(v, exact), error(few.grad, exact)
        cos = few.diagnostics.cosine.mean()
        rows.append((lam, first, five))
        print(f"{lam:8.2f}   {cos:9.6f}   {first:14.3f}   {five:19.1e}")
    return np.array(rows)


def at_solution(theta, tasks, lam, solver) -> ir.MetaGradient:
    """Return (5) at the φ* of the closed form."""
    phi, _, _ = closed_form(theta, tasks, lam)
    return ir.implicit_gradient_at(LOSS, theta, phi, tasks, lam=lam, solver=solver)


def closed_form(theta, tasks, lam) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return φ* (T, P), the mean of g (P,), and H (T, P, P), by NumPy alone.

    With x̃ = (x, 1), f = x̃ᵀ Φ and H = mean(x̃ x̃ᵀ) ⊗ I, (3) reads
    (H + Λ) φ* = Λ θ + mean(x̃ ⊗ y), and (5) is one more solve with the same matrix.
    """
    Lam = lam * np.eye(len(theta))
    solutions, gradients, hessians = [], [], []
    for x, y, query_x, query_y in zip(*vars(tasks).values(), strict=True):
        x, query_x = (np.column_stack([a, np.ones(len(a))]) for a in (x, query_x))
        H = np.kron(x.T @ x / len(x), np.eye(OUTPUTS))
        phi = np.linalg.solve(H + Lam, Lam @ theta + (x.T @ y / len(x)).ravel())
        residual = query_x @ phi.reshape(-1, OUTPUTS) - query_y
        v = (query_x.T @ residual / len(query_x)).ravel()
        solutions.append(phi)
        gradients.append(Lam @ np.linalg.solve(H + Lam, v))
        hessians.append(H)
    return np.array(solutions), np.mean(gradients, axis=0), np.array(hessians)


def draw_tasks(rng, num_tasks: int = 3) -> ir.TaskBatch:
    """Draw linear regressions with noise, the inputs on very different scales."""
    scales = np.geomspace(2.0, 0.3, FEATURES)

    def examples(number):
        x = scales * rng.normal(size=(num_tasks, number, FEATURES))
        noise = 0.3 * rng.normal(size=(num_tasks, number, OUTPUTS))
        return x, x @ truth + noise

    truth = rng.normal(size=(num_tasks, FEATURES, OUTPUTS))
    return ir.TaskBatch(*examples(9), *examples(5))


def error(got: np.ndarray, exact: np.ndarray) -> float:
    """Return ‖got − exact‖ / ‖exact‖."""
    return float(np.linalg.norm(got - exact) / np.linalg.norm(exact))


def draw(tables, path: str) -> None:
    """Draw the three tables side by side into a PNG file."""
    figure, (places,) = panels(1, 3, "The theory, in numbers", (12, 3.8))
    labels = (
        ("inner steps K", ("unrolled (9)", "implicit (5)", "bound (8)")),
        ("CG steps", ("scalar λ", "λ per parameter", "on I + Λ⁻¹H")),
        ("λ", ("first order, g = v", "five CG steps")),
    )
    for panel, table, (name, curves) in zip(places, tables, labels, strict=True):
        for values, label in zip(table.T[1:], curves, strict=True):
            panel.plot(table[:, 0], values, "o-", label=label)
        panel.set(xlabel=name, ylabel="relative error of g", yscale="log")
        panel.legend()
    places[2].set_xscale("log")
    save(figure, path)


if __name__ == "__main__":
    main()
