"""Settings of the MAML rows: an unrolled inner loop, run until it solves (1).

MAML differentiates through the steps of its inner loop.  With the proximal term in the
inner loss, as many steps as it takes, and the anchor differentiated too, that gradient
tends to the implicit one: these rows ask whether it gets there.
"""

STEPS = 200


def step_size(problem):
    """Return the step of the inner loop: 1.8 over the largest eigenvalue."""
    return 1.8 * problem.step_size()
