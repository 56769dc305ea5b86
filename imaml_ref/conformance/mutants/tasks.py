"""Mistakes with several tasks: with one task, each is right."""

import numpy

from .base import Mistake


class OverTasks(Mistake):
    """A mistake with several tasks."""

    level = "L4"


class TasksSummed(OverTasks):
    """The tasks' meta-gradients are summed, not averaged."""

    effect = "larger by the number of tasks"

    def over_tasks(self, g):
        return g.sum(0)


class FirstTaskOnly(OverTasks):
    """Only the first task counts."""

    effect = "right where there is one task"

    def over_tasks(self, g):
        return g[0]


class LastTaskOnly(OverTasks):
    """Only the last task counts: each overwrites the one before."""

    effect = "right where there is one task"

    def over_tasks(self, g):
        return g[-1]


class TasksMixed(OverTasks):
    """Each task's H is paired with the v of the next task."""

    effect = "right where there is one task"

    def outer_gradient(self, case, phi):
        return numpy.roll(super().outer_gradient(case, phi), -1, 0)


class MeanCurvature(OverTasks):
    """One solve for all tasks: the mean of H, the mean of v."""

    effect = "right where there is one task"

    def curvature(self, case, phi):
        H = super().curvature(case, phi)
        return numpy.broadcast_to(H.mean(0), H.shape)
