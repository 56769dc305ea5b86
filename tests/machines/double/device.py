"""What a device knows of itself: bytes in use, and how often the host waited for it."""

from collections.abc import Iterator
from contextlib import contextmanager

GRANULE = 512  # bytes: CuPy's pool hands out multiples of it


class WaitedForDevice(RuntimeError):
    """The host waited for the device where it must not."""


class OutOfMemory(MemoryError):
    """The device has no memory left."""


class Device:
    """Counts of one device.

    Args:
        number: Of the device, ``id`` as in CuPy.

    Attributes:
        live: Bytes in use.
        peak: The most of them since the last ``watch``.
        limit: The most that there may be; None is no limit.
        waits: How often the host waited, for a value or a copy.
        uploads: How many arrays came from the host.
    """

    def __init__(self, number: int = 0):
        self.id = number
        self.live = self.peak = self.waits = self.uploads = 0
        self.limit: int | None = None
        self._forbidden = False

    def wait(self, what: str) -> None:
        """Count that the host waits for the device.

        Raises:
            WaitedForDevice: If it must not here.
        """
        self._refuse(what)
        self.waits += 1

    def upload(self) -> None:
        """Count a copy from the host.

        Raises:
            WaitedForDevice: Where waiting is forbidden: a copy may wait, too.
        """
        self._refuse("a copy from the host")
        self.uploads += 1

    def _refuse(self, what: str) -> None:
        if self._forbidden:
            raise WaitedForDevice(f"the host waits for the device: {what}")

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """A context in which the host must not wait."""
        before, self._forbidden = self._forbidden, True
        try:
            yield
        finally:
            self._forbidden = before

    @contextmanager
    def watch(self) -> Iterator["Watch"]:
        """A context that finds the most bytes used in it beyond those at its start."""
        watch, self.peak = Watch(self, self.live), self.live
        yield watch
        watch.bytes = self.peak - watch.start


class Watch:
    """The most bytes beyond those in use at the start."""

    def __init__(self, device: Device, start: int):
        self.device, self.start, self.bytes = device, start, 0


class Buffer:
    """Memory of a device that arrays share; it is freed with the last of them.

    Args:
        device: Whose memory it is.
        num_bytes: How many.

    Raises:
        OutOfMemory: If there are not so many.
    """

    __slots__ = ("device", "taken")

    def __init__(self, device: Device, num_bytes: int):
        self.device, self.taken = device, 0
        taken = -(-num_bytes // GRANULE) * GRANULE
        if device.limit is not None and device.live + taken > device.limit:
            raise OutOfMemory(f"out of memory allocating {taken} bytes")
        self.taken = taken
        device.live += taken
        device.peak = max(device.peak, device.live)

    def __del__(self):
        self.device.live -= self.taken
