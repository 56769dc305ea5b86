"""PyTorch's linear algebra: inner problems with a closed form, spectral penalties."""

import torch

from .cases import Case


def spd(a):
    """Return AᵀA + I."""
    return a.mT @ a + torch.eye(a.shape[-1], dtype=a.dtype)


def off(a):
    """Return A + 4 I, far from singular."""
    return a + 4 * torch.eye(a.shape[-1], dtype=a.dtype)


def eliminated(a, b):
    """Return A⁻¹ B and ln |det A|, by Gauss-Jordan elimination without pivots."""
    n, m = a.shape[0], torch.cat((a, b), 1)
    logdet = torch.zeros((), dtype=a.dtype)
    for k in range(n):
        logdet = logdet + (m[k, k] * m[k, k]).log() / 2
        row = m[k] / m[k, k]
        m = torch.stack([row if i == k else m[i] - m[i, k] * row for i in range(n)])
    return m[:, n:], logdet


def square(n):
    return ((n, n),)


def system(n):
    return (n, n), (n, 2)


def solved_by_hand(a, b):
    return eliminated(off(a), b)[0]


def inverse_by_hand(a):
    return eliminated(spd(a), torch.eye(len(a), dtype=a.dtype))[0]


def logdet_by_hand(a):
    return eliminated(spd(a), torch.eye(len(a), dtype=a.dtype))[1][None]


def det_by_hand(a):
    return logdet_by_hand(a).exp()


def ridge(solve):
    """Return (XᵀX + I)⁻¹ Xᵀ Y, the inner solution of a ridge regression."""
    return lambda x, y: solve(spd(x), x.mT @ y)


def repeated(a):
    """Return the sum of the eigenvalues of I + (A + Aᵀ) ‖A‖², repeated at A = 0."""
    return torch.linalg.eigvalsh((a + a.mT) / 2 + (a * a).sum() * eye(a)).sum()[None]


def eye(a):
    return torch.eye(len(a), dtype=a.dtype)


def repeated_by_hand(a):
    return (a.diagonal().sum() + len(a) * (a * a).sum())[None]


ALGEBRA = (
    Case(
        "linalg.solve",
        system,
        lambda a, b: torch.linalg.solve(off(a), b),
        solved_by_hand,
    ),
    Case(
        "linalg.solve, ridge",
        lambda n: ((4, n), (4, 2)),
        ridge(torch.linalg.solve),
        ridge(lambda a, b: eliminated(a, b)[0]),
    ),
    Case(
        "linalg.tensorsolve",
        system,
        lambda a, b: torch.linalg.tensorsolve(off(a), b[:, 0]),
        lambda a, b: eliminated(off(a), b)[0][:, 0],
    ),
    Case(
        "linalg.solve_triangular",
        system,
        lambda a, b: torch.linalg.solve_triangular(off(a).triu(), b, upper=True),
    ),
    Case(
        "cholesky_solve",
        system,
        lambda a, b: torch.cholesky_solve(b, torch.linalg.cholesky(spd(a))),
    ),
    Case(
        "linalg.lstsq",
        lambda n: ((n + 2, n), (n + 2, 2)),
        lambda a, b: torch.linalg.lstsq(a, b).solution,
    ),
    Case("linalg.inv", square, lambda a: torch.linalg.inv(spd(a)), inverse_by_hand),
    Case(
        "cholesky_inverse",
        square,
        lambda a: torch.cholesky_inverse(torch.linalg.cholesky(spd(a))),
        inverse_by_hand,
    ),
    Case("linalg.pinv", lambda n: ((n + 1, n),), torch.linalg.pinv),
    Case("linalg.cholesky", square, lambda a: torch.linalg.cholesky(spd(a))),
    Case("linalg.det", square, lambda a: torch.linalg.det(spd(a))[None], det_by_hand),
    Case("logdet", square, lambda a: torch.logdet(spd(a))[None], logdet_by_hand),
    Case(
        "linalg.slogdet",
        square,
        lambda a: torch.linalg.slogdet(spd(a))[1][None],
        logdet_by_hand,
    ),
    Case("linalg.qr", lambda n: ((n + 1, n),), lambda a: torch.linalg.qr(a).R.abs()),
    Case("linalg.svdvals", lambda n: ((n + 1, n),), torch.linalg.svdvals),
    Case(
        "linalg.matrix_norm, nuclear",
        lambda n: ((n + 1, n),),
        lambda a: torch.linalg.matrix_norm(a, "nuc")[None],
    ),
    Case("linalg.eigvalsh", square, lambda a: torch.linalg.eigvalsh(spd(a))),
    Case("sum of eigvalsh, all equal", square, repeated, repeated_by_hand, draw="zero"),
    Case("linalg.matrix_exp", square, lambda a: torch.linalg.matrix_exp(a / 2)),
    Case("linalg.matrix_power", square, lambda a: torch.linalg.matrix_power(a, 3)),
)
