"""The result of one pass of the curation job over its shards (groups of photographs)."""

from dataclasses import dataclass, field

from vaserl.curation.job.isolated import Effort
from vaserl.curation.job.shards import Shard


@dataclass(slots=True, kw_only=True)
class PassSummary:
    """Result of one pass of the curation job: the finished shards, and the work that the pass did."""

    shards: list[Shard]
    """All shards of the pass, in order, as they are after its last stage."""
    num_reused: int
    """Number of rows that an earlier run had finished, so that this run skipped them."""
    seconds: float = 0.0
    """Wall time of the pass in seconds, including the start of its processes."""
    efforts: dict[str, Effort] = field(default_factory=dict)
    """Rows, seconds and process deaths of each stage, by the stage's name."""
