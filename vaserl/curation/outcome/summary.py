"""What a run of the curation job did, as it is printed and kept in curation.json."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vaserl.curation.job.thresholds import Threshold
from vaserl.curation.outcome.retention import BestViewReport, FilterReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationSummary:
    """What a run did."""

    num_photographs: int
    """Rows of the manifest: every photograph that came in."""
    num_vases: Mapping[str, int]
    """Vases that came through, by split."""
    retention: Sequence[Mapping[str, Any]]
    """[{"stage", "in", "out"}, …]."""
    filters: Sequence[FilterReport]
    """The filters against the truth, where the photographs were labelled."""
    best_view: BestViewReport | None
    """The choice of views against the truth, where the photographs were labelled."""
    thresholds: Sequence[Threshold]
    """What each filter asked for, quantiles worked out."""
    num_fallbacks: int
    """Terse captions that failed the check of facts; the complete one stands in."""
    stages: Mapping[str, Mapping[str, float]]
    """By stage, what this run did: rows, seconds at work and rows_per_s of one process, deaths of its process and
    killed_rows, the photographs rejected because of them."""
    reused_rows: Mapping[str, int]
    """By pass, rows that an earlier run had finished."""
    num_stale_shards: int
    """Files of finished work that belonged to other settings, photographs or code."""
    seconds: Mapping[str, float]
    """Wall time of each pass, the start of its processes included."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        best_view = self.best_view and self.best_view.as_dict()
        return asdict(self) | {"filters": [report.as_dict() for report in self.filters], "best_view": best_view}
