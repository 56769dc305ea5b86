"""imaml_ref by its public interface: ``IMAML`` for the mean, g of every task on demand.

``IMAML`` also measures what a run reports (residuals, Ritz values, accuracies).
"""

import imaml_ref as ir

from .problem import PER_TASK, Contender, Problem


def build(problem: Problem, forks: bool = False) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        forks: Whether processes work on the tasks, in place of threads.
    """
    ir.set_num_threads(problem.threads)
    ir.set_num_processes(problem.threads if forks else 1)
    loss, theta, tasks, settings = pieces(problem)
    algorithm = ir.IMAML(loss, **settings)

    def step():
        return algorithm(theta, tasks).grad

    return Contender(
        step, lambda: task_grads(loss, theta, tasks, settings), lambda g: g
    )


def pieces(problem: Problem, net=None, put=lambda a: a):
    """Return the loss, θ, the tasks, and the settings of ``IMAML``.

    Args:
        problem: What to solve.
        net: In place of the net of the released code.
        put: Brings an array to where it is computed with.
    """
    net = net or ir.architectures.omniglot_cnn(problem.ways)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    tasks = ir.TaskBatch(*(put(getattr(problem, name)) for name in PER_TASK))
    settings = {
        "lam": problem.lam,
        "inner": ir.GradientDescent(problem.step_size, problem.inner_steps),
        "solver": ir.CG(maxiter=problem.cg_steps),
    }
    return loss, put(problem.theta), tasks, settings


def task_grads(loss, theta, tasks, settings):
    """Return g of every task, (T, P)."""
    keep = {"keep": "task_grads"}
    return ir.implicit_gradient(loss, theta, tasks, **settings, **keep).task_grads
