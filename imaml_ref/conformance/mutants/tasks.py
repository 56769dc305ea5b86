"""Mistakes with several tasks: with one task, each is right."""

import numpy

from .base import Mistake


class TasksSummed(Mistake):
    """The tasks' meta-gradients are summed, not averaged."""

    name, level = "tasks-summed", "L4"
    effect = "larger by the number of tasks"

    def over_tasks(self, g):
        return g.sum(0)


class FirstTaskOnly(Mistake):
    """Only the first task counts."""

    name, level = "first-task-only", "L4"
    effect = "right where there is one task"

    def over_tasks(self, g):
        return g[0]


class LastTaskOnly(Mistake):
    """Only the last task counts: each overwrites the one before."""

    name, level = "last-task-only", "L4"
    effect = "right where there is one task"

    def over_tasks(self, g):
        return g[-1]


class TasksMixed(Mistake):
    """Each task's H is paired with the v of the next task."""

    name, level = "tasks-mixed", "L4"
    effect = "right where there is one task"

    def outer_gradient(self, case, phi):
        return numpy.roll(super().outer_gradient(case, phi), -1, 0)


class MeanCurvature(Mistake):
    """One solve for all tasks: the mean of H, the mean of v."""

    name, level = "mean-curvature", "L4"
    effect = "right where there is one task"

    def curvature(self, case, phi):
        H = super().curvature(case, phi)
        return numpy.broadcast_to(H.mean(0), H.shape)
