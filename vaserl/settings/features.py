"""The encoders, and what is kept of their work."""

from pathlib import Path

import pydantic

from vaserl.settings.section import Section


class FeatureSettings(Section):
    """Where the frozen vision tower's output is kept: each clip is decoded and encoded once, for all engines, ranks,
    epochs and later runs with the same tower, processor and precision."""

    num_workers: int = pydantic.Field(default=1, ge=0)
    """Encoder actors; 0 keeps no features: engines and learner then run the vision tower on every clip they meet."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs of each encoder, mostly a small share of one; 0 encodes on CPU."""
    num_cpus: float = 0.1
    """CPUs reserved for each encoder, which is busy only while clips are new."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """OpenMP threads of each encoder."""
    folder: Path | None = None
    """Where each machine keeps its entries, best on a fast local disk or a memory disk; default: beside the run
    folder, with ".features" after its name."""
    max_gb: float = pydantic.Field(default=16.0, gt=0)
    """Size of the folder, in 10^9 bytes; the entries that were read least recently go first."""
