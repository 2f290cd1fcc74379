"""The summary of a curation run, which the job prints and the data set keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vaserl.curation.job.thresholds import Threshold
from vaserl.curation.outcome.retention import BestViewReport, FilterReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationSummary:
    """What a curation run did."""

    num_photographs: int
    """Photographs that came in, which is the number of rows of the manifest."""
    num_vases: Mapping[str, int]
    """Vases that came through, by split."""
    retention: Sequence[Mapping[str, Any]]
    """[{"stage", "in", "out"}, …]."""
    filters: Sequence[FilterReport]
    """The filters against the labels; empty without labelled photographs."""
    best_view: BestViewReport | None
    """The choice of views against the labels; None without labelled photographs."""
    thresholds: Sequence[Threshold]
    """The threshold of each filter, quantiles resolved."""
    num_fallbacks: int
    """Captions that failed the check of facts and were replaced by the complete one."""
    stages: Mapping[str, Mapping[str, float]]
    """Stage to what this run did: rows, seconds and rows_per_s of one process, deaths of its process, and killed_rows,
    the photographs rejected because of them."""
    reused_rows: Mapping[str, int]
    """Pass to the number of rows that an earlier run had finished."""
    num_stale_shards: int
    """Files of finished work that belong to other settings, photographs or code."""
    seconds: Mapping[str, float]
    """Pass to its wall time in seconds, the start of its processes included."""

    def as_dict(self) -> dict[str, Any]:
        """Returns the summary as values that JSON can hold."""
        best_view = self.best_view and self.best_view.as_dict()
        return asdict(self) | {"filters": [report.as_dict() for report in self.filters], "best_view": best_view}
