"""imaml_ref by its public interface, at one stage of its path on a card."""

import imaml_ref as ir

from ..shared.problem import PER_TASK, Contender, Problem
from .place import Place
from .rehearsal import kernels_of


def build(problem: Problem, device: str, stage: str) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        device: Where.
        stage: As ``imaml_ref.device_stage`` calls it.
    """
    place = Place(device)
    loss, theta, tasks, settings = pieces(problem, place)
    algorithm = ir.IMAML(loss, **settings)

    def step():
        with ir.device_stage(stage), kernels_of(place):
            found = algorithm(theta, tasks).grad
        place.wait()
        return found

    def task_grads():
        with ir.device_stage(stage), kernels_of(place):
            keep = {"keep": "task_grads"}
            found = ir.implicit_gradient(loss, theta, tasks, **settings, **keep)
        return found.task_grads

    return Contender(step, task_grads, place.fetch)


def pieces(problem: Problem, place: Place):
    """Return the loss, θ and the tasks where they are to be, and the settings."""
    net = ir.architectures.omniglot_cnn(problem.ways)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    tasks = ir.TaskBatch(*(place.put(getattr(problem, name)) for name in PER_TASK))
    settings = {
        "lam": problem.lam,
        "inner": ir.GradientDescent(problem.step_size, problem.inner_steps),
        "solver": ir.CG(maxiter=problem.cg_steps),
    }
    return loss, place.put(problem.theta), tasks, settings
