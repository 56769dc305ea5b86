"""imaml_ref by its public interface: ``IMAML`` for the mean, g of every task on demand.

``IMAML`` also measures what a run reports (residuals, Ritz values, accuracies).
"""

import imaml_ref as ir

from .problem import Contender, Problem


def build(problem: Problem, forks: bool = False) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        forks: Whether processes work on the tasks, in place of threads.
    """
    ir.set_num_threads(problem.threads)
    ir.set_num_processes(problem.threads if forks else 1)
    net = ir.architectures.omniglot_cnn(problem.ways)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    tasks = ir.TaskBatch(
        problem.support_x, problem.support_y, problem.query_x, problem.query_y
    )
    settings = {
        "lam": problem.lam,
        "inner": ir.GradientDescent(problem.step_size, problem.inner_steps),
        "solver": ir.CG(maxiter=problem.cg_steps),
    }
    algorithm = ir.IMAML(loss, **settings)

    def step():
        return algorithm(problem.theta, tasks).grad

    def task_grads():
        keep = {"keep": "task_grads"}
        found = ir.implicit_gradient(loss, problem.theta, tasks, **settings, **keep)
        return found.task_grads

    return Contender(step, task_grads, lambda g: g)
