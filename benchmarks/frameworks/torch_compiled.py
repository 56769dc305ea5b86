"""torch.compile: a loss inside, a penalty outside, in both orders, and all inside."""

import torch

from .cases import Case


def loss(p):
    """Return a small smooth loss of p (P,)."""
    w = p.reshape(-1, 3)
    return (w.tanh() @ w.mT).exp().mean()


def penalty(p):
    return (p**2).sum()


def fresh(function, backend):
    """Return a function compiled anew, whatever was compiled before or cached."""
    import torch._inductor.config as inductor  # slow, and for these cases alone

    inductor.force_disable_caches = True
    torch._dynamo.reset()
    return torch.compile(function, backend=backend)


def loss_then_penalty(backend):
    def make():
        compiled = fresh(loss, backend)
        return lambda p: compiled(p) + penalty(p)

    return make


def penalty_then_loss(backend):
    def make():
        compiled = fresh(loss, backend)

        def both(p):
            outside = penalty(p)
            return outside + compiled(p)

        return both

    return make


def penalty_compiled(backend):
    def make():
        compiled = fresh(penalty, backend)
        return lambda p: loss(p) + compiled(p)

    return make


def alone(backend):
    return lambda: fresh(loss, backend)


def everything(backend):
    return lambda: fresh(lambda p: loss(p) + penalty(p), backend)


def after_a_gradient(backend):
    def make():
        compiled = fresh(loss, backend)
        p = torch.ones(9, dtype=torch.float64, requires_grad=True)
        torch.autograd.grad(compiled(p), p)
        return lambda p: compiled(p) + penalty(p)

    return make


def squared(backend):
    def make():
        compiled = fresh(loss, backend)
        return lambda p: compiled(p) ** 2

    return make


def eager(function):
    return lambda: function


KINDS = {
    "loss compiled + penalty": (loss_then_penalty, lambda p: loss(p) + penalty(p)),
    "the same, after a gradient": (after_a_gradient, lambda p: loss(p) + penalty(p)),
    "penalty + loss compiled": (penalty_then_loss, lambda p: loss(p) + penalty(p)),
    "loss + penalty compiled": (penalty_compiled, lambda p: loss(p) + penalty(p)),
    "loss compiled, alone": (alone, loss),
    "loss and penalty compiled": (everything, lambda p: loss(p) + penalty(p)),
    "loss compiled, squared": (squared, lambda p: loss(p) ** 2),
}
WHERE = {
    "aot_eager": tuple(KINDS),
    "inductor": ("loss compiled + penalty",),
    "eager": ("loss compiled + penalty",),
}
COMPILED = tuple(
    Case(
        f"compile({backend}): {name}",
        lambda n: ((n, 3),),
        KINDS[name][0](backend),
        eager(KINDS[name][1]),
        is_loss=True,
        make=True,
    )
    for backend, names in WHERE.items()
    for name in names
)
