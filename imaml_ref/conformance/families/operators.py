"""Families of the operator of (5), g = Λ (H + Λ)⁻¹ v: what is solved with."""

import numpy

from ..case import Array
from .family import META, SOLVE, Real, of_operator
from .ground import Ground


@of_operator(META, mu=Real(1e-5, 1e5, "λ", signed=True))
def shifted(ground, mu):
    """(H + {mu} I) x = v is solved in place of (H + λI) x = v."""
    return ground.H + mu * ground.eye


@of_operator(SOLVE, delta=Real(1e-6, 1e4, "0"))
def damped(ground, delta):
    """Damping: (A + {delta} I) x = b is solved in place of A x = b."""
    return ground.A + delta * ground.eye


@of_operator(SOLVE, delta=Real(1e-6, 1e3, "0"))
def damped_by_the_mean_diagonal(ground, delta):
    """A + {delta} · mean(diag A) I is solved."""
    mean = numpy.einsum("tii->t", ground.A) / ground.theta.size
    return ground.A + delta * mean[:, None, None] * ground.eye


@of_operator(SOLVE, delta=Real(1e-6, 1e3, "0"))
def damped_by_the_diagonal(ground, delta):
    """A + {delta} diag(A) is solved, as by Levenberg and Marquardt."""
    diagonal = numpy.einsum("tii->ti", ground.A)[:, :, None] * ground.eye
    return ground.A + delta * diagonal


@of_operator(META, delta=Real(1e-6, 1e3, "0"))
def curvature_damped_by_its_mean_diagonal(ground, delta):
    """H + {delta} · mean(diag H) I + Λ is solved."""
    mean = numpy.einsum("tii->t", ground.H) / ground.theta.size
    return ground.A + delta * mean[:, None, None] * ground.eye


@of_operator(META, c=Real(1e-4, 1e4, "1", signed=True))
def curvature_times(ground, c):
    """H counts {c} times: ({c} H + Λ) x = v is solved."""
    return c * ground.H + numpy.diag(ground.lam)


@of_operator(META, c=Real(1e-4, 1e4, "1", signed=True))
def strength_times(ground, c):
    """Λ counts {c} times in the operator: (H + {c} Λ) x = v is solved."""
    return ground.H + c * numpy.diag(ground.lam)


@of_operator(META, c=Real(1e-3, 1e3, "1"), delta=Real(1e-4, 1e3, "0", signed=True))
def strength_times_and_damped(ground, c, delta):
    """(H + {c} Λ + {delta} I) x = v is solved."""
    A = ground.H + c * numpy.diag(ground.lam) + delta * ground.eye
    return A


def grouped(*words: str):
    """Return the operator in which λ counts otherwise for tensors of some names."""

    def rows(ground: Ground, c: float) -> Array | None:
        chosen = ground.mask(*words)
        if chosen.min() == chosen.max():
            return None
        lam = ground.lam * numpy.where(chosen, c, 1)
        return ground.H + numpy.diag(lam)

    return rows


GROUPS = {
    "biases": ("bias",),
    "normalisation": ("gamma", "beta"),
    "biases_and_normalisation": ("bias", "gamma", "beta"),
}
for word, names in GROUPS.items():
    function = grouped(*names)
    function.__name__ = f"strength_of_{word}"
    function.__doc__ = (
        f"λ counts {{c}} times for {word.replace('_', ' ')} in the operator."
    )
    of_operator(META, c=Real(1e-3, 1e3, "1"))(function)


def groups_left_out(*words: str):
    """Return the operator in which some tensors have no λ."""

    def rows(ground: Ground) -> Array | None:
        chosen = ground.mask(*words)
        if chosen.min() == chosen.max():
            return None
        lam = ground.lam * numpy.where(chosen, 0, 1)
        return ground.H + numpy.diag(lam)

    return rows


for word, names in GROUPS.items():
    function = groups_left_out(*names)
    function.__name__ = f"no_strength_of_{word}"
    function.__doc__ = f"The operator lacks λ for {word.replace('_', ' ')}."
    of_operator(META)(function)


@of_operator(META)
def strength_over_entries(ground):
    """λ of each tensor is divided by its number of entries."""
    size = numpy.ones_like(ground.lam)
    for _, where in ground.parts:
        size[where] = where.stop - where.start
    return ground.H + numpy.diag(ground.lam / size)


def blocks(ground: Ground, key) -> Array:
    """Return H with its blocks alone, those of entries with equal keys."""
    label = numpy.zeros(ground.theta.size, int)
    names = sorted({key(name) for name, _ in ground.parts})
    for name, where in ground.parts:
        label[where] = names.index(key(name))
    return ground.H * (label[:, None] == label)


@of_operator(META)
def blocks_of_tensors(ground):
    """H is blockwise: tensor by tensor."""
    H = blocks(ground, str)
    return H + numpy.diag(ground.lam)


@of_operator(META)
def blocks_of_layers(ground):
    """H is blockwise: layer by layer."""
    H = blocks(ground, lambda name: name.partition(".")[0])
    return H + numpy.diag(ground.lam)


@of_operator(META)
def diagonal_of_h(ground):
    """H is its diagonal."""
    diagonal = numpy.einsum("tii->ti", ground.H)
    return (diagonal + ground.lam)[:, :, None] * ground.eye


@of_operator(META, c=Real(1e-3, 1e3))
def gauss_newton(ground, c):
    """{c} times the Gauss-Newton matrix stands in place of H."""
    H = c * ground.also("G")
    return H + numpy.diag(ground.lam)


@of_operator(META, c=Real(1e-3, 1e3))
def fisher(ground, c):
    """{c} times the empirical Fisher matrix stands in place of H."""
    H = c * ground.also("F")
    return H + numpy.diag(ground.lam)


@of_operator(META, c=Real(1e-3, 1e3))
def rank_one(ground, c):
    """{c} ∇L ∇Lᵀ stands in place of H."""
    H = c * ground.s[:, :, None] * ground.s[:, None]
    return H + numpy.diag(ground.lam)


@of_operator(META, c=Real(1e-3, 1e3))
def rank_one_of_query(ground, c):
    """{c} v vᵀ stands in place of H."""
    H = c * ground.v[:, :, None] * ground.v[:, None]
    return H + numpy.diag(ground.lam)


@of_operator(META, c=Real(1e-4, 1.0, "0"))
def query_mixed_in(ground, c):
    """H is 1 − {c} times that of the support and {c} that of the query set."""
    H = (1 - c) * ground.H + c * ground.also("H of the query set")
    return H + numpy.diag(ground.lam)


@of_operator(META, c=Real(1e-4, 1e4, "0"))
def query_added(ground, c):
    """{c} times the Hessian of the query loss is added to H."""
    H = ground.H + c * ground.also("H of the query set")
    return H + numpy.diag(ground.lam)


@of_operator(META)
def curvature_of_the_query_set(ground):
    """H is that of the query set."""
    H = ground.also("H of the query set")
    return H + numpy.diag(ground.lam)


@of_operator(META, s=Real(1e-3, 1.0, "0", named="1"))
def curvature_on_the_way(ground, s):
    """H is taken at (1 − {s}) φ + {s} θ."""
    H = ground.also("H on the way")(s)
    return H + numpy.diag(ground.lam)
