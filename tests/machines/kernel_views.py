"""Views of the arrays that a kernel is given, as the kernel sees them."""

import numpy as np
from numpy.lib.stride_tricks import as_strided


def entries(a, shape, strides):
    """View a's memory from its first entry on; strides count entries, as in C."""
    return as_strided(a, shape, [s * a.itemsize for s in strides])


def shaped(a, *shape):
    """View a contiguous array in another shape."""
    view = a.reshape(shape)
    assert a.flags.c_contiguous
    assert np.may_share_memory(view, a)
    return view
