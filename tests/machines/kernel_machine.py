"""Machines for ``on_machine``, in place of CUDA.

``OnHost`` runs formulas, or the kernels themselves on fibers, on NumPy arrays.
``capturing_double`` is stricter: its arrays are those of the device double, and graphs
are recorded by ``kernels.graphs`` itself from streams that behave as CuPy's do: what is
recorded does not run, and meanwhile the host learns nothing and finds no memory.
"""

import sys
from contextlib import contextmanager
from functools import cache, partial

import numpy as np

import imaml_ref as ir
from imaml_ref.kernels import on_machine
from imaml_ref.kernels.graphs import Cuda
from tests.machines.double import device_double
from tests.machines.double.array import ndarray as DoubleArray
from tests.machines.fibers import FiberLauncher
from tests.machines.kernel_formulas import FormulaLauncher


class OnHost:
    """Launches on NumPy arrays; a graph makes them one by one.

    Args:
        launcher: Makes a launcher from a dtype.
    """

    def __init__(self, launcher=FormulaLauncher):
        self.launcher = cache(launcher)
        self.recorded = 0

    def has(self, a):
        return isinstance(a, np.ndarray)

    def record(self, run):
        self.recorded += 1
        return run


FORMULAS, FIBERS = OnHost(), OnHost(partial(FiberLauncher, seed=3))


@contextmanager
def on_one_thread(machine):
    """Run kernels on a machine: it has one queue, which belongs to one thread."""
    ir.set_num_threads(1)
    try:
        with on_machine(machine):
            yield
    finally:
        ir.set_num_threads(None)


def by_kernels(function, machine=FORMULAS):
    """Return what a function returns where kernels run on NumPy arrays."""
    with on_one_thread(machine):
        return function()


class Recording:
    """Launches, each with those that it waits for."""

    def __init__(self):
        self.launches, self.waits_for = [], []

    def before(self, ends):
        """Return all that is over when some launches are."""
        found, left = set(), list(ends)
        while left:
            k = left.pop()
            if k not in found:
                found.add(k)
                left += self.waits_for[k]
        return found


class Stream:
    """A stream of the double's; a recording may pass from one to another by events."""

    current: list = []  # noqa: RUF012

    def __init__(self, device, non_blocking):
        assert non_blocking, "the default stream would be recorded, too"
        self.device, self.recording, self.ends = device, None, set()

    def __enter__(self):
        self.current.append(self)

    def __exit__(self, *_):
        self.current.pop()

    def begin_capture(self):
        self.recording, self.waits = Recording(), self.device.no_sync()
        self.waits.__enter__()
        # Memory that is asked for now may be somebody else's when the graph runs.
        self.limit, self.device.limit = self.device.limit, self.device.live

    def end_capture(self):
        self.device.limit = self.limit
        self.waits.__exit__(None, None, None)
        recording, self.recording = self.recording, None
        joined = recording.before(self.ends)
        assert len(joined) == len(recording.launches), "a side has not joined"
        return Graph(recording)

    def record(self):
        return self.recording, frozenset(self.ends)

    def wait_event(self, event):
        recording, ends = event
        assert recording is not None, "an event from outside the recording"
        # A stream that joins a recording anew forgets what an old one has left.
        self.ends = ends | (self.ends if self.recording is recording else set())
        self.recording = recording

    def take(self, call):
        """Record a launch after all that the stream waits for."""
        self.recording.launches.append(call)
        self.recording.waits_for.append(self.ends)
        self.ends = {len(self.recording.launches) - 1}


class Graph:
    """Launches that were recorded, in any order in which none comes too early."""

    def __init__(self, recording):
        self.recording, self.rng = recording, np.random.default_rng(0)

    def launch(self):
        left, over = dict(enumerate(self.recording.waits_for)), set()
        while left:
            ready = [k for k, waits_for in left.items() if waits_for <= over]
            # As late as can be, every other time: what is aside is overtaken.
            late = self.rng.integers(2)
            k = ready[-1 if late else self.rng.integers(len(ready))]
            self.recording.launches[k]()
            over.add(k)
            del left[k]


class DoubleLauncher:
    """The formulas on arrays of the double, which a stream may record."""

    def __init__(self, dtype, device):
        self.formulas, self.device = FormulaLauncher(dtype), device
        self.launches, self.known = 0, set()

    def zeros(self, shape, dtype=None):
        return sys.modules["cupy"].zeros(shape, dtype or self.formulas.dtype)

    def __call__(self, name, **arguments):
        self.bind(name, **arguments)()

    def bind(self, name, **arguments):
        of_host = [k for k, a in arguments.items() if isinstance(a, np.ndarray)]
        assert not of_host, f"{name}: no device arrays: {of_host}"
        hosts = {
            key: a._host if isinstance(a, DoubleArray) else a
            for key, a in arguments.items()
        }
        compute = self.formulas.bind(name, **hosts)

        def call():
            self.launches += 1
            if Stream.current and Stream.current[-1].recording is not None:
                assert name in self.known, f"{name} would be compiled now"
                Stream.current[-1].take(compute)
            else:
                self.known.add(name)
                compute()

        # The memory lives as long as the call does.
        call.held = arguments
        return call


@contextmanager
def capturing_double():
    """A context in which ``cupy`` is a double with graphs; yields its device.

    ``device.graphs`` are those recorded, ``device.launcher`` makes a launcher.
    """
    with device_double() as device:
        cupy = sys.modules["cupy"]
        device.graphs = []
        cupy.cuda.Stream = partial(Stream, device)
        machine = CountingCuda(cupy, device)
        with on_one_thread(machine):
            yield device


class CountingCuda(Cuda):
    """``Cuda`` on the double, with formulas for kernels; it keeps its graphs."""

    def __init__(self, cupy, device):
        super().__init__(cupy)
        self.device = device
        self.launcher = cache(partial(DoubleLauncher, device=device))
        device.launcher = self.launcher

    def record(self, run):
        replay = super().record(run)
        self.device.graphs.append(replay)
        return replay


def chain_length(waits_for):
    """Return how many launches of a graph come one after another, at least."""
    lengths = []
    for before in waits_for:
        lengths.append(1 + max((lengths[k] for k in before), default=0))
    return max(lengths)
