"""Networks: layers in a chain over one flat vector φ, losses, and their linearisation.

Knows one level: x and φ in, a loss and its derivatives out.  Of a second one it knows
that steps may be pulled towards a point (``examples``), for who computes makes them
where φ is.  Must not know what θ and λ are for, nor any loop around such steps.
"""

from . import architectures
from .alone import blind_layer, logits_alone, why_blind
from .architectures import linear
from .context import context_for
from .examples import Examples, SweptLinearization, is_diagonal
from .linearization import Linearization
from .losses import Loss, SoftmaxCrossEntropy, SquaredError
from .network import Network
from .parameters import assign

__all__ = [
    "Examples",
    "Linearization",
    "Loss",
    "Network",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "SweptLinearization",
    "architectures",
    "assign",
    "blind_layer",
    "context_for",
    "is_diagonal",
    "linear",
    "logits_alone",
    "why_blind",
]
