"""The meta-step on a GPU: kernels in CUDA C, and what launches them."""
