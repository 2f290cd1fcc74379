"""The result of one pass over the shards."""

from dataclasses import dataclass, field

from vaserl.curation.job.isolated import Effort
from vaserl.curation.job.shards import Shard


@dataclass(slots=True, kw_only=True)
class PassSummary:
    """What a pass did."""

    shards: list[Shard]
    """All shards, finished, in order."""
    num_reused: int
    """Rows that an earlier run had finished."""
    seconds: float = 0.0
    """Wall time, the start of its processes included."""
    efforts: dict[str, Effort] = field(default_factory=dict)
    """By stage."""
