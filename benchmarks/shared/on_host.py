"""A contender on the host: started, and asked for its meta-gradients."""

import json
from pathlib import Path

import numpy as np

from .child import Child, Failed, python, threads_of
from .peer import Peer


def started(peer: Peer, file: Path, args, dtype: str) -> Child:
    """Start ``worker`` for a contender, and wait until it is ready.

    Args:
        peer: How it is run.
        file: Where the problem is.
        args: With threads, limit (s), memory (bytes or None), paths of checkouts.
        dtype: In which it computes.

    Raises:
        Failed: If it cannot get ready.
    """
    words = [peer.module, str(file), "--options", json.dumps(peer.options)]
    words += ["--threads", str(args.threads), "--dtype", dtype]
    variables = threads_of(args.threads) | peer.environment
    checkout = getattr(args, peer.checkout) if peer.checkout else None
    limits = args.limit, args.memory
    child = python("benchmarks.shared.worker", words, variables, *limits, checkout)
    try:
        child.answer()
    except Failed:
        child.close()
        raise
    return child


def gradients(peer: Peer, file: Path, args, folder: Path) -> dict[str, np.ndarray]:
    """Return the meta-gradients of a contender in float64, from a process of its own.

    Raises:
        Failed: If there are none.
    """
    child = started(peer, file, args, "float64")
    try:
        child.ask("build")
        return ask_gradients(child, folder / "float64.npz")
    finally:
        child.close()


def ask_gradients(child: Child, path: Path) -> dict[str, np.ndarray]:
    """Return the mean and the meta-gradient of every task."""
    child.ask(f"grads {path}")
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
