"""Mistakes planted by hand in the PyTorch program: losses, networks, derivatives.

Each is (kind, description, parameters, edits).
"""

LOG_SOFTMAX = "return (torch.logsumexp(z, dim=1) - picked).mean()"
SQUARES = "return (0.5 * ((z - y) ** 2).sum(dim=1)).mean()"
PICKED = "    picked = z.gather(1, y[:, None]).squeeze(1)"
VARIANCE = "    var = ((x - mean) ** 2).mean(dim=(0, 1, 2))"
ROOT = 'torch.sqrt(var + layer["eps"])'
SOFTPLUS = "return torch.logaddexp(x, torch.zeros_like(x))"
SUPPORT = """        x, y = self.support
        return self.criterion(forward(self.network, phi, x), y)"""
QUERY = """        x, y = self.query
        return self.criterion(forward(self.network, phi, x), y)"""
PRODUCT = "return lambda v: torch.autograd.grad(g, phi, v, retain_graph=True)[0]"
CURVED = "(curved,) = torch.autograd.grad((z_bar * z_dot.detach()).sum(), z)"
IMAGE = "        x.permute(0, 3, 1, 2),"
PADDING = '        padding=tuple(layer["padding"]),'

LOSSES = [
    (
        "loss",
        "labels smoothed by 0.083 in the cross-entropy",
        {"smoothing": 0.083},
        [
            (
                LOG_SOFTMAX,
                "target = 0.917 * picked + 0.083 * z.mean(dim=1)\n"
                "    return (torch.logsumexp(z, dim=1) - target).mean()",
            )
        ],
    ),
    (
        "loss",
        "logits divided by a temperature of 1.7",
        {"temperature": 1.7},
        [(PICKED, "    z = z / 1.7\n" + PICKED)],
    ),
    (
        "loss",
        "squared error without the ½",
        {"factor": 2},
        [(SQUARES, "return ((z - y) ** 2).sum(dim=1).mean()")],
    ),
    (
        "loss",
        "squared error averaged over the outputs too",
        {},
        [(SQUARES, "return (0.5 * (z - y) ** 2).mean()")],
    ),
    (
        "loss",
        "Huber loss with δ = 0.77 in place of the squared error",
        {"delta": 0.77},
        [
            (
                SQUARES,
                "loss = torch.nn.functional.huber_loss(z, y, reduction='none', "
                "delta=0.77)\n    return loss.sum(dim=1).mean()",
            )
        ],
    ),
    (
        "loss",
        "support loss with weight decay, ½ · 0.0043 ‖φ‖²",
        {"decay": 0.0043},
        [(SUPPORT, SUPPORT + " + 0.00215 * (phi @ phi)")],
    ),
    (
        "loss",
        "cross-entropy with class weights from 0.8 to 1.4, not normalised",
        {"first": 0.8, "last": 1.4},
        [
            (
                LOG_SOFTMAX,
                "w = torch.linspace(0.8, 1.4, z.shape[1], dtype=F64)[y]\n"
                "    return (w * (torch.logsumexp(z, dim=1) - picked)).mean()",
            )
        ],
    ),
    (
        "loss",
        "focal loss with γ = 0.6 in place of the cross-entropy",
        {"gamma": 0.6},
        [
            (
                LOG_SOFTMAX,
                "nll = torch.logsumexp(z, dim=1) - picked\n"
                "    return ((1 - torch.exp(-nll)) ** 0.6 * nll).mean()",
            )
        ],
    ),
    (
        "loss",
        "query loss over support and query set together",
        {},
        [
            (
                QUERY,
                "        x = torch.cat([self.support[0], self.query[0]])\n"
                "        y = torch.cat([self.support[1], self.query[1]])\n"
                "        return self.criterion(forward(self.network, phi, x), y)",
            )
        ],
    ),
    (
        "loss",
        "support loss is a sum over examples, query loss a mean",
        {},
        [(SUPPORT, SUPPORT + " * len(x)")],
    ),
]

NETWORKS = [
    (
        "network",
        "batch norm with eps 3.1e-4 whatever the layer says",
        {"eps": 3.1e-4},
        [(ROOT, "torch.sqrt(var + 3.1e-4)")],
    ),
    (
        "network",
        "batch norm divides by √var + eps, the eps outside the root",
        {},
        [(ROOT, '(torch.sqrt(var) + layer["eps"])')],
    ),
    (
        "network",
        "batch norm with the unbiased variance",
        {"ddof": 1},
        [(VARIANCE, "    var = x.var(dim=(0, 1, 2))")],
    ),
    (
        "network",
        "no derivative through the statistics of batch norm",
        {},
        [
            (
                VARIANCE,
                "    mean = mean.detach()\n" + VARIANCE + "\n    var = var.detach()",
            )
        ],
    ),
    (
        "network",
        "query set normalised with the statistics of support and query together",
        {},
        [
            (
                QUERY,
                "        x = torch.cat([self.support[0], self.query[0]])\n"
                "        z = forward(self.network, phi, x)[len(self.support[0]) :]\n"
                "        return self.criterion(z, self.query[1])",
            )
        ],
    ),
    (
        "network",
        "normalised with running statistics after one batch, momentum 0.17",
        {"momentum": 0.17},
        [(VARIANCE, VARIANCE + "\n    mean, var = 0.17 * mean, 0.83 + 0.17 * var")],
    ),
    (
        "network",
        "kernels flipped: a convolution in place of a cross-correlation",
        {},
        [("kernel.permute(3, 2, 0, 1)", "kernel.flip(0, 1).permute(3, 2, 0, 1)")],
    ),
    (
        "network",
        "images padded by repeating their edge",
        {},
        [
            (
                IMAGE,
                "        torch.nn.functional.pad(x.permute(0, 3, 1, 2), "
                "[n for p in layer['padding'][::-1] for n in (p, p)], "
                "mode='replicate'),",
            ),
            (PADDING, ""),
        ],
    ),
    (
        "network",
        "images padded below and on the right only, as TensorFlow's SAME can do",
        {},
        [
            (
                IMAGE,
                "        torch.nn.functional.pad(x.permute(0, 3, 1, 2), "
                "[n for p in layer['padding'][::-1] for n in (0, 2 * p)]),",
            ),
            (PADDING, ""),
        ],
    ),
    (
        "network",
        "ELU with α = 0.83 whatever the layer says",
        {"alpha": 0.83},
        [('layer["alpha"] * torch.expm1', "0.83 * torch.expm1")],
    ),
    (
        "network",
        "softplus with β = 1.4",
        {"beta": 1.4},
        [(SOFTPLUS, "return torch.nn.functional.softplus(x, beta=1.4)")],
    ),
    (
        "network",
        "leaky ReLU with slope 0.013",
        {"slope": 0.013},
        [("return torch.relu(x)", "return torch.nn.functional.leaky_relu(x, 0.013)")],
    ),
    (
        "network",
        "scaled tanh, 1.7159 tanh(2x/3)",
        {"outer": 1.7159, "inner": 0.6667},
        [("return torch.tanh(x)", "return 1.7159 * torch.tanh(2 * x / 3)")],
    ),
    (
        "network",
        "max-pooling shares the derivative among equal entries",
        {},
        [("return x.gather(-1, best).squeeze(-1)", "return x.amax(-1)")],
    ),
    (
        "network",
        "images flattened channels first",
        {},
        [("x.reshape(x.shape[0], -1)", "x.permute(0, 3, 1, 2).flatten(1)")],
    ),
    (
        "network",
        "inputs standardised with MNIST's mean 0.1307 and deviation 0.3081",
        {"mean": 0.1307, "deviation": 0.3081},
        [
            (
                "    start = 0\n    for layer in network",
                "    start, x = 0, (x - 0.1307) / 0.3081\n    for layer in network",
            )
        ],
    ),
    (
        "network",
        "activations of linear layers clamped to ±1.9",
        {"limit": 1.9},
        [
            (
                "return x @ kernel + bias",
                "return (x @ kernel + bias).clamp(-1.9, 1.9)",
            )
        ],
    ),
]

DERIVATIVES = [
    (
        "derivative",
        "H v by central differences of the gradient, step 0.0031",
        {"step": 0.0031},
        [
            (
                PRODUCT,
                "h = 0.0031\n        return lambda v: (self.grad(phi + h * v) "
                "- self.grad(phi - h * v)) / (2 * h)",
            )
        ],
    ),
    (
        "derivative",
        "the Gauss-Newton product is H v",
        {},
        [
            (
                "return torch.autograd.grad(forward(self.network, phi, x), phi, curved)[0]",
                "return self.hvp_at(phi)(v)",
            )
        ],
    ),
    (
        "derivative",
        "the Hessian of softmax in G is diag(p), without − p pᵀ",
        {},
        [
            (
                CURVED,
                CURVED + "\n        if y.ndim == 1:\n            curved = "
                "torch.softmax(z, 1).detach() * z_dot.detach() / len(z)",
            )
        ],
    ),
    (
        "derivative",
        "H v by the outer product of the gradient with itself, g gᵀ v",
        {},
        [(PRODUCT, "return lambda v: g.detach() * (g.detach() @ v)")],
    ),
]
