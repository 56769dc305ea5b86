"""The implicit meta-gradient of one task in JAX: for ``vmap``, or task by task."""

import jax

from .jax_net import conjugate_gradients, loss, patches, plus
from .problem import Problem


def task_gradient(problem: Problem, loss=loss, images=patches):
    """Return a function (θ, task) → g of the settings of a problem.

    ``jax.linearize`` runs ∇L once at φ; each product with H is the linear rest.

    Args:
        problem: The settings.
        loss: Of parameters, prepared images and labels.
        images: Prepares the images of a task.
    """
    alpha, lam, slope = problem.step_size, problem.lam, jax.grad(loss)

    def gradient(theta, task):
        support_x, support_y, query_x, query_y = task
        support, query = images(support_x), images(query_x)

        def inner_step(_, phi):
            along = plus(slope(phi, support, support_y), lam, plus(phi, -1, theta))
            return plus(phi, -alpha, along)

        phi = jax.lax.fori_loop(0, problem.inner_steps, inner_step, theta)
        _, hvp = jax.linearize(lambda p: slope(p, support, support_y), phi)
        v = slope(phi, query, query_y)
        return conjugate_gradients(
            lambda p: plus(p, 1 / lam, hvp(p)), v, problem.cg_steps
        )

    return gradient
