"""What the numbers depend on: the card, its driver, versions, the day."""

import subprocess

import numpy as np

from imaml_ref.compute import to_device

from ..shared import record
from ..shared.machine import version_of
from .place import Place

CUPYS = ("cupy-cuda13x", "cupy-cuda12x", "cupy")
NO_CARD = "a rehearsal: no card"


def absent() -> str | None:
    """Return why there is no card to measure on, or None."""
    try:
        to_device(np.zeros(1))
    except RuntimeError as error:
        return str(error)
    return None


def circumstances(place: Place, given, hidden) -> dict:
    """Return when, where and with what something was measured.

    Args:
        place: Where.
        given: Words of the command line.
        hidden: Options whose values are paths of this machine.
    """
    found = record.circumstances("gpu", given, hidden=hidden)
    cupys = {name: version_of(name) for name in CUPYS}
    found["versions"] |= {n: v for n, v in cupys.items() if v != "not installed"}
    return found | {
        "rehearsal": not place.on_card,
        "card": card(place.xp.cuda.runtime) if place.on_card else NO_CARD,
    }


def card(runtime) -> dict:
    """Return the card by its own words, which CuPy's ``runtime`` hands on."""
    of_card = runtime.getDeviceProperties(runtime.getDevice())
    return {
        "name": of_card["name"].decode(),
        "memory_bytes": int(of_card["totalGlobalMem"]),
        "multiprocessors": int(of_card["multiProcessorCount"]),
        "compute_capability": f"{of_card['major']}.{of_card['minor']}",
        "driver": driver(),
        "cuda_driver": runtime.driverGetVersion(),
        "cuda_runtime": runtime.runtimeGetVersion(),
    }


def driver() -> str:
    """Return the driver's version, where its own tool is at hand."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    lines = run.stdout.strip().splitlines()
    return lines[0] if run.returncode == 0 and lines else "unknown"
