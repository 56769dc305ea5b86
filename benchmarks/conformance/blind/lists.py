"""Gather the mistakes into list.json.

    python benchmarks/run.py conformance.blind.lists

T, J and N are planted by hand in PyTorch, JAX and NumPy, A are mutations that ``draw``
drew.  Numbers are places in the lists: add at the end.
"""

import json

from . import by_hand_jax, by_hand_numpy, by_hand_torch, by_hand_torch_steps
from .plant import HERE, planted

BY_HAND = {
    "T": (
        "torch",
        [
            *by_hand_torch.LOSSES,
            *by_hand_torch.NETWORKS,
            *by_hand_torch.DERIVATIVES,
            *by_hand_torch_steps.SOLVERS,
            *by_hand_torch_steps.META,
            *by_hand_torch_steps.INNERS,
            *by_hand_torch_steps.OUTERS,
            *by_hand_torch_steps.LAMBDAS,
            *by_hand_torch_steps.UNROLLED,
            *by_hand_torch_steps.PAIRS,
        ],
    ),
    "J": ("jax", by_hand_jax.MISTAKES),
    "N": ("numpy", by_hand_numpy.MISTAKES),
}


def main(arguments=None):
    """Plant each once, so that every text is found, and write the list."""
    mistakes = by_hand() + mutations()
    for mistake in mistakes:
        planted(mistake)
    text = json.dumps(mistakes, ensure_ascii=False, indent=1)
    (HERE / "list.json").write_text(text + "\n", "utf-8")
    print({c: sum(m["id"][0] == c for m in mistakes) for c in "TJNA"})


def by_hand():
    """Return the mistakes written by hand."""
    return [
        {
            "id": f"{letter}{number:02d}",
            "program": program,
            "kind": kind,
            "description": description,
            "parameters": parameters,
            "edits": edits,
        }
        for letter, (program, mistakes) in BY_HAND.items()
        for number, (kind, description, parameters, edits) in enumerate(mistakes, 1)
    ]


def mutations():
    """Return the mutations of the syntax tree."""
    return json.loads((HERE / "mutations.json").read_text("utf-8"))["mutations"]


def load():
    """Return the list by id."""
    mistakes = json.loads((HERE / "list.json").read_text("utf-8"))
    return {mistake["id"]: mistake for mistake in mistakes}
