#!/bin/sh
# Through Keras' normalisation layers three routes to H v agree with one another, and are wrong.
#
# Guess: if reverse over reverse, forward over reverse and reverse over forward give the same digits, they are right.
# Seen, TensorFlow 2.21.0 with Keras 3.15.1, float64, relative errors against differences of the gradient (itself exact to 1e-12):
#
#                         grad(grad)   jvp(grad)   grad(jvp)
#     BatchNormalization     5.9e-01     5.9e-01     5.9e-01   among them 9e-16
#     LayerNormalization     1.3e+00     1.3e+00     1.3e+00   among them 9e-16
#     tf.nn.moments          5.9e-01     5.9e-01     5.9e-01   among them 4e-16
#     moments by hand        3.7e-13     3.7e-13     3.7e-13   among them 7e-16
#
# tf.nn.moments holds the mean constant in the variance: the first derivative in it is zero there, the second is not.
# Instead: mean((z - mean(z))**2). A check of second derivatives compares with differences of first ones.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0 keras==3.15.1
"$folder/venv/bin/python" - <<'EOF'
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
x, y, W, V = (tf.constant(rng.normal(size=s)) for s in ((6, 4), (6, 3), (4, 3), (4, 3)))


def reverse(function):
    with tf.GradientTape() as tape:
        tape.watch(W)
        value = function(W)
    return tape.gradient(value, W)


def forward(function):
    with tf.autodiff.ForwardAccumulator(W, V) as accumulator:
        value = function(W)
    return accumulator.jvp(value)


def slope(function):
    at = {k: function(W + 1e-3 * k * V) for k in (-3, -2, -1, 1, 2, 3)}
    return (45 * (at[1] - at[-1]) - 9 * (at[2] - at[-2]) + at[3] - at[-3]) / 0.06


def error(got, true):
    return float(tf.norm(got - true) / tf.norm(true))


def errors(name, norm):
    def loss(W):
        return tf.reduce_mean((norm(x @ W) - y) ** 2)

    def gradient(W):
        with tf.GradientTape() as tape:
            tape.watch(W)
            value = loss(W)
        return tape.gradient(value, W)

    assert error(tf.reduce_sum(gradient(W) * V), slope(loss)) < 1e-8
    routes = (
        reverse(lambda W: tf.reduce_sum(gradient(W) * V)),
        forward(gradient),
        reverse(lambda _: forward(loss)),
    )
    found = [error(hv, slope(gradient)) for hv in routes]
    agree = max(error(hv, routes[0]) for hv in routes)
    print(f"{name:20}" + "".join(f"{e:12.1e}" for e in found) + f"   among them {agree:.0e}")
    assert agree < 1e-8
    return min(found), max(found)


def with_moments(z):
    mean, variance = tf.nn.moments(z, 0)
    return (z - mean) / tf.sqrt(variance + 1e-3)


def by_hand(z):
    centred = z - tf.reduce_mean(z, 0)
    return centred / tf.sqrt(tf.reduce_mean(centred**2, 0) + 1e-3)


batch_norm = keras.layers.BatchNormalization(dtype="float64")
layer_norm = keras.layers.LayerNormalization(dtype="float64")
print(" " * 20 + "".join(f"{name:>12}" for name in ("grad(grad)", "jvp(grad)", "grad(jvp)")))
assert errors("BatchNormalization", lambda z: batch_norm(z, training=True))[0] > 0.01
assert errors("LayerNormalization", layer_norm)[0] > 0.01
assert errors("tf.nn.moments", with_moments)[0] > 0.01
assert errors("moments by hand", by_hand)[1] < 1e-8
EOF
