"""A pool: stages that share worker processes."""

from collections.abc import Sequence
from dataclasses import dataclass

from vaserl.curation.job.prepared import PreparedStage
from vaserl.curation.settings import PoolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Stages that share worker processes, and the number, resources and limits of these processes."""

    stages: Sequence[PreparedStage]
    """The stages, in the order in which a row passes them."""
    settings: PoolSettings
