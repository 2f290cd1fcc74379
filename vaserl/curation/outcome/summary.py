"""The summary of a curation run, which is printed at its end and stored in the data set."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vaserl.curation.job.thresholds import Threshold
from vaserl.curation.outcome.retention import BestViewReport, FilterReport


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationSummary:
    """Counts, thresholds and times of a curation run."""

    num_photographs: int
    """Number of input photographs; the manifest has one row for each of them."""
    num_vases: Mapping[str, int]
    """Number of vases in the data set, by split (train, val, test)."""
    retention: Sequence[Mapping[str, Any]]
    """Number of photographs before and after each stage, in the order of the stages: [{"stage", "in", "out"}, …]."""
    filters: Sequence[FilterReport]
    """Comparison of each filter's decisions with the labels of the photographs; empty if there are no labels."""
    best_view: BestViewReport | None
    """Comparison of the chosen views with the labels of the photographs, or None if there are no labels."""
    thresholds: Sequence[Threshold]
    """Score thresholds that the filters used. If the settings specify a quantile, the threshold is the score computed
    from that quantile."""
    num_later_choices: int
    """Number of vases in the data set whose best view gave no good 3D model, and that were made from another one."""
    num_fallbacks: int
    """Number of captions that were replaced because their first wording did not agree with the vase's record."""
    stages: Mapping[str, Mapping[str, float]]
    """Measurements of this run, by stage, as dicts with these keys: rows, the number of processed photographs; seconds,
    the processing time summed over the stage's processes; rows_per_s, the quotient of these two; deaths, the number of
    the stage's processes that died; killed_rows, the number of photographs that were rejected because a process died.
    """
    reused_rows: Mapping[str, int]
    """Number of photographs whose results were reused from an earlier run, for the two parts of a run: "filters", and
    "lift" (from the 3D models to the texts)."""
    num_stale_shards: int
    """Number of result files of earlier runs that were not used, because they were computed with other settings,
    photographs or code."""
    seconds: Mapping[str, float]
    """Wall time in seconds, including the start of processes, of the two parts of a run: "filters", and "lift" (from
    the 3D models to the texts)."""

    def as_dict(self) -> dict[str, Any]:
        """Returns the summary as a dict that JSON can encode."""
        best_view = self.best_view and self.best_view.as_dict()
        return asdict(self) | {"filters": [report.as_dict() for report in self.filters], "best_view": best_view}
