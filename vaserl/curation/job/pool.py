"""A pool: stages that share processes."""

from collections.abc import Sequence
from dataclasses import dataclass

from vaserl.curation.job.prepared import PreparedStage
from vaserl.curation.settings import PoolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Stages that share processes, and how many of these there are."""

    stages: Sequence[PreparedStage]
    """In the order in which a row passes them."""
    settings: PoolSettings
