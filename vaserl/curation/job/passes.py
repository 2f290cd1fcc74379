"""The result of one pass of the curation job over its shards."""

from dataclasses import dataclass, field

from vaserl.curation.job.isolated import Effort
from vaserl.curation.job.shards import Shard


@dataclass(slots=True, kw_only=True)
class PassSummary:
    """Finished shards, rows and times of one pass."""

    shards: list[Shard]
    """All shards after the last stage of the pass, in order."""
    num_reused: int
    """Number of rows that an earlier run had finished, so that this one skipped them."""
    seconds: float = 0.0
    """Wall time of the pass in seconds, including the start of its processes."""
    efforts: dict[str, Effort] = field(default_factory=dict)
    """Rows, seconds and process deaths of each stage, by its name."""
