"""Accelerators and clusters as numbers: what the makers state, and the notation `8x8xa100-80`."""

import re
from dataclasses import dataclass

from vaserl.errors import UserError
from vaserl.planning.placement import ClusterNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One kind of GPU by its maker's figures, or a CPU."""

    name: str
    flops: float
    """Operations per second of dense matrix products, in bfloat16 on a GPU and float32 on a CPU."""
    bandwidth: float
    """Bytes per second between the chip and its memory."""
    memory: float
    """Bytes of its memory."""
    link: float
    """Bytes per second, in one direction, to another GPU of the same node."""
    network: float
    """Bytes per second, in one direction, to another node, for each GPU: one network adapter for each GPU in the
    maker's own machine."""
    num_cpus: int = 12
    """CPUs of a node for each of its GPUs, if the notation doesn't say: as cloud machines have."""


GIB = 2**30
_A100_FLOPS, _H100_FLOPS = 312e12, 989e12
# Sources: NVIDIA's data sheets of A100 (A100 80GB SXM: 312 TFLOP/s bf16, 2,039 GB/s, NVLink 600 GB/s in both
# directions), H100 (SXM: 989 TFLOP/s dense, 3.35 TB/s, NVLink 900 GB/s) and H200 (SXM: 989 TFLOP/s, 4.8 TB/s, 141 GB),
# and of DGX A100 (one 200 Gbit/s HDR adapter for each GPU) and DGX H100/H200 (400 Gbit/s NDR). Memory is what the
# driver reports.
ACCELERATORS = {
    "a100-40": Accelerator(
        name="a100-40", flops=_A100_FLOPS, bandwidth=1.555e12, memory=39.4 * GIB, link=300e9, network=25e9
    ),
    "a100-80": Accelerator(
        name="a100-80", flops=_A100_FLOPS, bandwidth=2.039e12, memory=79.2 * GIB, link=300e9, network=25e9
    ),
    "h100": Accelerator(name="h100", flops=_H100_FLOPS, bandwidth=3.35e12, memory=79.2 * GIB, link=450e9, network=50e9),
    "h200": Accelerator(name="h200", flops=_H100_FLOPS, bandwidth=4.8e12, memory=139.8 * GIB, link=450e9, network=50e9),
}
CPU_CORE = Accelerator(name="cpu", flops=83e9, bandwidth=20e9, memory=4 * GIB, link=10e9, network=1.25e9, num_cpus=1)
"""Two cores of the AMD EPYC on which docs/benchmarks/*_cpu*.json were measured: a large float32 product reaches 83
GFLOP/s there. The other figures are estimates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterShape:
    """A cluster of equal nodes."""

    num_nodes: int
    num_gpus: int
    """GPUs of each node."""
    num_cpus: int
    """CPUs of each node."""
    accelerator: Accelerator | None
    """Kind of the GPUs; None for nodes without GPUs."""

    @property
    def nodes(self) -> tuple[ClusterNode, ...]:
        """The nodes, named "1", "2", …"""
        return tuple(
            ClusterNode(name=str(number + 1), num_cpus=self.num_cpus, num_gpus=self.num_gpus)
            for number in range(self.num_nodes)
        )


def parse_cluster(text: str) -> ClusterShape:
    """Returns the cluster of a notation NODESxGPUSxKIND, such as "8x8xa100-80", or with the CPUs of a node at its end:
    "8x8xa100-80x96". A cluster without GPUs is "2x0xcpux16".

    Raises: UserError for any other text.
    """
    found = re.fullmatch(r"([1-9]\d{0,3})x(\d{1,2})x([a-z0-9-]+?)(?:x([1-9]\d*))?", text.strip().lower())
    kinds = ", ".join([*ACCELERATORS, "cpu"])
    if not found:
        raise UserError(f"--cluster {text}: expected NODESxGPUSxKIND, such as 8x8xa100-80; the kinds are {kinds}")
    num_nodes, num_gpus, kind, num_cpus = found.groups()
    if kind not in ACCELERATORS and kind != "cpu":
        raise UserError(f"--cluster {text}: unknown kind {kind!r}; the kinds are {kinds}")
    if (kind == "cpu") != (int(num_gpus) == 0):
        raise UserError(f"--cluster {text}: a node without GPUs is written NODESx0xcpuxCPUS, for example 2x0xcpux16")
    accelerator = ACCELERATORS.get(kind)
    if num_cpus is None and accelerator is None:
        raise UserError(f"--cluster {text}: give the number of CPUs too, for example 2x0xcpux16")
    return ClusterShape(
        num_nodes=int(num_nodes),
        num_gpus=int(num_gpus),
        num_cpus=int(num_cpus) if num_cpus else int(num_gpus) * (accelerator.num_cpus if accelerator else 0),
        accelerator=accelerator,
    )
