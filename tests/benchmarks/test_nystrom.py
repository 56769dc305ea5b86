"""What the benchmark of preconditioners makes of its counts."""

import numpy as np
import pytest

import imaml_ref as ir
from benchmarks.nystrom.run import cell, definite, page, rows, solvers, table
from imaml_ref.layers import Tanh
from imaml_ref.solvers import dense_matrix


def test_a_cell_has_median_range_and_what_was_not_solved():
    assert cell([5, 9, 6], 3) == "6 (5–9)"
    assert cell([5, 8], 4) == "6.5 (5–8, 2 unsolved)"
    assert cell([], 0) == "–"


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    net = ir.architectures.mlp((4,), (6,), 3, activation=Tanh)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    x, y = rng.normal(size=(2, 3, 5, 4)), rng.integers(0, 3, (2, 3, 5))
    return loss, net.init(rng), ir.TaskBatch(x[0], y[0], x[1], y[1])


def test_every_row_counts_the_products_of_every_method(problem):
    loss, theta, tasks = problem
    found = list(rows("tanh", loss, theta, tasks, solvers([3], [2])))
    assert [row["operator"] for row in found[:2]] == ["gauss-newton", "hessian"]
    for row in found:
        assert list(row["products"]) == ["CG", "Jacobi", "Nyström 3", "columns 2"]
        assert row["inner_residual"] < 1e-5
        for name, least in (("CG", 2), ("Jacobi", 15 + 2), ("Nyström 3", 3 + 2)):
            assert len(row["products"][name]) == row["tasks"]
            assert min(row["products"][name]) >= least
    assert table(found).count("\n") == 2 + len(found) - 1
    versions, machine = {"numpy": "2"}, {"processor": "a", "python": "3"}
    about = {"command": "c", "date": "d", "versions": versions, "machine": machine}
    shown = page(about | {"rtol": 1e-6, "trained": [], "rows": found})
    assert shown.startswith("`c`, d; numpy 2; a, Python 3.")
    assert shown.endswith(table(found) + "\n")


def test_a_saddle_is_not_definite(problem):
    loss, theta, tasks = problem
    phi = np.stack([theta + 3, theta + 3, theta + 3])
    at = loss.linearize(phi, tasks.support_x, tasks.support_y)
    H = dense_matrix(at.hvp, at.grad)
    for lam in (1e-3, 0.05, 5.0):
        want = np.linalg.eigvalsh(H)[:, 0] + lam > 0
        assert list(definite(loss, theta, phi, tasks, lam)) == list(want)
