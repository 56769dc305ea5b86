"""PyTorch, its tasks shared by as many processes as there are threads.

The main process keeps a share of the tasks for itself; the others wait at a pipe and
answer with the sum, or the rows, of theirs.  Each process computes with one thread,
one task at a time, with one graph of ∇L at φ for every product with H; or all of its
tasks together, as in ``torch_vmap``.
"""

import atexit
from dataclasses import replace
from functools import cache
from itertools import pairwise
from multiprocessing import get_context

import torch

from ..shared import torch_vmap
from ..shared.cg import conjugate_gradients
from ..shared.problem import Contender, Problem
from ..shared.torch_net import data, flat, loss, ours, shapes_of, split, theirs


def build(problem: Problem, together: bool = False) -> Contender:
    """Return the contender.

    Args:
        problem: What to solve.
        together: Whether a process takes all of its tasks at once, compiled.
    """
    kind = Together if together else Tasks
    shares = divide(problem)
    others = helpers(problem.threads - 1, kind)
    for helper, share in zip(others, shares[1:], strict=True):
        helper.send(share)
    own = kind(shares[0])

    def gathered(what):
        for helper in others:
            helper.send(what)
        found = [getattr(own, what)()]
        return found + [torch.from_numpy(helper.recv()) for helper in others]

    def named(rows):
        return ours(problem.ways, split(rows, shapes_of(theirs(problem))))

    return Contender(
        lambda: sum(gathered("total")) / len(problem),
        lambda: torch.cat(gathered("rows")),
        named,
    )


class Tasks:
    """The tasks of one process."""

    def __init__(self, problem: Problem):
        torch.set_num_threads(1)
        self.problem, self.theta = problem, theirs(problem)
        self.data = data(problem)

    def total(self) -> torch.Tensor:
        """Return the sum of g over the tasks, (P,)."""
        return sum(self.each())

    def rows(self) -> torch.Tensor:
        """Return g of each task, (T, P)."""
        return torch.stack(list(self.each()))

    def each(self):
        """Yield g of each task, (P,)."""
        for support_x, support_y, query_x, query_y in zip(*self.data, strict=True):
            phi = self.adapt(support_x, support_y)
            v = flat(torch.autograd.grad(loss(phi, query_x, query_y), phi))
            slope = torch.autograd.grad(
                loss(phi, support_x, support_y), phi, create_graph=True
            )
            yield conjugate_gradients(
                self.operator(slope, phi), v, self.problem.cg_steps
            )

    def adapt(self, x, y):
        """Return φ after the inner steps."""
        alpha, lam = self.problem.step_size, self.problem.lam
        phi = [t.clone().requires_grad_() for t in self.theta]
        for _ in range(self.problem.inner_steps):
            slope = torch.autograd.grad(loss(phi, x, y), phi)
            with torch.no_grad():
                for p, g, t in zip(phi, slope, self.theta, strict=True):
                    p -= alpha * (g + lam * (p - t))
        return phi

    def operator(self, slope, phi):
        """Return v ↦ v + H v / λ."""

        def product(v):
            along = split(v, shapes_of(phi))
            Hv = torch.autograd.grad(slope, phi, along, retain_graph=True)
            return v + flat(Hv) / self.problem.lam

        return product


class Together:
    """The tasks of one process, all at once."""

    def __init__(self, problem: Problem):
        alone = replace(problem, threads=1)
        self.contender = torch_vmap.build(alone, compiled=True)

    def total(self) -> torch.Tensor:
        """Return the sum of g over the tasks, (P,)."""
        return self.rows().sum(0)

    def rows(self) -> torch.Tensor:
        """Return g of each task, (T, P)."""
        return flat(self.contender.task_grads(), 1)


def divide(problem: Problem) -> list[Problem]:
    """Return the tasks in as many nearly equal parts as there are threads."""
    ends = [i * len(problem) // problem.threads for i in range(problem.threads + 1)]
    return [problem.part(slice(*pair)) for pair in pairwise(ends)]


@cache
def helpers(count: int, kind: type) -> list:
    """Start processes and return our ends of their pipes."""
    context, found = get_context("spawn"), []
    for _ in range(count):
        here, there = context.Pipe()
        context.Process(target=serve, args=(there, kind), daemon=True).start()
        there.close()
        atexit.register(here.close)
        found.append(here)
    return found


def serve(pipe, kind: type) -> None:
    """Take a problem, or answer a question about the last one, until the pipe ends."""
    tasks = None
    while True:
        try:
            got = pipe.recv()
        except EOFError:
            return
        if isinstance(got, Problem):
            tasks = kind(got)
        else:
            pipe.send(getattr(tasks, got)().numpy())
