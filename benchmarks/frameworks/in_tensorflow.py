"""TensorFlow with Keras' layers and losses: its routes to H v and G v."""

from functools import partial

import tensorflow as tf

from .cases import Framework
from .tensorflow_cases import LOSSES, OPERATIONS
from .tensorflow_layers import LAYERS


def slope(f, p, u=None):
    """Return the derivative of f at p, or of ⟨f, u⟩, by a tape."""
    with tf.GradientTape() as tape:
        tape.watch(p)
        found = f(p)
    return tape.gradient(found, p, output_gradients=u)


def value(f, p):
    """Return f(p)."""
    return f(p)


def tangent(f, p, v):
    """Return the derivative of f at p along v, forwards."""
    with tf.autodiff.ForwardAccumulator(p, v) as accumulator:
        found = f(p)
    return accumulator.jvp(found)


def grad_grad(f, p, v):
    """∇⟨∇f, v⟩, a tape in a tape."""
    return slope(lambda q: tf.reduce_sum(slope(f, q) * v), p)


def grad_jvp(f, p, v):
    """The gradient of the tangent, a tape around an accumulator."""
    return slope(lambda q: tangent(f, q, v), p)


def hessian(f, p, v):
    """The tape's Jacobian of the gradient."""
    with tf.GradientTape() as tape:
        tape.watch(p)
        found = slope(f, p)
    return tf.linalg.matvec(tape.jacobian(found, p), v)


def in_graph(f, p, v):
    """∇⟨∇f, v⟩ within ``tf.function``."""
    return tf.function(lambda q: grad_grad(f, q, v))(p)


def jvp_vjp(z, p, v):
    """Jᵀ (2/n) J v, J v forwards."""
    z_dot = tangent(z, p, v)
    return slope(z, p, z_dot * (2 / len(z_dot)))


def jvp_by_two_tapes(z, p, v):
    """Jᵀ (2/n) J v, J v as the derivative of Jᵀ u in u."""
    u = tf.zeros_like(z(p))
    z_dot = slope(lambda u: slope(z, p, u), u, v)
    return slope(z, p, z_dot * (2 / len(z_dot)))


class TensorFlow(Framework):
    packages = ("tensorflow", "keras")
    cases = (*LAYERS, *LOSSES, *OPERATIONS)
    routes = {  # noqa: RUF012
        "tape(tape)": grad_grad,
        "accumulator(tape)": lambda f, p, v: tangent(lambda q: slope(f, q), p, v),
        "tape(accumulator)": grad_jvp,
        "tape.jacobian": hessian,
        "tf.function": in_graph,
    }
    gn_routes = {  # noqa: RUF012
        "G: accumulator, tape": jvp_vjp,
        "G: two tapes, tape": jvp_by_two_tapes,
    }

    def array(self, values):
        return tf.constant(values, dtype=tf.float64)

    def __init__(self):
        self.known = {}

    def evaluate(self, f, p):
        return self.graph(f, value)(p)

    def gradient(self, f, p):
        return self.graph(f, slope)(p)

    def graph(self, f, made):
        """Return a function of f as a graph: thousands of values are asked of it."""
        if (f, made) not in self.known:
            self.known[f, made] = tf.function(partial(made, f))
        return self.known[f, made]

    def numpy(self, tensor):
        return tf.convert_to_tensor(tensor).numpy()

    def reshape(self, tensor, shape):
        return tf.reshape(tensor, shape)

    def mean_square(self, tensor):
        return tf.reduce_mean(tensor * tensor)


FRAMEWORK = TensorFlow()
