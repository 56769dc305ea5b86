#!/bin/sh
# SGD, Adam, RMSprop, NAdam and AMSGrad with the same settings are other optimisers in PyTorch, in Optax and in Keras.
#
# Guess: with rate, decay and eps given, a name stands for one formula; a port that reaches the same loss on a toy has kept it.
# Seen, PyTorch 2.13.0, Optax 0.2.8, Keras 3.15.1 (on JAX), float64, where one weight is after a few steps:
#
#                                                  torch     optax     keras
#     SGD, momentum 0.5, rate 1, then 0.1        -1.0500   -1.0500   -1.5000   rate times velocity, or rates within it
#     Adam, rate 0.1, weight_decay 0.5            0.9000              0.8500   a part of the gradient, or AdamW
#     Adam, eps 1e-8, gradient 1e-9              -0.0909   -0.0909   -0.0032   eps beside the corrected root, or the raw one
#     RMSprop, eps 1e-8, gradient 1e-5           -3.1523   -0.1000   -0.1000   eps beside the root, or in it
#     NAdam, one step                            -1.0565   -1.4737   -1.0628   three schedules of momentum
#     AMSGrad, gradient 1, then 0.1, ten steps   -5.9064   -3.3278   -5.9064   maximum before correction, or after it
#
# Meta-gradients are small, and rates are scheduled. Instead: give the formula; test a port with a gradient of 1e-9 and a changing rate.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 optax==0.2.8 jax==0.10.2 keras==3.15.1 numpy==2.4.6
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'EOF'
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch

keras.backend.set_floatx("float64")


def in_torch(make, gradients, rates, start):
    w = torch.tensor([start], dtype=torch.float64, requires_grad=True)
    optimizer = make([w])
    for g, rate in zip(gradients, rates):
        optimizer.param_groups[0]["lr"] = rate
        w.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
    return w.item()


def in_optax(make, gradients, rates, start):
    w = jnp.array([start])
    optimizer = make(lambda k: jnp.array(rates)[k])
    state = optimizer.init(w)
    for g in gradients:
        update, state = optimizer.update(jnp.array([g]), state, w)
        w = optax.apply_updates(w, update)
    return w.item()


def in_keras(make, gradients, rates, start):
    w = keras.Variable(np.array([start]), dtype="float64")
    optimizer = make()
    optimizer.build([w])
    for g, rate in zip(gradients, rates):
        optimizer.learning_rate = rate
        optimizer.apply([jnp.array([g])])
    return float(np.asarray(w.value)[0])


WAYS = {torch: in_torch, optax: in_optax, keras: in_keras}


def look(name, gradients, rates, start, makes, seen):
    found = {library: WAYS[library](make, gradients, rates, start) for library, make in makes.items()}
    columns = (f"{found[library]:10.4f}" if library in found else " " * 10 for library in WAYS)
    print(f"{name:40}" + "".join(columns))
    np.testing.assert_allclose(list(found.values()), seen, rtol=1e-3)


print(" " * 40 + "".join(f"{library.__name__:>10}" for library in WAYS))
t, k = torch.optim, keras.optimizers
look(
    "SGD, momentum 0.5, rate 1, then 0.1", [1.0, 0.0], [1.0, 0.1], 0.0,
    {
        torch: lambda w: t.SGD(w, momentum=0.5),
        optax: lambda rate: optax.sgd(rate, momentum=0.5),
        keras: lambda: k.SGD(momentum=0.5),
    },
    [-1.05, -1.05, -1.5],
)
look(
    "Adam, rate 0.1, weight_decay 0.5", [1.0], [0.1], 1.0,
    {
        torch: lambda w: t.Adam(w, weight_decay=0.5),
        keras: lambda: k.Adam(weight_decay=0.5),
    },
    [0.9, 0.85],
)
look(
    "Adam, eps 1e-8, gradient 1e-9", [1e-9], [1.0], 0.0,
    {
        torch: lambda w: t.Adam(w, eps=1e-8),
        optax: lambda rate: optax.adam(rate, eps=1e-8),
        keras: lambda: k.Adam(epsilon=1e-8),
    },
    [-1 / 11, -1 / 11, -0.0031523],
)
look(
    "RMSprop, eps 1e-8, gradient 1e-5", [1e-5], [1.0], 0.0,
    {
        torch: lambda w: t.RMSprop(w, alpha=0.9, eps=1e-8),
        optax: lambda rate: optax.rmsprop(rate, decay=0.9, eps=1e-8),
        keras: lambda: k.RMSprop(rho=0.9, epsilon=1e-8),
    },
    [-3.1523, -0.09995, -0.09995],
)
look(
    "NAdam, one step", [1.0], [1.0], 0.0,
    {torch: t.NAdam, optax: optax.nadam, keras: k.Nadam},
    [-1.0565, -1.4737, -1.0628],
)
look(
    "AMSGrad, gradient 1, then 0.1, ten steps", [1.0] + [0.1] * 9, [1.0] * 10, 0.0,
    {
        torch: lambda w: t.Adam(w, amsgrad=True),
        optax: optax.amsgrad,
        keras: lambda: k.Adam(amsgrad=True),
    },
    [-5.9064, -3.3278, -5.9064],
)
EOF
