"""Settings of the feature store and its encoders."""

from pathlib import Path
from typing import Annotated

import pydantic

from vaserl.settings.section import Section
from vaserl.settings.submitted import WRITTEN


class FeatureSettings(Section):
    """Settings of the feature store, which stores the output of the frozen vision tower for each clip. Each clip is
    decoded and encoded only once, for all engines, ranks, epochs and later runs with the same tower, image processor
    and precision."""

    num_workers: int = pydantic.Field(default=1, ge=0)
    """Number of encoder actors, which fill the store. 0 turns the store off: engines and learner then run the vision
    tower on each clip themselves."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs reserved for each encoder, usually a small fraction of one; 0 encodes on CPU."""
    num_cpus: float = 0.1
    """CPUs reserved for each encoder; a small fraction is enough, because an encoder is idle once all clips are
    stored."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """Number of OpenMP threads of each encoder."""
    folder: Annotated[Path | None, WRITTEN] = None
    """Folder of the store on each machine, best on a fast local disk or a memory disk. Default: the path of the run
    folder with ".features" appended."""
    max_gb: float = pydantic.Field(default=16.0, gt=0)
    """Largest size of the store's folder in GB (10^9 bytes); the least recently read entries are evicted first."""
