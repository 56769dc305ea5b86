"""Which points are measured: an axis varies one size, the others stay."""

import json
from dataclasses import asdict, dataclass, replace

OURS, TORCH, JAX = "imaml_ref", "torch", "jax"
UNROLLED = (TORCH, JAX)
LABELS = {OURS: "imaml_ref", TORCH: "PyTorch, unrolled", JAX: "JAX, unrolled"}


@dataclass(frozen=True)
class Point:
    """One meta-step of somebody.

    Args:
        who: ``OURS``, or an unrolled one: MAML through all inner steps.
        ways: Classes of a task.
        shots: Examples of a class, in the support and in the query set.
        tasks: Number of tasks.
        inner_steps: K.
        cg_steps: Steps of conjugate gradients; the unrolled ones have none.
        filters: Channels of every block.
        threads: How many cores may compute.
        marginal: Whether the cost of a further inner step is measured too.
    """

    who: str = OURS
    ways: int = 5
    shots: int = 1
    tasks: int = 8
    inner_steps: int = 16
    cg_steps: int = 5
    filters: int = 64
    threads: int = 1
    marginal: bool = False

    @property
    def examples(self) -> int:
        """Examples of a support set."""
        return self.ways * self.shots

    def words(self) -> str:
        """Return it as one word of a command line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Axis:
    """What is varied, and the points in order.

    Args:
        title: What is varied, in words.
        size: Field of ``Point`` that lies on the horizontal axis.
        points: Of imaml_ref and, on the axis of inner steps, of the unrolled ones.
    """

    title: str
    size: str
    points: tuple[Point, ...]

    def place(self, point: Point) -> int:
        """Return where a point lies on the horizontal axis."""
        return getattr(point, self.size)


@dataclass(frozen=True)
class Sizes:
    """The values along each axis."""

    inner: tuple[int, ...] = (1, 4, 16, 64, 250, 1000)
    unrolled: tuple[int, ...] = (4, 8, 16, 32, 64)
    cg: tuple[int, ...] = (1, 2, 5, 10, 20, 50)
    tasks: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)
    filters: tuple[int, ...] = (16, 32, 64, 128, 256)
    examples: tuple[tuple[int, int], ...] = ((2, 1), (5, 1), (20, 1), (5, 5), (20, 5))


FULL = Sizes()
QUICK = Sizes((1, 4, 16), (2, 4), (1, 4), (1, 2), (8, 16), ((2, 1), (5, 1)))
AXES = ("inner", "cg", "tasks", "filters", "examples", "threads")


def axes(sizes: Sizes, base: Point, names, unrolled) -> dict[str, Axis]:
    """Return the axes by name.

    Args:
        sizes: Their values.
        base: What does not vary; its threads are the most on the axis of threads.
        names: Which axes.
        unrolled: Who is measured beside imaml_ref on the axis of inner steps.
    """
    most = base.threads
    inner = [replace(base, inner_steps=k, marginal=True) for k in sizes.inner]
    inner += [
        replace(base, who=w, inner_steps=k) for w in unrolled for k in sizes.unrolled
    ]
    every = {
        "inner": Axis("inner steps", "inner_steps", tuple(inner)),
        "cg": along("CG steps", "cg_steps", base, sizes.cg),
        "tasks": along("tasks", "tasks", base, sizes.tasks),
        "filters": along("filters of a block", "filters", base, sizes.filters),
        "examples": Axis(
            "ways × shots",
            "examples",
            tuple(replace(base, ways=w, shots=s) for w, s in sizes.examples),
        ),
        "threads": along(
            "threads", "threads", replace(base, tasks=4 * base.tasks), doubled(most)
        ),
    }
    return {name: every[name] for name in names}


def along(title: str, size: str, base: Point, values) -> Axis:
    """Return the axis of one field."""
    return Axis(title, size, tuple(replace(base, **{size: v}) for v in values))


def doubled(most: int) -> list[int]:
    """Return 1, 2, 4, … and the last number itself."""
    values = [2**i for i in range(most.bit_length()) if 2**i < most]
    return [*values, most]
