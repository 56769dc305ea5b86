"""Layers of Keras."""

from functools import cache

import keras
import tensorflow as tf

from .cases import Case

keras.backend.set_floatx("float64")


def standard(x, axes, eps=1e-3):
    """Return (x − mean) / √(variance + ε), the mean not held constant anywhere."""
    centred = x - tf.reduce_mean(x, axes, keepdims=True)
    return centred / tf.sqrt(tf.reduce_mean(centred**2, axes, keepdims=True) + eps)


def layer(name, make, shape, control=None, **call):
    """Return a Keras layer as a case; ``shape`` is that of its input, from n."""

    @cache
    def built(n):
        layer = make()
        layer.build(shape(n))
        return layer, [tf.constant(w.numpy()) for w in layer.non_trainable_variables]

    def shapes(n):
        return [tuple(w.shape) for w in built(n)[0].trainable_variables] + [shape(n)]

    def function(*tensors):
        *weights, x = tensors
        layer, others = built(x.shape[-1])
        return layer.stateless_call(weights, others, x, **call)[0]

    return Case(f"Keras {name}", shapes, function, control)


def rows(n):
    return (4, n)


def images(n):
    return (2, 3, 2, n)


def norm_by_hand(axes):
    return lambda g, b, x: standard(x, axes) * g + b


def group_by_hand(g, b, x):
    n = x.shape[-1]
    return tf.reshape(standard(x, (1, 2)), (2, 3, n)) * g + b


K = keras.layers


class SelfAttention(keras.layers.Layer):
    def build(self, shape):
        self.inner = K.MultiHeadAttention(1, 2)
        self.inner.build(shape, shape)

    def call(self, x):
        return self.inner(x, x)


LAYERS = (
    layer("Dense", lambda: K.Dense(3), rows),
    layer("Conv2D", lambda: K.Conv2D(2, 2), images),
    layer("LayerNormalization", K.LayerNormalization, rows, norm_by_hand(-1)),
    layer(
        "BatchNormalization, training, rows",
        K.BatchNormalization,
        rows,
        norm_by_hand(0),
        training=True,
    ),
    layer(
        "BatchNormalization, training, images",
        K.BatchNormalization,
        images,
        norm_by_hand((0, 1, 2)),
        training=True,
    ),
    layer("BatchNormalization, inference", K.BatchNormalization, rows, training=False),
    layer(
        "GroupNormalization",
        lambda: K.GroupNormalization(1),
        lambda n: (2, 3, n),
        group_by_hand,
    ),
    layer("RMSNormalization", K.RMSNormalization, rows),
    layer(
        "MultiHeadAttention, query and value alike", SelfAttention, lambda n: (1, 3, n)
    ),
    layer("LSTM", lambda: K.LSTM(2, return_sequences=True), lambda n: (1, 3, n)),
    layer("MaxPooling2D", lambda: K.MaxPooling2D((2, 1)), images),
)
