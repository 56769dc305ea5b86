"""The contenders by name: what they are called, need and are given."""

from ..shared import peer
from ..shared.peer import JAX, OURS, RELEASED, SGEMM, TORCH, Peer

EXPERT, REFERENCE = "JAX expert", "imaml_ref"
SINGLE = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}

PEERS = {
    REFERENCE: peer.REFERENCE,
    "imaml_ref_forks": Peer(
        "imaml_ref, a process per core",
        "benchmarks.shared.imaml_reference",
        options={"forks": True},
        group=OURS,
        least_threads=2,
    ),
    "jax_sharded": Peer(
        "JAX expert, a device per core",
        "benchmarks.meta_step.jax_expert",
        ("jax",),
        {"sharded": True},
        group=EXPERT,
        least_threads=2,
    ),
    "jax_sharded_plain": Peer(
        "JAX expert, devices of one thread",
        "benchmarks.meta_step.jax_expert",
        ("jax",),
        {"sharded": True},
        environment=SINGLE,
        group=EXPERT,
        least_threads=2,
    ),
    "jax_expert": Peer(
        "JAX expert, one device",
        "benchmarks.meta_step.jax_expert",
        ("jax",),
        group=EXPERT,
    ),
    "jax_vmap": Peer("JAX vmap", "benchmarks.meta_step.jax_vmap", ("jax",), group=JAX),
    "torch_compile": Peer(
        "PyTorch vmap, compiled",
        "benchmarks.shared.torch_vmap",
        ("torch",),
        {"compiled": True},
        group=TORCH,
    ),
    "torch_vmap": Peer(
        "PyTorch vmap, eager", "benchmarks.shared.torch_vmap", ("torch",), group=TORCH
    ),
    "torch_compile_forks": Peer(
        "PyTorch vmap, compiled, a process per core",
        "benchmarks.meta_step.torch_tasks",
        ("torch",),
        {"together": True},
        group=TORCH,
        least_threads=2,
    ),
    "torch_tasks": Peer(
        "PyTorch by task, a process per core",
        "benchmarks.meta_step.torch_tasks",
        ("torch",),
        group=TORCH,
    ),
    "torchopt": Peer(
        "TorchOpt", "benchmarks.meta_step.torchopt_root", ("torch", "torchopt")
    ),
    "hypertorch": Peer(
        "hypertorch",
        "benchmarks.meta_step.hypertorch_cg",
        ("torch",),
        checkout="hypertorch",
    ),
    "released": Peer(
        "released code",
        "benchmarks.shared.released",
        ("torch",),
        checkout="released",
        group=RELEASED,
    ),
    "released_script": Peer(
        "released code, its script",
        "benchmarks.shared.released",
        ("torch",),
        {"as_script": True},
        checkout="released",
    ),
    SGEMM: Peer("sgemm 4096³", "benchmarks.shared.sgemm"),
}
