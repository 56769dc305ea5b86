"""Sinusoid regression: the toy problem of MAML.

    y = A sin(x − φ),   A in [0.1, 5],   φ in [0, π],   x in [−5, 5], all uniform

Source: Finn, Abbeel & Levine, "Model-Agnostic Meta-Learning", ICML 2017, section 5.1.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy

from ..arguments import Settings, setting, whole
from .draws import Drawn
from .tasks import TaskBatch

AMPLITUDE = (0.1, 5.0)
PHASE = (0.0, numpy.pi)
X = (-5.0, 5.0)


@dataclass(frozen=True)
class Sinusoids(Drawn, Settings):
    """A TaskSource of sine curves seen at a few points.

    Train, val and test draw from one distribution, by generators that never meet.  x
    and y are (T, num_shots, 1) and (T, num_queries, 1).

    Args:
        num_shots: Points in the support set.
        num_queries: Points in the query set.

    Raises:
        ValueError: If one is below 1.
    """

    num_shots: int = setting(whole(), 10)
    num_queries: int = setting(whole(), 10)

    input_shape = (1,)
    num_outputs = 1
    task = "regression"

    @property
    def digest(self) -> str:
        """SHA-256 of the distribution: there is nothing else to draw from."""
        return hashlib.sha256(f"sinusoid {AMPLITUDE} {PHASE} {X}".encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return what the tasks are drawn from, in plain types, for a record."""
        return {
            "source": "sinusoid",
            "digest": self.digest,
            "num_shots": self.num_shots,
            "num_queries": self.num_queries,
        }

    def _batch(self, drawn, dtype):
        x, y = (a[..., None].astype(dtype) for a in drawn)
        n = self.num_shots
        return TaskBatch(x[:, :n], y[:, :n], x[:, n:], y[:, n:])

    def _draw(self, split, rng):
        """Return x and y, (num_shots + num_queries,) each, of one curve."""
        amplitude, phase = rng.uniform(*AMPLITUDE), rng.uniform(*PHASE)
        x = rng.uniform(*X, size=self.num_shots + self.num_queries)
        return x, amplitude * numpy.sin(x - phase)
