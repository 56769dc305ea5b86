"""How many products with the operator solve (5) to 1e-6, by preconditioner.

    python benchmarks/run.py nystrom [--data omniglot.h5]

A net of 16 filters, with ReLU and again with softplus, is trained by Gauss-Newton iMAML
for some hundred meta-steps, on the glyphs and, if there is a file, on Omniglot; then,
for test tasks at their φ* (L-BFGS from θ, float64; with ReLU it ends at kinks) and each
λ, (H + λI) x = ∇Q(φ*) is solved to ‖b − A x‖ ≤ 1e-6 ‖b‖, the
true residual, and likewise with the Gauss-Newton operator G: by CG, by CG with
Jacobi's diagonal, and by CG with Nyström's sketch.  Counted are all products of a task:
those of the sketch, the N D with Rᵀ of Jacobi's diagonal (each half a product with G),
and the one that tests the true residual.  Of H only tasks count whose smallest
eigenvalue of H + λI, by Lanczos, is positive.  The table goes to ``nystrom.md``.
"""

import argparse
from itertools import product

import numpy as np

import imaml_ref as ir
from imaml_ref.layers import ReLU, Softplus
from imaml_ref.solvers import Status, smallest_eigenvalue

from ..shared import record

RTOL, MAXITER, FILTERS = 1e-6, 2000, 16
LAMS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
NETS = {"ReLU": ReLU, "softplus": Softplus}


def solvers(ranks, columns) -> dict:
    """Return the solvers by name."""
    options = {"rtol": RTOL, "maxiter": MAXITER}
    found = {"CG": ir.CertifiedCG(**options)}
    found["Jacobi"] = ir.PreconditionedCG(**options, by=ir.Jacobi())
    for rank in ranks:
        sketch = ir.Nystrom(rank)
        found[f"Nyström {rank}"] = ir.PreconditionedCG(**options, by=sketch)
    for rank in columns:
        sketch = ir.Nystrom(rank, "columns")
        found[f"columns {rank}"] = ir.PreconditionedCG(**options, by=sketch)
    return found


def trained(source, activation, steps: int):
    """Return the loss, θ after so many meta-steps, float64, and its accuracy."""
    options = {"num_filters": FILTERS, "activation": activation}
    net = ir.architectures.omniglot_cnn(source.num_outputs, **options)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    algorithm = ir.IMAML(loss, lam=0.2, curvature="gauss-newton")
    theta = net.init(np.random.default_rng(0), dtype=np.float32)
    options = {"optimizer": ir.Adam(4e-3), "meta_steps": steps, "meta_batch": 8}
    theta = ir.meta_train(algorithm, theta, source, **options).theta
    accuracy = ir.evaluate(algorithm, theta, source, num_tasks=200).accuracy
    return loss, theta.astype(np.float64), float(np.mean(accuracy))


def definite(loss, theta, phi, tasks, lam) -> np.ndarray:
    """Return which tasks have H + λI positive definite, as far as Lanczos sees."""
    support = tasks.support_x, tasks.support_y
    at = ir.ProximalObjective(loss, theta, *support, lam).linearize(phi)
    start = np.random.default_rng(1).normal(size=phi.shape)
    return smallest_eigenvalue(at.hvp, start, maxiter=150, rtol=1e-3)[0] > 0


def rows(name, loss, theta, tasks, methods):
    """Yield a row for each λ and operator: by method, products of each task.

    Args:
        name: Data and net, for the table.
        loss: The loss.
        theta: θ, (P,).
        tasks: A batch of tasks.
        methods: Solvers by name.
    """
    support = tasks.support_x, tasks.support_y
    for lam in LAMS:
        inner = ir.LBFGS(500)
        phi = ir.adapt(loss, theta, *support, lam=lam, inner=inner)
        right = definite(loss, theta, phi, tasks, lam)
        for operator in ("gauss-newton", "hessian"):
            use = np.ones(len(right), dtype=bool) if operator != "hessian" else right
            row = {"at": name, "operator": operator, "lam": lam}
            row |= {"tasks": int(use.sum()), "of": len(use), "products": {}}
            for method, solver in methods.items():
                out = ir.implicit_gradient_at(
                    loss, theta, phi, tasks, lam=lam, solver=solver, curvature=operator
                )
                d = out.diagnostics
                row["inner_residual"] = float(d.inner_residual.max())
                solved = use & (d.status == Status.CONVERGED)
                counts = [int(n) for n in d.num_products[solved]]
                row["products"][method] = counts
            record.tell(str(row))
            yield row


def cell(counts, tasks: int) -> str:
    """Return median and range, and how many were not solved."""
    if not counts:
        return "–"
    left = f", {tasks - len(counts)} unsolved" if len(counts) < tasks else ""
    return f"{np.median(counts):g} ({min(counts)}–{max(counts)}{left})"


def table(found) -> str:
    """Return the rows as Markdown."""
    methods = list(found[0]["products"])
    lines = ["| data, net | operator | λ | tasks | " + " | ".join(methods) + " |"]
    lines.append("|" + "---|" * (4 + len(methods)))
    for row in found:
        kind = "G" if row["operator"] == "gauss-newton" else "H"
        counts = row["products"].values()
        cells = [row["at"], f"{kind} + λI", f"{row['lam']:g}"]
        cells += [f"{row['tasks']} of {row['of']}"]
        cells += [cell(c, row["tasks"]) for c in counts]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(found: dict) -> str:
    """Return a record as a page: how it was measured, the nets, and the table."""
    versions = ", ".join(f"{k} {v}" for k, v in found["versions"].items())
    machine = f"{found['machine']['processor']}, Python {found['machine']['python']}"
    nets = [
        f"- {n['data']}, {n['net']}: P = {n['P']:,}, {n['num_ways']}-way "
        f"{n['num_shots']}-shot, {100 * n['accuracy']:.1f} % on 200 test tasks"
        for n in found["trained"]
    ]
    worst = {row["at"]: [] for row in found["rows"]}
    for row in found["rows"]:
        worst[row["at"]].append(row["inner_residual"])
    ends = "; ".join(f"{at}: {max(r):.1g}" for at, r in worst.items())
    parts = [
        f"`{found['command']}`, {found['date']}; {versions}; {machine}.",
        f"Products with A until ‖b − A x‖ ≤ {found['rtol']:g} ‖b‖, b = ∇Q(φ\\*): "
        "median (range) over the tasks, the preconditioner's own products and the "
        "one that tests the residual counted; no time was measured.  Jacobi: N D "
        "products with Rᵀ, each counted as one.  Nyström r: Gaussian sketch of rank "
        "r; columns r: columns of H.  Of H + λI only tasks count where Lanczos finds "
        "its smallest eigenvalue positive.",
        "\n".join(nets),
        f"Largest ‖∇G(φ\\*)‖ of a task, over all λ: {ends}.",
        table(found["rows"]),
    ]
    return "\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a packed Omniglot, as well")
    parser.add_argument("--sets", nargs="+", default=["glyphs", "Omniglot"])
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=NETS)
    parser.add_argument("--steps", type=int, default=300, help="meta-steps")
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--shots", type=int, default=1)
    parser.add_argument("--ranks", type=int, nargs="*", default=[10, 30, 100])
    parser.add_argument("--columns", type=int, nargs="*", default=[30])
    parser.add_argument("--name", default="nystrom", help="of the files written")
    record.add_out(parser)
    args = parser.parse_args()
    data = {}
    if "glyphs" in args.sets:
        data["glyphs"] = ir.data.glyph_alphabets()
    if "Omniglot" in args.sets and args.data:
        data["Omniglot"] = ir.data.open_dataset(args.data)
    about = record.circumstances("nystrom", None, hidden=("--out", "--data"))
    methods, found, notes = solvers(args.ranks, args.columns), [], []
    for (name, images), kind in product(data.items(), args.nets):
        source = ir.data.Episodes(images, 5, args.shots, 5, invert=True)
        loss, theta, accuracy = trained(source, NETS[kind], args.steps)
        note = {"data": name, "net": kind, "P": len(theta), "accuracy": accuracy}
        notes.append(note | source.describe())
        record.tell(str(notes[-1]))
        drawn = {"seed": 5, "step": 0, "num_tasks": args.tasks}
        tasks = source.sample("test", **drawn, dtype=np.float64)
        found += rows(f"{name}, {kind}", loss, theta, tasks, methods)
    about |= {"rtol": RTOL, "maxiter": MAXITER, "trained": notes, "rows": found}
    record.write(args.out / f"{args.name}.json", about)
    (args.out / f"{args.name}.md").write_text(page(about), "utf-8")
    print(table(found))
