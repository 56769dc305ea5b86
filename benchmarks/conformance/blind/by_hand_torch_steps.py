"""Mistakes planted by hand in the PyTorch program: from the solver to the outer steps.

Each is (kind, description, parameters, edits).
"""

RESTARTS, LENGTH = "for _ in range(3):", "krylov(product, r, 2 * len(b))"
STOP = "stop = 1e-30 * rho"
SOLVE = "xs.append(conjugate_gradients(operator, task.query_grad(p)))"
MEAN = "return (lam * xs).mean(dim=0).numpy()"
DAMPED = "    return lambda v: hvp(v) + lam * v"
PULL = "pull = task.grad(phi) + lam * (phi - theta)"
SIZE = "if size <= 1e-14 * (1.0 + phi.norm()):"
SGD = 'return (theta - outer["step_size"] * g).numpy(), state'
GRADIENT = "g = tensor(self.meta_grad(case.at(theta)))"
SECOND = 's = outer["beta2"] * s + (1 - outer["beta2"]) * g**2'
S_HAT = 's_hat = s / (1 - outer["beta2"] ** k)'
M_HAT = 'm_hat = m / (1 - outer["beta1"] ** k)'
STEP = '* m_hat / (s_hat.sqrt() + outer["eps"])'
ENTRIES = "entries = -(xs * (phi - theta)).mean(dim=0)"
INNER = "found = [solve_inner(task, theta, lam) for task in self.tasks(case)]"
SWEEP, DESCENT = "for _ in range(steps):", "phi = phi - alpha * g"
CURVATURE = "        alpha = rho / curvature"
LAM = "return theta, tensor(case.lam).expand(len(theta)).clone()"

SOLVERS = [
    (
        "solver",
        "conjugate gradients stop after 7 steps",
        {"steps": 7},
        [(RESTARTS, "for _ in range(1):"), (LENGTH, "krylov(product, r, 7)")],
    ),
    (
        "solver",
        "conjugate gradients stop at a relative residual of 2.3e-3",
        {"rtol": 2.3e-3},
        [(RESTARTS, "for _ in range(1):"), (STOP, "stop = 2.3e-3**2 * rho")],
    ),
    (
        "solver",
        "an absolute tolerance of 1e-4 in conjugate gradients",
        {"atol": 1e-4},
        [(RESTARTS, "for _ in range(1):"), (STOP, "stop = 1e-8")],
    ),
    (
        "solver",
        "1e-3 added to the curvature against division by zero",
        {"guard": 1e-3},
        [
            (RESTARTS, "for _ in range(1):"),
            (CURVATURE, CURVATURE[:-9] + "(curvature + 1e-3)"),
        ],
    ),
    (
        "solver",
        "steepest descent: the direction is the residual, 11 steps",
        {"steps": 11},
        [
            (RESTARTS, "for _ in range(1):"),
            (LENGTH, "krylov(product, r, 11)"),
            ("p = r + rho / before * p", "p = r"),
        ],
    ),
    (
        "solver",
        "5 steps of conjugate gradients for the meta-gradient alone",
        {"steps": 5},
        [(SOLVE, "xs.append(krylov(operator, task.query_grad(p), 5))")],
    ),
    (
        "solver",
        "a Neumann series of 6 terms with step 0.31",
        {"terms": 6, "step": 0.31},
        [
            (
                SOLVE,
                "term = task.query_grad(p)\n            x = 0.31 * term\n"
                "            for _ in range(5):\n"
                "                term = term - 0.31 * operator(term)\n"
                "                x = x + 0.31 * term\n            xs.append(x)",
            )
        ],
    ),
]

META = [
    (
        "operator",
        "damping of 0.0371 left in the operator",
        {"damping": 0.0371},
        [(DAMPED, "    return lambda v: hvp(v) + (lam + 0.0371) * v")],
    ),
    (
        "operator",
        "Gauss-Newton in place of the Hessian in the operator",
        {},
        [(DAMPED, "    return lambda v: task.gnvp(phi, v) + lam * v")],
    ),
    (
        "operator",
        "the Hessian taken at θ",
        {},
        [("damped(task, p, lam)", "damped(task, theta, lam)")],
    ),
    (
        "operator",
        "the Hessian counted 1.15 times",
        {"factor": 1.15},
        [(DAMPED, "    return lambda v: 1.15 * hvp(v) + lam * v")],
    ),
    (
        "right-hand side",
        "the support gradient in place of the query gradient",
        {},
        [("task.query_grad(p)))", "task.grad(p)))")],
    ),
    (
        "right-hand side",
        "the query gradient taken at θ",
        {},
        [("task.query_grad(p)))", "task.query_grad(theta)))")],
    ),
    (
        "right-hand side",
        "the query gradient scaled to norm 0.85 where it is longer, task by task",
        {"limit": 0.85},
        [
            (
                SOLVE,
                "q = task.query_grad(p)\n            q = q * min(1, 0.85 / q.norm())\n"
                "            xs.append(conjugate_gradients(operator, q))",
            )
        ],
    ),
    ("result", "Λ forgotten", {}, [(MEAN, "return xs.mean(dim=0).numpy()")]),
    (
        "result",
        "a λ for each parameter: multiplied by its mean",
        {},
        [(MEAN, "return (lam.mean() * xs).mean(dim=0).numpy()")],
    ),
    (
        "result",
        "the Jacobian in place of its transpose, (H + Λ)⁻¹ Λ v",
        {},
        [
            (MEAN, "return xs.mean(dim=0).numpy()"),
            ("operator, task.query_grad(p)))", "operator, lam * task.query_grad(p)))"),
        ],
    ),
    (
        "result",
        "an L2 penalty of the outer loss, 0.0057 θ added",
        {"decay": 0.0057},
        [
            (
                MEAN,
                "return ((lam * xs).mean(dim=0) + 0.0057 * tensor(case.theta)).numpy()",
            )
        ],
    ),
    (
        "result",
        "first-order: the query gradient itself",
        {},
        [(SOLVE, "xs.append(task.query_grad(p) / lam)")],
    ),
    (
        "result",
        "Reptile: θ − φ in place of the meta-gradient",
        {},
        [
            (
                "        xs, _ = self.adjoints(case, phi)\n        return (lam * xs)",
                "        theta, _ = self.centre(case)\n"
                "        _, phi = self.adjoints(case, phi)\n"
                "        xs = (theta - phi) / lam\n        return (lam * xs)",
            )
        ],
    ),
    (
        "precision",
        "the solutions of the system rounded to float32",
        {},
        [
            (
                "return torch.stack(xs), phi",
                "return torch.stack(xs).float().double(), phi",
            )
        ],
    ),
    (
        "reduction",
        "summed over tasks",
        {},
        [(MEAN, "return (lam * xs).sum(dim=0).numpy()")],
    ),
    (
        "reduction",
        "divided by one task too many",
        {"extra": 1},
        [(MEAN, "return ((lam * xs).sum(dim=0) / (len(xs) + 1)).numpy()")],
    ),
    (
        "reduction",
        "the median over tasks (the lower of two) in place of the mean",
        {},
        [(MEAN, "return (lam * xs).median(dim=0).values.numpy()")],
    ),
    (
        "λ",
        "λ clamped from below at 0.35",
        {"lowest": 0.35},
        [(LAM, LAM + ".clamp(min=0.35)")],
    ),
]

INNERS = [
    (
        "inner",
        "15 steps of gradient descent of 0.13",
        {"steps": 15, "step_size": 0.13},
        [
            ("for _ in range(200):", "for _ in range(15):"),
            (PULL, PULL + "\n        phi = phi - 0.13 * pull\n        continue"),
        ],
    ),
    (
        "inner",
        "stops when a Newton step is shorter than 3e-2",
        {"tolerance": 3e-2},
        [(SIZE, "if size <= 3e-2:")],
    ),
    (
        "inner",
        "2 Newton steps",
        {"steps": 2},
        [("for _ in range(200):", "for _ in range(2):")],
    ),
    (
        "inner",
        "the proximal term λ ‖φ − θ‖² without the ½, in the inner problem alone",
        {"factor": 2},
        [("    phi = theta.clone()", "    phi, lam = theta.clone(), 2 * lam")],
    ),
    (
        "inner",
        "each task is pulled to the solution of the task before it, not to θ",
        {},
        [
            (
                INNER,
                "found = [theta]\n        for task in self.tasks(case):\n"
                "            found.append(solve_inner(task, found[-1], lam))\n"
                "        del found[0]",
            )
        ],
    ),
    (
        "inner",
        "the inner problem solved without the proximal term in its first 3 parameters",
        {"count": 3},
        [
            (
                "    phi = theta.clone()",
                "    phi, lam = theta.clone(), lam.clone()\n    lam[:3] = 1e-3",
            )
        ],
    ),
]

OUTERS = [
    (
        "outer",
        "heavy-ball momentum of 0.37 in SGD",
        {"momentum": 0.37},
        [
            (
                SGD,
                "state = g if state is None else 0.37 * state + g\n            "
                'return (theta - outer["step_size"] * state).numpy(), state',
            )
        ],
    ),
    (
        "outer",
        "Nesterov momentum of 0.52 in SGD",
        {"momentum": 0.52},
        [
            (
                SGD,
                "state = g if state is None else 0.52 * state + g\n            "
                "g = g + 0.52 * state\n            " + SGD,
            )
        ],
    ),
    (
        "outer",
        "meta-gradient clipped to norm 0.61",
        {"limit": 0.61},
        [(GRADIENT, GRADIENT + "\n        g = g * min(1.0, 0.61 / float(g.norm()))")],
    ),
    (
        "outer",
        "entries of the meta-gradient clipped to ±0.043",
        {"limit": 0.043},
        [(GRADIENT, GRADIENT + "\n        g = g.clamp(-0.043, 0.043)")],
    ),
    (
        "outer",
        "decoupled weight decay of 0.0123 in SGD",
        {"decay": 0.0123},
        [
            (
                SGD,
                'theta = theta * (1 - 0.0123 * outer["step_size"])\n            ' + SGD,
            )
        ],
    ),
    ("outer", "SGD climbs", {}, [(SGD, SGD.replace("theta -", "theta +"))]),
    (
        "outer",
        "Adam without bias correction",
        {},
        [(M_HAT, "m_hat = m"), (S_HAT, "s_hat = s")],
    ),
    (
        "outer",
        "Adam's ε inside the root",
        {},
        [(STEP, '* m_hat / (s_hat + outer["eps"]).sqrt()')],
    ),
    (
        "outer",
        "Adam's ε added before the correction of s",
        {},
        [
            (
                STEP,
                '* m_hat / (s.sqrt() + outer["eps"]) * (1 - outer["beta2"] ** k) ** 0.5',
            )
        ],
    ),
    (
        "outer",
        "Adam corrects with k + 1",
        {"offset": 1},
        [
            (M_HAT, 'm_hat = m / (1 - outer["beta1"] ** (k + 1))'),
            (S_HAT, 's_hat = s / (1 - outer["beta2"] ** (k + 1))'),
        ],
    ),
    (
        "outer",
        "Adam with β₁ = 0.83 whatever is asked",
        {"beta1": 0.83},
        [
            (SECOND, "outer = dict(outer, beta1=0.83)\n        " + SECOND),
            (
                'm = outer["beta1"] * m + (1 - outer["beta1"]) * g',
                "m = 0.83 * m + 0.17 * g",
            ),
        ],
    ),
    (
        "outer",
        "AMSGrad in place of Adam",
        {},
        [
            (
                S_HAT,
                "s_hat = s = torch.maximum(s, state[2]) if state else s\n        "
                's_hat = s / (1 - outer["beta2"] ** k)',
            )
        ],
    ),
    (
        "outer",
        "SGD's step size falls by 0.93 with every step",
        {"factor": 0.93},
        [
            (
                SGD,
                "state = 1.0 if state is None else 0.93 * state\n            "
                'return (theta - state * outer["step_size"] * g).numpy(), state',
            )
        ],
    ),
]

LAMBDAS = [
    ("dλ", "dF/dλ with the other sign", {}, [(ENTRIES, ENTRIES.replace("-(", "(", 1))]),
    (
        "dλ",
        "dF/dλ of a number: the mean over parameters in place of the sum",
        {},
        [("else entries.sum())", "else entries.mean())")],
    ),
    (
        "dλ",
        "dF/dλ with a term ½ (φ − θ)² added",
        {"factor": 0.5},
        [(ENTRIES, ENTRIES + " + 0.5 * ((phi - theta) ** 2).mean(dim=0)")],
    ),
]

UNROLLED = [
    (
        "unrolled",
        "first-order: inner gradients are constants",
        {},
        [(DESCENT, "phi = phi - alpha * g.detach()")],
    ),
    (
        "unrolled",
        "a step too few",
        {"offset": -1},
        [(SWEEP, "for _ in range(steps - 1):")],
    ),
    (
        "unrolled",
        "proximal term in the inner steps",
        {},
        [(DESCENT, "phi = phi - alpha * (g + self.centre(case)[1] * (phi - theta))")],
    ),
    (
        "unrolled",
        "the inner step size falls by 0.87 with every step",
        {"factor": 0.87},
        [
            (SWEEP, "for k in range(steps):"),
            (DESCENT, "phi = phi - alpha * 0.87**k * g"),
        ],
    ),
    (
        "unrolled",
        "inner gradients clipped to norm 0.45, the factor a constant",
        {"limit": 0.45},
        [(DESCENT, "phi = phi - alpha * g * min(1.0, 0.45 / float(g.norm()))")],
    ),
    (
        "unrolled",
        "inner gradients of the last 2 steps only are differentiated",
        {"window": 2},
        [
            (SWEEP, "for k in range(steps):"),
            (DESCENT, "phi = phi - alpha * (g if k >= steps - 2 else g.detach())"),
        ],
    ),
]

PAIRS = [
    (
        "pair",
        "damping of 0.011 in the operator, and gradients clipped to norm 1.3 outside",
        {"damping": 0.011, "limit": 1.3},
        [
            (DAMPED, "    return lambda v: hvp(v) + (lam + 0.011) * v"),
            (GRADIENT, GRADIENT + "\n        g = g * min(1.0, 1.3 / float(g.norm()))"),
        ],
    ),
    (
        "pair",
        "Λ forgotten, and summed over tasks",
        {},
        [(MEAN, "return xs.sum(dim=0).numpy()")],
    ),
    (
        "pair",
        "Adam without bias correction, and its ε 1e-8",
        {"eps": 1e-8},
        [
            (M_HAT, "m_hat = m"),
            (S_HAT, "s_hat = s"),
            (STEP, "* m_hat / (s_hat.sqrt() + 1e-8)"),
        ],
    ),
    (
        "pair",
        "squared error without the ½, and dF/dλ with the other sign",
        {"factor": 2},
        [
            (
                "return (0.5 * ((z - y) ** 2).sum(dim=1)).mean()",
                "return ((z - y) ** 2).sum(dim=1).mean()",
            ),
            (ENTRIES, ENTRIES.replace("-(", "(", 1)),
        ],
    ),
]
