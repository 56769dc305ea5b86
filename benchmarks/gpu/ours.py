"""imaml_ref by its public interface, at one stage of its path on a card."""

import imaml_ref as ir

from ..shared.imaml_reference import pieces, task_grads
from ..shared.problem import Contender, Problem
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
    loss, theta, tasks, settings = pieces(problem, put=place.put)
    algorithm = ir.IMAML(loss, **settings)

    def step():
        with ir.device_stage(stage), kernels_of(place):
            found = algorithm(theta, tasks).grad
        place.wait()
        return found

    def each():
        with ir.device_stage(stage), kernels_of(place):
            return task_grads(loss, theta, tasks, settings)

    return Contender(step, each, place.fetch)
