"""Where and by whom arrays are computed: back ends, readings, threads, processes.

Knows NumPy, CuPy and the processors of this machine.  Must not know what is computed:
no layer, no task, no θ.
"""
