"""Clocks, spreads, and the hardware and versions of a measurement. The clocks wait for the GPU, whose work may still
run when a call returns."""

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
    """Returns the wall time of a call, including the GPU's work."""
    synchronise()
    start = time.perf_counter()
    call()
    synchronise()
    return time.perf_counter() - start


def synchronise() -> None:
    """Waits until the GPU, if there is one, has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def spread(values: Sequence[float]) -> dict[str, float]:
    """Returns the median, lowest and highest of the values."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def circumstances() -> dict[str, Any]:
    """Returns the hardware, versions and command of a measurement, without which it can't be interpreted."""
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
