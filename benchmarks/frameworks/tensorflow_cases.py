"""Losses of Keras, operations of TensorFlow."""

import keras
import tensorflow as tf

from .cases import Case
from .tensorflow_layers import images, standard


def pair(n):
    return ((4, n), (4, n))


def loss(name, function, control=None, shapes=pair, draw="normal"):
    def scalar(*tensors):
        return tf.reduce_mean(function(*tensors))

    return Case(name, shapes, scalar, control, is_loss=True, draw=draw)


def ids(z):
    return tf.range(4) % z.shape[1]


def cross_entropy_by_hand(z, t):
    logs = z - tf.math.log(tf.reduce_sum(tf.exp(z), -1, keepdims=True))
    labels = tf.exp(t) / tf.reduce_sum(tf.exp(t), -1, keepdims=True)
    return -tf.reduce_mean(tf.reduce_sum(labels * logs, -1))


def by_hand(p):
    return tf.reduce_sum(p * p)


def penalty(name, function):
    return loss(f"{name} at p = 0", function, by_hand, lambda n: ((n,),), "zero")


losses = keras.losses
LOSSES = (
    loss(
        "tf.nn.softmax_cross_entropy_with_logits, learned targets",
        lambda z, t: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(t), z),
        cross_entropy_by_hand,
    ),
    loss(
        "tf.nn.softmax_cross_entropy_with_logits, constant targets",
        lambda z: tf.nn.softmax_cross_entropy_with_logits(
            tf.one_hot(ids(z), z.shape[1], dtype=tf.float64), z
        ),
        shapes=lambda n: ((4, n),),
    ),
    loss(
        "tf.nn.sparse_softmax_cross_entropy_with_logits",
        lambda z: tf.nn.sparse_softmax_cross_entropy_with_logits(ids(z), z),
        shapes=lambda n: ((4, n),),
    ),
    loss(
        "Keras categorical_crossentropy, from_logits, learned targets",
        lambda z, t: losses.categorical_crossentropy(
            tf.nn.softmax(t), z, from_logits=True
        ),
        cross_entropy_by_hand,
    ),
    loss(
        "Keras categorical_crossentropy of softmax, learned targets",
        lambda z, t: losses.categorical_crossentropy(
            tf.nn.softmax(t), tf.nn.softmax(z)
        ),
        cross_entropy_by_hand,
    ),
    loss(
        "tf.nn.sigmoid_cross_entropy_with_logits, learned targets",
        lambda z, t: tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(t), z),
    ),
    loss(
        "Keras kl_divergence, learned targets",
        lambda z, t: losses.kl_divergence(tf.nn.softmax(t), tf.nn.softmax(z)),
    ),
    loss("Keras huber", lambda z, t: losses.huber(t, z)),
    loss("Keras log_cosh", lambda z, t: losses.log_cosh(t, z)),
    loss("Keras cosine_similarity", lambda z, t: losses.cosine_similarity(t, z)),
    penalty("tf.norm(p)**2", lambda p: tf.norm(p) ** 2),
    penalty("2 tf.nn.l2_loss(p)", lambda p: 2 * tf.nn.l2_loss(p)),
    penalty("tf.reduce_sum(p**2)", lambda p: tf.reduce_sum(p**2)),
    penalty("tf.reduce_sum(tf.abs(p)**2)", lambda p: tf.reduce_sum(tf.abs(p) ** 2)),
    penalty("keras.ops.norm(p)**2", lambda p: keras.ops.norm(p) ** 2),
)


def matrix(n):
    return ((3, n),)


def square(n):
    return ((n, n),)


def spd(a):
    return tf.transpose(a) @ a + tf.eye(a.shape[0], dtype=tf.float64)


def off(a):
    return a + 4 * tf.eye(a.shape[0], dtype=tf.float64)


def system(n):
    return (n, n), (n, 2)


def with_moments(x):
    mean, variance = tf.nn.moments(x, 0)
    return (x - mean) / tf.sqrt(variance + 1e-3)


def with_batch_normalization(x, g, b):
    return tf.nn.batch_normalization(x, *tf.nn.moments(x, (0, 1, 2)), b, g, 1e-3)


def repeated(a):
    matrix = (a + tf.transpose(a)) / 2 + tf.reduce_sum(a * a) * tf.eye(
        a.shape[0], dtype=tf.float64
    )
    return tf.reshape(tf.reduce_sum(tf.linalg.eigvalsh(matrix)), (1,))


def repeated_by_hand(a):
    return tf.reshape(tf.linalg.trace(a) + a.shape[0] * tf.reduce_sum(a * a), (1,))


ELEMENTWISE = (*("relu", "gelu", "softmax", "log_softmax"),)
ALGEBRA = {
    "linalg.solve": (system, lambda a, b: tf.linalg.solve(off(a), b)),
    "linalg.cholesky_solve": (
        system,
        lambda a, b: tf.linalg.cholesky_solve(tf.linalg.cholesky(spd(a)), b),
    ),
    "linalg.inv": (square, lambda a: tf.linalg.inv(off(a))),
    "linalg.cholesky": (square, lambda a: tf.linalg.cholesky(spd(a))),
    "linalg.det": (square, lambda a: tf.linalg.det(off(a))[None] / 10),
    "linalg.slogdet": (square, lambda a: tf.linalg.slogdet(spd(a))[1][None]),
    "linalg.eigvalsh": (square, lambda a: tf.linalg.eigvalsh(spd(a))),
    "linalg.svd": (
        lambda n: ((n + 1, n),),
        lambda a: tf.linalg.svd(a, compute_uv=False),
    ),
}
OPERATIONS = (
    *(Case(f"tf.nn.{n}", matrix, getattr(tf.nn, n)) for n in ELEMENTWISE),
    Case("tf.nn.moments", matrix, with_moments, lambda x: standard(x, 0)),
    Case(
        "tf.nn.batch_normalization of tf.nn.moments",
        lambda n: (images(n), (n,), (n,)),
        with_batch_normalization,
        lambda x, g, b: standard(x, (0, 1, 2)) * g + b,
    ),
    Case("reduce_variance", matrix, lambda x: tf.math.reduce_variance(x, 0)),
    Case("l2_normalize", matrix, lambda x: tf.math.l2_normalize(x, -1)),
    Case("reduce_prod", matrix, lambda x: tf.reduce_prod(x, -1)),
    Case("reduce_logsumexp", matrix, lambda x: tf.reduce_logsumexp(x, -1)),
    Case(
        "segment_prod",
        lambda n: ((4,),),
        lambda x: tf.math.unsorted_segment_prod(x, [0, 1, 0, 1], 2),
    ),
    Case("sort", matrix, lambda x: tf.sort(x, -1) ** 2),
    Case(
        "max_pool2d",
        lambda n: ((1, 4, 2, n),),
        lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"),
    ),
    *(Case(f"tf.{n}", shapes, f) for n, (shapes, f) in ALGEBRA.items()),
    Case("sum of eigvalsh, all equal", square, repeated, repeated_by_hand, draw="zero"),
    Case("power", lambda n: ((3, n), (3, n)), tf.pow, draw="positive"),
    Case(
        "betainc in x",
        matrix,
        lambda x: tf.math.betainc(
            tf.constant(2.0, tf.float64), tf.constant(3.0, tf.float64), x / 2
        ),
        draw="positive",
    ),
)
