"""Clocks and spreads: a GPU works on after the call returned, so every reading waits for it."""

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
    """Wall seconds of a call, the device's work included."""
    synchronise()
    start = time.perf_counter()
    call()
    synchronise()
    return time.perf_counter() - start


def synchronise() -> None:
    """Waits until the GPU has done what it was told, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def circumstances() -> dict[str, Any]:
    """What a measurement is worth nothing without: hardware, versions, command."""
    hardware: dict[str, Any] = {"processor": _processor(), "num_cpus": len(_cpus())}
    if torch.cuda.is_available():
        hardware["gpu"] = torch.cuda.get_device_name(0)
        hardware["num_gpus"] = torch.cuda.device_count()
    return {"hardware": hardware, "versions": versions(), "command": "python -m launch.bench " + " ".join(sys.argv[1:])}


def _cpus() -> set[int]:
    import os

    return os.sched_getaffinity(0)


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
