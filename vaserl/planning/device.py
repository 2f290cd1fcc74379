"""One device with the share of its rates that the program reaches."""

from dataclasses import dataclass

from vaserl.planning.efficiency import CPU, GPU, Efficiency
from vaserl.planning.hardware import CPU_CORE, Accelerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU, or the CPU cores of one actor."""

    kind: Accelerator
    efficiency: Efficiency
    itemsize: int
    """Bytes of a number in the model's precision."""

    @property
    def bandwidth(self) -> float:
        """Bytes per second that the program reaches."""
        return self.kind.bandwidth * self.efficiency.bandwidth

    def compute_s(self, operations: float, share: float) -> float:
        """Returns the seconds of operations that reach a share of the device's rate."""
        return operations / (self.kind.flops * share)


def device_of(kind: Accelerator | None, dtype: str) -> Device:
    """Returns the device of a kind of GPU, or of a CPU if `kind` is None. dtype: value of model.dtype."""
    itemsize = 2 if dtype == "bfloat16" else 4
    if kind is None:
        return Device(kind=CPU_CORE, efficiency=CPU, itemsize=itemsize)
    return Device(kind=kind, efficiency=GPU, itemsize=itemsize)
