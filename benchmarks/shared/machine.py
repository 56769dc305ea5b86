"""What the times depend on: processor, cores, versions."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

import imaml_ref
from imaml_ref.compute.parallel import cores_at_hand

PACKAGES = ("numpy", "scipy", "torch", "torchopt", "jax", "jaxlib")


def machine() -> dict:
    """Return the processor, the number of cores at hand and NumPy's BLAS."""
    np.ones((2, 2)) @ np.ones((2, 2))  # so that the library is loaded
    blas = {f"{i['internal_api']} {i['version']}" for i in threadpool_info()}
    return {
        "processor": processor(),
        "cores": cores_at_hand(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "blas": sorted(blas),
    }


def processor() -> str:
    """Return the model of the processor, where the system says it."""
    lines = Path("/proc/cpuinfo")
    for line in lines.read_text().splitlines() if lines.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(checkouts: dict[str, Path | None], packages=PACKAGES) -> dict[str, str]:
    """Return versions of ours and of other packages, and commits of checkouts."""
    found = {"imaml_ref": imaml_ref.__version__}
    found |= {name: version_of(name) for name in packages}
    commits = {name: commit_of(p) for name, p in checkouts.items() if p is not None}
    return found | commits


def version_of(package: str) -> str:
    """Return the installed version of a package, or that there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def commit_of(path: Path) -> str:
    """Return commit and date of a checkout."""
    command = ["git", "-C", str(path), "log", "-1", "--format=%H %cs"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
