"""Functions that time calls, summarize times, and describe the machine and the software of a measurement.

The timing functions wait for the GPU, because its work may still run when a call returns.
"""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from vaserl.runs.versions import versions


def seconds_of(call: Callable[[], Any]) -> float:
    """Runs `call` once. Returns: its wall time in seconds, including its work on the GPU."""
    synchronise()
    start = time.perf_counter()
    call()
    synchronise()
    return time.perf_counter() - start


def synchronise() -> None:
    """Waits until the GPU has finished its work; without a GPU, returns at once."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def spread(values: Sequence[float]) -> dict[str, float]:
    """Returns the median, the lowest and the highest of the values."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def circumstances() -> dict[str, Any]:
    """Returns the hardware, the software versions and the command of this measurement, to be stored with its result."""
    hardware: dict[str, Any] = {"processor": _processor(), "num_cpus": len(os.sched_getaffinity(0))}
    if torch.cuda.is_available():
        hardware["gpu"] = torch.cuda.get_device_name(0)
        hardware["num_gpus"] = torch.cuda.device_count()
    return {"hardware": hardware, "versions": versions(), "command": "python -m launch.bench " + " ".join(sys.argv[1:])}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
