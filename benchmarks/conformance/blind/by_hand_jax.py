"""Mistakes planted by hand in the JAX program.

Each is (kind, description, parameters, edits).
"""

NLL = "return -jnp.mean(jnp.take_along_axis(logp, y[:, None], axis=1))"
SQUARES = "return 0.5 * jnp.mean(jnp.sum(jnp.square(z - y), axis=-1))"
STATISTICS = "mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))"
EPS = 'lax.rsqrt(var + spec["eps"])'
RELU = '"ReLU": lambda spec, x: jax.nn.relu(x),'
PADS = "padding=[(rows, rows), (columns, columns)],"
LOWER = "    lower = jnp.linalg.cholesky(A)"
BACK = 'x = jax.scipy.linalg.solve_triangular(lower, y, lower=True, trans="T")'
OPERATOR = "return H + jnp.diag(lam)"
MEAN = "return numpy.asarray(jnp.mean(self.centre(case)[1] * xs, axis=0))"
SGD = "return theta - alpha * g, None"
ALPHA = 'alpha = outer["step_size"]\n'
INNER = "phi = phi - alpha * self.support_grad(phi)[1]"
LOOP = "for _ in range(120):"
TRIAL = "            trial = phi - step"
NU = "nu = b2 * nu + (1 - b2) * g * g"
ENTRIES = "entries = -jnp.mean(xs * (phi - self.centre(case)[0]), axis=0)"
HVP = "return jax.jvp(lambda p: self.support_grad(p)[1], (phi,), (v,))[1]"
LOSSES = "return jnp.concatenate(losses).mean()"

MISTAKES = [
    (
        "loss",
        "a z-loss, 0.0137 times the mean squared log partition, added",
        {"weight": 0.0137},
        [(NLL, NLL + " + 0.0137 * jnp.mean(jax.nn.logsumexp(z, -1) ** 2)")],
    ),
    (
        "loss",
        "soft targets: labels smoothed by 0.21",
        {"smoothing": 0.21},
        [
            (
                NLL,
                "return 0.79 * -jnp.mean(jnp.take_along_axis(logp, y[:, None], axis=1)) - 0.21 * jnp.mean(logp)",
            )
        ],
    ),
    (
        "loss",
        "root of the mean squared error",
        {},
        [(SQUARES, "return jnp.sqrt(jnp.mean(jnp.square(z - y)))")],
    ),
    (
        "loss",
        "log-cosh in place of the squared error",
        {},
        [(SQUARES, "return jnp.mean(jnp.sum(jnp.log(jnp.cosh(z - y)), axis=-1))")],
    ),
    (
        "loss",
        "logits capped at 2.3, 2.3 tanh(z / 2.3)",
        {"cap": 2.3},
        [
            (NLL, NLL),
            (
                "logp = jax.nn.log_softmax(z, axis=-1)",
                "logp = jax.nn.log_softmax(2.3 * jnp.tanh(z / 2.3), axis=-1)",
            ),
        ],
    ),
    (
        "network",
        "batch norm with ddof 1",
        {"ddof": 1},
        [
            (
                STATISTICS,
                STATISTICS.replace("x.var((0, 1, 2))", "x.var((0, 1, 2), ddof=1)"),
            )
        ],
    ),
    (
        "network",
        "layer norm over channels in place of batch norm",
        {},
        [
            (
                STATISTICS,
                "mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)",
            )
        ],
    ),
    (
        "network",
        "instance norm: the statistics of each image",
        {},
        [
            (
                STATISTICS,
                "mean, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)",
            )
        ],
    ),
    (
        "network",
        "γ of batch norm counted as 1 + γ",
        {"offset": 1},
        [("return scaled * gamma + beta", "return scaled * (1 + gamma) + beta")],
    ),
    (
        "network",
        "convolutions padded as SAME whatever the layer says",
        {},
        [(PADS, 'padding="SAME",')],
    ),
    (
        "network",
        "SiLU in place of ReLU",
        {},
        [(RELU, '"ReLU": lambda spec, x: jax.nn.silu(x),')],
    ),
    (
        "network",
        "ReLU capped at 0.9",
        {"cap": 0.9},
        [(RELU, '"ReLU": lambda spec, x: jnp.clip(x, 0.0, 0.9),')],
    ),
    (
        "derivative",
        "H v by a forward difference of the gradient, step 2.7e-5",
        {"step": 2.7e-5},
        [
            (
                HVP,
                "g = self.support_grad\n        return (g(phi + 2.7e-5 * v)[1] - g(phi)[1]) / 2.7e-5",
            )
        ],
    ),
    (
        "solver",
        "jitter of 2.9e-4 on the diagonal before Cholesky",
        {"jitter": 2.9e-4},
        [(LOWER, "    lower = jnp.linalg.cholesky(A + 2.9e-4 * jnp.eye(len(A)))")],
    ),
    (
        "solver",
        "the second triangular solve not transposed",
        {},
        [(BACK, "x = jax.scipy.linalg.solve_triangular(lower, y, lower=True)")],
    ),
    (
        "operator",
        "the diagonal of H + Λ times 1.013 (Marquardt)",
        {"factor": 1.013},
        [
            (
                OPERATOR,
                "A = H + jnp.diag(lam)\n        return A + 0.013 * A * jnp.eye(len(lam))",
            )
        ],
    ),
    (
        "operator",
        "only the diagonal of H",
        {},
        [(OPERATOR, "return H * jnp.eye(len(lam)) + jnp.diag(lam)")],
    ),
    (
        "λ",
        "λ taken as its logarithm's exponent plus softplus: log(1 + exp λ)",
        {},
        [
            (
                "return theta, jnp.broadcast_to(jnp.asarray(case.lam), theta.shape)",
                "return theta, jnp.broadcast_to(jnp.logaddexp(jnp.asarray(case.lam), 0.0), theta.shape)",
            )
        ],
    ),
    (
        "inner",
        "4 iterations of Levenberg-Marquardt",
        {"iterations": 4},
        [(LOOP, "for _ in range(4):")],
    ),
    (
        "inner",
        "9 gradient steps of 0.21, no Newton",
        {"steps": 9, "step_size": 0.21},
        [
            (LOOP, "for _ in range(9):"),
            (TRIAL, "            phi = phi - 0.21 * pull\n            continue"),
        ],
    ),
    (
        "reduction",
        "tasks weighted by the softmax of their meta-gradients' norms",
        {"temperature": 1.0},
        [
            (
                MEAN,
                "gs = self.centre(case)[1] * xs\n        w = jax.nn.softmax(jnp.linalg.norm(gs, axis=1))\n        return numpy.asarray(w @ gs)",
            )
        ],
    ),
    (
        "reduction",
        "meta-gradients of tasks clipped to norm 0.37 before the mean",
        {"limit": 0.37},
        [
            (
                MEAN,
                "gs = self.centre(case)[1] * xs\n        n = jnp.linalg.norm(gs, axis=1, keepdims=True)\n        return numpy.asarray(jnp.mean(gs * jnp.minimum(1, 0.37 / n), axis=0))",
            )
        ],
    ),
    (
        "outer",
        "steps with the sign of the meta-gradient",
        {},
        [(SGD, "return theta - alpha * numpy.sign(g), None")],
    ),
    (
        "outer",
        "an L2 penalty in the step, g + 0.021 θ",
        {"decay": 0.021},
        [(ALPHA, ALPHA + "        g = g + 0.021 * theta\n")],
    ),
    (
        "outer",
        "AdaBelief: the second moment of g − m",
        {},
        [(NU, "nu = b2 * nu + (1 - b2) * (g - mu) ** 2")],
    ),
    (
        "outer",
        "SGD's step size on a cosine over 17 steps",
        {"steps": 17},
        [
            (
                SGD,
                "k = state or 0\n            return theta - alpha * 0.5 * (1 + numpy.cos(numpy.pi * k / 17)) * g, k + 1",
            )
        ],
    ),
    (
        "outer",
        "the meta-gradient normalised to length 0.29",
        {"length": 0.29},
        [(ALPHA, ALPHA + "        g = 0.29 * g / numpy.linalg.norm(g)\n")],
    ),
    (
        "dλ",
        "dF/dλ times λ: the derivative in log λ",
        {},
        [(ENTRIES, ENTRIES + " * self.centre(case)[1]")],
    ),
    (
        "unrolled",
        "first-order: stop_gradient on the inner gradient",
        {},
        [
            (
                INNER,
                "phi = phi - alpha * jax.lax.stop_gradient(self.support_grad(phi)[1])",
            )
        ],
    ),
    (
        "unrolled",
        "the sum over tasks",
        {},
        [(LOSSES, "return jnp.concatenate(losses).sum()")],
    ),
    (
        "pair",
        "momentum of 0.3 and L2 penalty of 0.013 in SGD",
        {"momentum": 0.3, "decay": 0.013},
        [
            (
                SGD,
                "g = g + 0.013 * theta\n            state = g if state is None else 0.3 * state + g\n            return theta - alpha * state, state",
            )
        ],
    ),
]
