"""CuPy itself where there is no device: its kernels and ours run on fibers.

The double of a device says what CuPy would refuse; here it is CuPy that refuses.  A
CUDA runtime, a driver and a BLAS stand in for NVIDIA's, with the host's memory in place
of a device's.  What CuPy compiles is compiled by g++ and not by NVRTC, a launch is a
call, a graph is the launches that were recorded.  It takes CuPy's sources, for its
wheel has NVIDIA's runtime inside, and it takes patience: see ``build``.
"""
