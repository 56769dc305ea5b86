"""A contender: what it is called, needs and is given."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True)
class Peer:
    """How a contender is run.

    Args:
        label: Its name in the table.
        module: Where its ``build`` is.
        needs: Modules that must be there; without one the contender is left out.
        options: Arguments of ``build`` beside the problem.
        checkout: Name of the option with the path that it is imported from.
        environment: Variables that must be set before its library is imported.
        group: The fastest of a group is compared with imaml_ref.
        least_threads: With fewer it would be another contender.
    """

    label: str
    module: str
    needs: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    checkout: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    group: str = ""
    least_threads: int = 1


OURS, TORCH, JAX, RELEASED = "imaml_ref", "PyTorch", "JAX", "released code"
SGEMM = "sgemm"
# What all are compared with: by its public interface, in float64, on the host.
REFERENCE = Peer("imaml_ref", "benchmarks.shared.imaml_reference", group=OURS)


def missing(peer: Peer, args) -> str | None:
    """Return why a contender cannot take part, or None."""
    for package in peer.needs:
        if find_spec(package) is None:
            return f"{package} is not installed"
    if peer.checkout and getattr(args, peer.checkout) is None:
        return f"no --{peer.checkout} PATH"
    if args.threads < peer.least_threads:
        return "one thread: the same as another contender"
    return None


def taking_part(names, peers: dict[str, Peer], args) -> list[str]:
    """Return who can take part; say who cannot."""
    reasons = {name: missing(peers[name], args) for name in names}
    for name, reason in reasons.items():
        if reason:
            print(f"{peers[name].label} is left out: {reason}", flush=True)
    return [name for name, reason in reasons.items() if not reason]
