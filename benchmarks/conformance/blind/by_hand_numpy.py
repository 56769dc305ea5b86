"""Mistakes planted by hand in the NumPy program, most in passes written by hand.

Each is (kind, description, parameters, edits).
"""

BATCH_NORM = "x_bar = self.inverse * (hat_bar - mean - self.hat * along)"
TAKE_SOFTMAX = "hot = np.eye(z.shape[1])[y]"
LOG = "return -np.log((softmax * hot).sum(axis=1)).mean(), (softmax - hot) / len(z)"
HVP = "return self.grad(phi + 1j * STEP * v).imag / STEP"
STOP = "if np.linalg.norm(r) <= rtol * np.linalg.norm(b):"
OPERATOR = "return task.hvp(phi, p) + lam * p"
RIGHT = 'xs.append(preconditioned_cg(operator, task.grad(phi, "query"), lam))'
MEAN = "return (lam * xs).mean(axis=0)"
SGD = 'return theta - outer["step_size"] * g, None'
ADAM = 'step = m / (1 - b1**k) / (np.sqrt(s / (1 - b2**k)) + outer["eps"])'
STATE = "k, m, s = state or (1, np.zeros_like(g), np.zeros_like(g))"
BACKWARDS = "bar = bar - alpha * task.hvp(phi, bar)"

MISTAKES = [
    (
        "network",
        "batch norm's backward without the term through the variance",
        {},
        [(BATCH_NORM, "x_bar = self.inverse * (hat_bar - mean)")],
    ),
    (
        "network",
        "batch norm's backward without the term through the mean",
        {},
        [(BATCH_NORM, "x_bar = self.inverse * (hat_bar - self.hat * along)")],
    ),
    (
        "network",
        "the gradient of linear biases averaged over examples",
        {},
        [
            (
                "y_bar @ self.W.T, self.x.T @ y_bar, y_bar.sum(axis=0)",
                "y_bar @ self.W.T, self.x.T @ y_bar, y_bar.mean(axis=0)",
            )
        ],
    ),
    (
        "network",
        "the gradient of convolutions' biases summed over examples, averaged over pixels",
        {},
        [
            (
                "bias = [y_bar.sum(axis=(0, 1, 2))]",
                "bias = [y_bar.sum(axis=0).mean(axis=(0, 1))]",
            )
        ],
    ),
    (
        "network",
        "ReLU with slope 1 at zero",
        {"slope": 1},
        [
            (
                "y, self.slope = x * positive, positive",
                "y, self.slope = x * positive, x.real >= 0",
            )
        ],
    ),
    (
        "network",
        "softplus is x above 1.9",
        {"threshold": 1.9},
        [
            (
                "self.slope = np.where(positive, 1 / (1 + e), e / (1 + e))",
                "self.slope = np.where(positive, 1 / (1 + e), e / (1 + e))\n"
                "            y = np.where(x.real > 1.9, x, y)\n"
                "            self.slope = np.where(x.real > 1.9, 1, self.slope)",
            )
        ],
    ),
    (
        "network",
        "ELU's slope without α",
        {},
        [
            (
                "self.slope = np.where(positive, 1, e)",
                "self.slope = np.where(positive, 1, e / self.alpha)",
            )
        ],
    ),
    (
        "network",
        "the derivative of a convolution in its input shifted by the padding",
        {},
        [
            (
                "padded_bar[:, ph : h - ph, pw : w - pw]",
                "padded_bar[:, : h - 2 * ph, : w - 2 * pw]",
            )
        ],
    ),
    (
        "network",
        "gradients inside tanh by the wrong formula, 1 − y in place of 1 − y²",
        {},
        [("self.slope = 1 - y**2", "self.slope = 1 - y")],
    ),
    (
        "loss",
        "the logarithm guarded, log(p + 0.0031), in the value alone",
        {"guard": 0.0031},
        [
            (
                "-np.log((softmax * hot).sum(axis=1)).mean()",
                "-np.log((softmax * hot).sum(axis=1) + 0.0031).mean()",
            )
        ],
    ),
    (
        "loss",
        "gradients in the logits clipped to ±0.11",
        {"limit": 0.11},
        [
            ("(softmax - hot) / len(z)", "clipped((softmax - hot) / len(z))"),
            (
                "def squared_error(z, y):",
                "def clipped(g):\n    return np.where(abs(g.real) > 0.11, np.sign(g.real) * 0.11, g)\n\n\ndef squared_error(z, y):",
            ),
        ],
    ),
    (
        "derivative",
        "H v by a forward difference of the gradient, step 1.7e-4",
        {"step": 1.7e-4},
        [(HVP, "return (self.grad(phi + 1.7e-4 * v) - self.grad(phi)) / 1.7e-4")],
    ),
    (
        "derivative",
        "H v with a real step of 1 along v / ‖v‖ (a long difference)",
        {"step": 1.0},
        [
            (
                HVP,
                "n = np.linalg.norm(v)\n        return n * (self.grad(phi + v / n) - self.grad(phi))",
            )
        ],
    ),
    (
        "solver",
        "conjugate gradients stop at a relative residual of 0.0047",
        {"rtol": 0.0047},
        [(STOP, "if np.linalg.norm(r) <= 0.0047 * np.linalg.norm(b):")],
    ),
    (
        "solver",
        "4 steps of conjugate gradients",
        {"steps": 4},
        [
            (
                "for _ in range(3):\n        r = b - product(x)",
                "for _ in range(1):\n        r = b - product(x)",
            ),
            ("for _ in range(2 * len(b)):", "for _ in range(4):"),
        ],
    ),
    (
        "right-hand side",
        "Λ applied twice: the preconditioner on the right-hand side too, none on the left",
        {},
        [
            (
                RIGHT,
                'xs.append(preconditioned_cg(operator, task.grad(phi, "query") / lam, lam))',
            )
        ],
    ),
    (
        "operator",
        "damping relative to λ, 1.08 Λ",
        {"factor": 1.08},
        [(OPERATOR, "return task.hvp(phi, p) + 1.08 * lam * p")],
    ),
    (
        "result",
        "a tenth of the query gradient mixed in",
        {"share": 0.1},
        [
            (
                RIGHT,
                RIGHT
                + '\n            xs[-1] = 0.9 * xs[-1] + 0.1 * task.grad(phi, "query") / lam',
            )
        ],
    ),
    (
        "outer",
        "PyTorch's momentum of 0.45 with dampening 0.4",
        {"momentum": 0.45, "dampening": 0.4},
        [
            (
                SGD,
                'state = g if state is None else 0.45 * state + 0.6 * g\n            return theta - outer["step_size"] * state, state',
            )
        ],
    ),
    (
        "outer",
        "RMSprop in place of Adam: no first moment",
        {},
        [(ADAM, 'step = g / (np.sqrt(s) + outer["eps"])')],
    ),
    (
        "outer",
        "warm-up of SGD's step size over 6 steps",
        {"steps": 6},
        [
            (
                SGD,
                'k = 1 if state is None else state + 1\n            return theta - min(1, k / 6) * outer["step_size"] * g, k',
            )
        ],
    ),
    (
        "outer",
        "Adam starts to count at 0 after the first step: k is never increased",
        {},
        [
            (
                'theta - outer["step_size"] * step, (k + 1, m, s)',
                'theta - outer["step_size"] * step, (k, m, s)',
            )
        ],
    ),
    (
        "unrolled",
        "the wrong sign of the second-order term",
        {},
        [(BACKWARDS, "bar = bar + alpha * task.hvp(phi, bar)")],
    ),
    (
        "unrolled",
        "the Hessian at the iterate after the step",
        {},
        [("for phi in reversed(path[:-1]):", "for phi in reversed(path[1:]):")],
    ),
    (
        "pair",
        "1.05 Λ in the operator, and momentum of 0.25",
        {"factor": 1.05, "momentum": 0.25},
        [
            (OPERATOR, "return task.hvp(phi, p) + 1.05 * lam * p"),
            (
                SGD,
                'state = g if state is None else 0.25 * state + g\n            return theta - outer["step_size"] * state, state',
            ),
        ],
    ),
]
