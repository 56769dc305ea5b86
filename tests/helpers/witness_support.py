"""A network whose queries ask for the support set, by autograd: a witness in PyTorch.

Support set and queries are two calls, as TaskNorm is written: moments of the first are
kept for the second.  None of our layers, losses or products is in it.
"""

import torch
import torch.nn.functional as F


class Net:
    """Blocks of convolution, normalisation and softplus, and a head, on named tensors.

    Args:
        layout: Names, shapes and places of the parameters in a flat φ.
        stride: Of all convolutions.
        eps: ε of the normalisations.
    """

    def __init__(self, layout, stride, eps):
        self.layout, self.stride, self.eps = layout, stride, eps

    def logits(self, phi, x, context=None):
        """Return those of examples x (N, H, W, C), or of queries with their context."""
        p = {
            name: phi[where].reshape(shape)
            for name, where, shape in zip(
                self.layout.names, self.layout.slices, self.layout.shapes, strict=True
            )
        }
        x = x.permute(0, 3, 1, 2)
        context = x if context is None else context.permute(0, 3, 1, 2)
        for block in (1, 2):
            kernel, bias = p[f"conv{block}.kernel"], p[f"conv{block}.bias"]
            x, context = (
                F.conv2d(a, kernel.permute(3, 2, 0, 1), bias, self.stride)
                for a in (x, context)
            )
            moments = torch.var_mean(context, (0, 2, 3), correction=0, keepdim=True)
            of = {n.split(".")[1]: a for n, a in p.items() if f"norm{block}." in n}
            x, context = (
                F.softplus(self.normalised(of, a, moments, len(context)))
                for a in (x, context)
            )
        return x.permute(0, 2, 3, 1).flatten(1) @ p["head.kernel"] + p["head.bias"]

    def normalised(self, p, x, moments, count):
        """Return x normalised, with the support set's variance and mean."""
        alpha = torch.ones((), dtype=x.dtype)
        if "scale" in p:
            alpha = torch.sigmoid(p["scale"] * count + p["offset"])
        variance, mean = moments
        own_variance, own = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        mu = alpha * mean + (1 - alpha) * own
        total = alpha * (variance + (mean - mu) ** 2)
        total = total + (1 - alpha) * (own_variance + (own - mu) ** 2)
        scaled = (x - mu) / torch.sqrt(total + self.eps)
        gamma, beta = (p[name].view(1, -1, 1, 1) for name in ("gamma", "beta"))
        return gamma * scaled + beta


def losses(net, tasks, t):
    """Return L and Q of task t as functions of φ (P,)."""
    x, x_q = (torch.tensor(a[t]) for a in (tasks.support_x, tasks.query_x))
    y, y_q = (torch.tensor(a[t]) for a in (tasks.support_y, tasks.query_y))

    def support(phi):
        return F.cross_entropy(net.logits(phi, x), y)

    def query(phi):
        return F.cross_entropy(net.logits(phi, x_q, x), y_q)

    return support, query


def slope(f, phi):
    """Return f and ∇f at φ."""
    phi = phi.detach().requires_grad_()
    value = f(phi)
    return value.item(), torch.autograd.grad(value, phi)[0]


def implicit(support, query, phi, lam):
    """Return λ (H + λ)⁻¹ ∇Q at φ."""
    H = torch.autograd.functional.hessian(support, phi)
    A = H + lam * torch.eye(len(phi), dtype=phi.dtype)
    return lam * torch.linalg.solve(A, slope(query, phi)[1])


def unrolled(support, query, theta, lam, step_size, num_steps):
    """Return the gradient of Q(φ_K) in θ, by backpropagation through descent."""
    theta = theta.detach().requires_grad_()
    phi = theta
    for _ in range(num_steps):
        (g,) = torch.autograd.grad(support(phi), phi, create_graph=True)
        phi = phi - step_size * (g + lam * (phi - theta))
    return torch.autograd.grad(query(phi), theta)[0]
