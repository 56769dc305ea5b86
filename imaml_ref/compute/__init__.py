"""Where and by whom arrays are computed: back ends, readings, threads, processes.

Knows NumPy, CuPy and the processors of this machine.  Must not know what is computed:
no layer, no task, no θ.
"""

from .backend import OR_CPU, Array, array_module, check_array, erfc, to_device, to_host
from .lengths import (
    dot,
    in_units,
    length,
    norm,
    power_of_two,
    powers_of_two,
)
from .parallel import (
    chunk_size,
    map_in_order,
    num_processes,
    num_threads,
    num_workers,
    one_blas_thread,
    set_num_processes,
    set_num_threads,
    sums_by_address,
)
from .readings import (
    copies_for,
    holding,
    is_waiting,
    on_device,
    read,
    read_together,
    settling_in,
    value_of,
    waiting,
)

__all__ = [
    "OR_CPU",
    "Array",
    "array_module",
    "check_array",
    "chunk_size",
    "copies_for",
    "dot",
    "erfc",
    "holding",
    "in_units",
    "is_waiting",
    "length",
    "map_in_order",
    "norm",
    "num_processes",
    "num_threads",
    "num_workers",
    "on_device",
    "one_blas_thread",
    "power_of_two",
    "powers_of_two",
    "read",
    "read_together",
    "set_num_processes",
    "set_num_threads",
    "settling_in",
    "sums_by_address",
    "to_device",
    "to_host",
    "value_of",
    "waiting",
]
