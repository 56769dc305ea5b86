"""The meta-step on a GPU: kernels in CUDA C, what launches them, sweeps made of them.

The equations are those of ``fused.conv_block``, with a launch for what NumPy does in
several passes.  How much of this is used, ``device_stage`` says.  Must not know who
asks for a sweep, nor what becomes of it.
"""

from .examples import DeviceExamples, DeviceLinearization, DeviceNetwork, device_network
from .stage import current_name, current_stage, device_stage, on_machine

__all__ = [
    "DeviceExamples",
    "DeviceLinearization",
    "DeviceNetwork",
    "current_name",
    "current_stage",
    "device_network",
    "device_stage",
    "on_machine",
]
