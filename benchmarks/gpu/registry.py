"""The contenders on a card by name, and which of them a part lets take part.

PyTorch and JAX compute in float32 unless the name says TF32: both libraries would take
TF32 for some products by themselves.
"""

from dataclasses import dataclass

from imaml_ref.kernels.stage import STAGES as NAMES

from ..shared.peer import JAX, OURS, RELEASED, SGEMM, TORCH, Peer

OUR_MODULE, TORCH_MODULE = "benchmarks.gpu.ours", "benchmarks.gpu.torch_card"
JAX_MODULE, RELEASED_MODULE = "benchmarks.gpu.jax_card", "benchmarks.gpu.released_card"
# Of its own the library takes three quarters of a card that others use as well.
SHARE = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


@dataclass(frozen=True)
class Contender(Peer):
    """How a contender is run.

    Args:
        twin: The same program in float32, if this one takes TF32: it must be right,
            for TF32 itself has too few digits to tell.
    """

    twin: str | None = None


def ours(label: str, *, twin=None, **options) -> Contender:
    """Return a stage of imaml_ref as a contender."""
    return Contender(
        f"imaml_ref, {label}",
        OUR_MODULE,
        options=options,
        group=OURS,
        twin=twin,
    )


def torch(label: str, *, twin=None, **options) -> Contender:
    """Return a program in PyTorch as a contender."""
    return Contender(
        f"PyTorch, {label}", TORCH_MODULE, ("torch",), options, group=TORCH, twin=twin
    )


def jax(label: str, *, twin=None, **options) -> Contender:
    """Return a program in JAX as a contender."""
    return Contender(
        f"JAX, {label}",
        JAX_MODULE,
        ("jax",),
        options,
        environment=SHARE,
        group=JAX,
        twin=twin,
    )


def twin_of(stage: str) -> str | None:
    """Return the stage in float32 that a stage in TF32 is compared with."""
    plain = stage.removesuffix("-tf32")
    return None if plain == stage else plain


# The latest first, those with products of their own last, TF32 after its twin.
FIRST_OF_ALL = sorted(
    reversed(NAMES), key=lambda name: (name.count("-"), twin_of(name) or "")
)

# In the order in which they are made ready, until no time is left.
CONTENDERS = {
    **{name: ours(name, stage=name, twin=twin_of(name)) for name in FIRST_OF_ALL},
    "released": Contender(
        "released code",
        RELEASED_MODULE,
        ("torch",),
        checkout="released",
        group=RELEASED,
    ),
    "jax_patches": jax("vmap, patches", patches=True),
    "torch_patches_graphs": torch(
        "patches, compiled, CUDA graph", patches=True, compiled=True, graph=True
    ),
    "torch_graphs": torch("vmap, compiled, CUDA graph", compiled=True, graph=True),
    "jax_conv": jax("vmap, convolutions"),
    "torch_vmap": torch("vmap, eager"),
    "torch_compile": torch("vmap, compiled", compiled=True),
    "jax_patches_tf32": jax(
        "vmap, patches, TF32", patches=True, tf32=True, twin="jax_patches"
    ),
    "torch_patches_tf32": torch(
        "patches, compiled, CUDA graph, TF32",
        patches=True,
        compiled=True,
        graph=True,
        tf32=True,
        twin="torch_patches_graphs",
    ),
    SGEMM: Contender("sgemm", "benchmarks.gpu.sgemm"),
}

STAGES = [n for n, c in CONTENDERS.items() if c.group == OURS]
FAST = [n for n in FIRST_OF_ALL if n not in ("plain", "kernels")]
ONE_BY_ONE = [n for n in FAST if "-" not in n]  # products without tensor cores
PEERS = [n for n, c in CONTENDERS.items() if c.group in (JAX, TORCH, RELEASED)]
