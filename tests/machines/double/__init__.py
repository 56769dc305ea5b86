"""A device without a device: NumPy arrays that behave where CuPy's differ.

What runs on it does not convert arrays by accident, mixes nothing, asks for no name
that CuPy lacks, and is known to wait for the device only where a test allows it.  It
says nothing about speed, and nothing about kernels: it has none.
"""

from .device import Device, OutOfMemory, WaitedForDevice
from .module import device_double

__all__ = ["Device", "OutOfMemory", "WaitedForDevice", "device_double"]
