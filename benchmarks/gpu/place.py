"""Where arrays live: on the card, or on the host in a rehearsal."""

import importlib
from dataclasses import dataclass

import numpy as np

from imaml_ref.compute import to_device, to_host

CARD, HOST = "cuda", "cpu"


@dataclass(frozen=True)
class Place:
    """A device by name, ``CARD`` or ``HOST``."""

    device: str

    @property
    def on_card(self) -> bool:
        return self.device == CARD

    @property
    def xp(self):
        """NumPy, or CuPy."""
        return importlib.import_module("cupy") if self.on_card else np

    def put(self, a):
        """Return an array of NumPy here."""
        return to_device(a) if self.on_card else a

    def fetch(self, a) -> np.ndarray:
        """Return an array from here as one of NumPy."""
        return to_host(a)

    def wait(self) -> None:
        """Come back when all that was asked of the device is done."""
        if self.on_card:
            self.xp.cuda.Device().synchronize()
