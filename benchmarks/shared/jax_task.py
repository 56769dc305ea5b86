"""The implicit meta-gradient of one task in JAX: for ``vmap``, or task by task."""

import jax

from .jax_net import conjugate_gradients, data, loss, patches, plus
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


def together(problem: Problem, device=None, **net):
    """Return functions that compute the mean of g, and g of every task, by ``vmap``.

    Args:
        problem: What to solve.
        device: Where; None is where JAX would.
        net: As ``task_gradient`` takes it.
    """
    theta, tasks = jax.device_put(data(problem), device)
    each = jax.vmap(task_gradient(problem, **net), (None, 0))

    @jax.jit
    def mean(theta, tasks):
        return jax.tree.map(lambda g: g.mean(0), each(theta, tasks))

    every = jax.jit(each)
    return lambda: mean(theta, tasks), lambda: every(theta, tasks)
