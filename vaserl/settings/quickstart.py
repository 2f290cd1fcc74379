"""Settings of the quick start."""

from pathlib import Path

import pydantic

from vaserl.settings.cluster import ClusterSettings
from vaserl.settings.section import Section


class WorldSettings(Section):
    """The synthetic collection that the quick start generates."""

    num_vases: int = 720
    """Vases in the collection."""
    num_workers: int = 2
    """Processes that generate them."""


class StageSettings(Section):
    """The config of each job that the quick start runs; their paths and seeds are replaced by its own."""

    curate: Path
    """Config of curate."""
    sft: Path
    """Config of sft."""
    train: Path
    """Config of train."""
    evaluate: Path
    """Config of evaluate."""


class QuickstartSettings(Section):
    """All jobs in sequence, on a synthetic collection."""

    run_dir: Path
    """Folder that everything is written to. Emptied at the start if an earlier quick start created it."""
    seed: int = 0
    """Seed of the collection and of every job."""
    world: WorldSettings = WorldSettings()
    stages: StageSettings
    overrides: dict[str, list[str]] = pydantic.Field(default_factory=dict)
    """Further settings of a job, as on its command line: train = ["--num_steps", "3"]."""
    cluster: ClusterSettings = ClusterSettings()
