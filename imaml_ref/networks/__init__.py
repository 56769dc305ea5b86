"""Networks: layers in a chain over one flat vector φ, losses, and their linearisation.

Knows one level: x and φ in, a loss and its derivatives out.  Must not know of a second
one: no θ beside φ, no λ, no inner or outer loop.
"""

from . import architectures
from .alone import blind_layer, logits_alone, why_blind
from .architectures import linear
from .linearization import Linearization
from .losses import Loss, SoftmaxCrossEntropy, SquaredError
from .network import Network, assign

__all__ = [
    "Linearization",
    "Loss",
    "Network",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "architectures",
    "assign",
    "blind_layer",
    "linear",
    "logits_alone",
    "why_blind",
]
