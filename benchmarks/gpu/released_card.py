"""The code released with the paper, by its own classes, on a card.

As ``shared.released``: with the proximal term in every inner step and the system that
the others solve.
"""

import torch

from ..shared.problem import Contender, Problem
from ..shared.released import UNDAMPED, gradients, learn_proximally
from .place import CARD
from .torch_card import wait


def build(problem: Problem, device: str) -> Contender:
    """Return the contender."""
    torch.backends.cudnn.allow_tf32 = False
    how = learn_proximally, UNDAMPED, device
    each, named = gradients(problem, *how, GPU=device == CARD)

    def step():
        found = sum(each()) / len(problem)
        wait(device)
        return found

    return Contender(step, lambda: torch.stack(list(each())), named)
