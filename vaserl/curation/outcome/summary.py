"""The summary of a curation run, which the job prints and the data set keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vaserl.curation.job.thresholds import Threshold
from vaserl.curation.outcome.retention import BestViewReport, FilterReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationSummary:
    """Counts, thresholds and times of a curation run."""

    num_photographs: int
    """Number of input photographs, which is the number of rows of the manifest."""
    num_vases: Mapping[str, int]
    """Number of vases in the data set, by split."""
    retention: Sequence[Mapping[str, Any]]
    """How many photographs reached and passed each stage: [{"stage", "in", "out"}, …]."""
    filters: Sequence[FilterReport]
    """Comparison of each filter with the labels of the photographs; empty without labels."""
    best_view: BestViewReport | None
    """Comparison of the chosen views with the labels of the photographs; None without labels."""
    thresholds: Sequence[Threshold]
    """Threshold that each filter used, as a value, even if the settings give a quantile."""
    num_fallbacks: int
    """Number of captions whose first wording failed the check against the record and was replaced."""
    stages: Mapping[str, Mapping[str, float]]
    """Work of this run, by stage: rows, seconds and rows_per_s of one process, deaths of the stage's processes, and
    killed_rows, the number of photographs rejected because of these deaths."""
    reused_rows: Mapping[str, int]
    """Number of rows that an earlier run had finished, by pass of the job: "filters" or "lift"."""
    num_stale_shards: int
    """Number of files of finished work that belong to other settings, photographs or code and were not used."""
    seconds: Mapping[str, float]
    """Wall time in seconds, including the start of the processes, by pass of the job: "filters" or "lift"."""

    def as_dict(self) -> dict[str, Any]:
        """Returns the summary as values that JSON can hold."""
        best_view = self.best_view and self.best_view.as_dict()
        return asdict(self) | {"filters": [report.as_dict() for report in self.filters], "best_view": best_view}
