"""Settings of the quick start."""

from pathlib import Path
from typing import Annotated

import pydantic

from vaserl.settings.cluster import ClusterSettings
from vaserl.settings.section import Section
from vaserl.settings.submitted import WRITTEN


class WorldSettings(Section):
    """Settings of the synthetic collection of vases that the quick start generates."""

    num_vases: int = 720
    """Number of vases in the collection."""
    num_workers: int = 2
    """Number of processes that generate the vases."""


class StageSettings(Section):
    """Config files of the jobs that the quick start runs. The quick start's own paths and seed replace those in the
    files."""

    curate: Path
    """Config file of the curation job."""
    sft: Path
    """Config file of the supervised fine-tuning job."""
    train: Path
    """Config file of the GRPO training job."""
    evaluate: Path
    """Config file of the evaluation job."""


class QuickstartSettings(Section):
    """Settings of the quick start, which runs all jobs in sequence on a synthetic collection."""

    run_dir: Annotated[Path, WRITTEN]
    """Folder that the quick start writes everything to. It is emptied at the start if an earlier quick start created
    it."""
    seed: int = 0
    """Seed of the collection and of every job."""
    world: WorldSettings = WorldSettings()
    stages: StageSettings
    overrides: dict[str, list[str]] = pydantic.Field(default_factory=dict)
    """Overrides of settings for each job, written as on the job's command line: train = ["--num_steps", "3"]."""
    cluster: ClusterSettings = ClusterSettings()
