"""Time that a part may take, kept by the script itself."""

import time


class Budget:
    """Seconds from now, given out until they are used up.

    Args:
        seconds: How many.
    """

    def __init__(self, seconds: float):
        self.seconds, self._end = seconds, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; negative when they are overdrawn."""
        return self._end - time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self.seconds - self.left

    def has(self, seconds: float) -> bool:
        """Whether something that takes so long can still be begun."""
        return self.left >= seconds

    def keeping(self, seconds: float) -> "Budget":
        """Return what is left but for so many seconds, which come after it."""
        return Budget(self.left - seconds)
