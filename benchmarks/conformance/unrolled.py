"""Settings of the MAML rows: an unrolled inner loop, run until it solves (1).

MAML differentiates through the steps of its inner loop.  With the proximal term in the
inner loss, as many steps as it takes, and the anchor differentiated too, that gradient
tends to the implicit one: these rows ask whether it gets there.
"""

from .torch_problem import Problem

STEPS = 200


def problem_of(task):
    """Return the inner problem of a task.

    Raises:
        NotImplementedError: If its φ is given: MAML has a path to it, or nothing.
    """
    if task.phi is not None:
        raise NotImplementedError("MAML has no φ to be given")
    return Problem(task)


def step_size(problem):
    """Return the step of the inner loop: 1.8 over the largest eigenvalue."""
    return 1.8 * problem.step_size()
