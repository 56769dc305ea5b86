"""Mistakes in the squared error: other multiples of ‖z − y‖²."""

from .base import Mistake
from .losses import Weighted


class OtherSquaredError(Mistake):
    """The squared error is another multiple of ‖z − y‖²."""

    level = "L1"

    def times(self, outputs):
        """Return the multiple, from the number of outputs."""
        return 1.0

    def criterion(self, case):
        found = super().criterion(case)
        squared = case.loss == "squared-error"
        return Weighted(found, lambda s: self.times(s[2])) if squared else found


class SquaredErrorNoHalf(OtherSquaredError):
    """The squared error lacks its ½."""

    effect = "loss and derivatives twice as large"

    def times(self, outputs):
        return 2.0


class SquaredErrorMeanOutputs(OtherSquaredError):
    """The squared error is averaged over the outputs too, not summed over them."""

    effect = "loss and derivatives smaller by the number of outputs"

    def times(self, outputs):
        return 1 / outputs


class SquaredErrorMeanEntries(OtherSquaredError):
    """The squared error is the mean over all entries, without ½: torch's MSELoss."""

    effect = "right for two outputs, by chance"

    def times(self, outputs):
        return 2 / outputs
