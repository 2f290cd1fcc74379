"""Computes statistics of the manifest: how many photographs each stage kept, why it rejected the others, and how often
its decisions agree with labels of the photographs."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vaserl.curation.pipeline import PIPELINE, Pipeline
from vaserl.curation.stage import Stage
from vaserl.curation.stages.best_view import FRONTAL
from vaserl.dataset import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterReport:
    """Comparison of a filter's decisions with the labels of the photographs. A positive is a photograph that the filter
    kept."""

    stage: str
    """Name of the filter in the pipeline, such as "quality"."""
    true_positives: int
    """Number of photographs that the filter kept and that should be kept according to their labels."""
    false_positives: int
    """Number of photographs that the filter kept and that should be rejected according to their labels."""
    false_negatives: int
    """Number of photographs that the filter rejected and that should be kept according to their labels."""
    true_negatives: int
    """Number of photographs that the filter rejected and that should be rejected according to their labels."""

    @property
    def precision(self) -> float:
        """Share of photographs that should be kept among those that the filter kept; 0 if the filter kept none."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of photographs that the filter kept among those that should be kept; 0 if none should be kept."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if both are 0."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields of this report, its precision, recall and F1 score as a dict that JSON can encode."""
        return asdict(self) | {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True, slots=True, kw_only=True)
class BestViewReport:
    """Comparison of the photograph that was chosen for each vase with the labels. A photograph is right if its label
    says that it shows the vase whole, sharp and from the front."""

    num_vases: int
    """Number of vases that have at least one right photograph in the input. A right photograph shows the vase whole,
    sharp and from the front."""
    num_right: int
    """Number of vases for which a right photograph (whole, sharp and from the front) was chosen. A vase whose right
    photographs were all rejected by the filters is not counted here."""
    num_choices: int
    """Number of vases for which the filters had kept both right photographs (whole, sharp and from the front) and wrong
    ones, so that the choice could be wrong."""
    num_choices_right: int
    """Number of vases, among the `num_choices` ones, for which a right photograph was chosen."""

    @property
    def share(self) -> float:
        """Share `num_right` / `num_vases` of vases for which a right photograph was chosen. Errors of the filters and
        of the choice both reduce it."""
        return _share(self.num_right, self.num_vases)

    @property
    def choice_share(self) -> float:
        """Share `num_choices_right` / `num_choices` of choices that were right. Errors of the filters don't reduce
        it."""
        return _share(self.num_choices_right, self.num_choices)

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields of this report, its `share` and its `choice_share` as a dict that JSON can encode."""
        return asdict(self) | {"share": self.share, "choice_share": self.choice_share}


def retention_counts(rows: Collection[Row], pipeline: Pipeline = PIPELINE) -> list[dict[str, Any]]:
    """Returns the number of photographs before and after each stage of curation, in the order of the stages:
    [{"stage", "in", "out"}, …]. The `in` of a stage equals the `out` of the previous stage."""
    rejected = Counter(row.rejected_by for row in rows if row.rejected_by)
    unknown = set(rejected) - set(pipeline.names)
    assert not unknown, f"rows rejected by stages that the pipeline doesn't list: {unknown}"
    table, left = [], len(rows)
    for stage in pipeline.names:
        table.append({"stage": stage, "in": left, "out": left - rejected[stage]})
        left -= rejected[stage]
    return table


def emptied(rows: Collection[Row], pipeline: Pipeline = PIPELINE) -> str | None:
    """Returns a warning if a stage rejected all photographs that the earlier stages had kept, else None. The usual
    cause is a threshold that was chosen for other photographs.

    The warning contains the stage's settings to check and one reason of a rejection. If the stage computes exactly one
    score, that is the reason of the photograph with the best score, else it is the most frequent reason.
    """
    counts = zip(pipeline.stages, retention_counts(rows, pipeline), strict=True)
    stage, entry = next(((s, e) for s, e in counts if e["in"] and not e["out"]), (None, {}))
    if stage is None:
        return None
    rejected = (row for row in rows if row.rejected_by == stage.name)
    if len(stage.measures) == 1:
        score = stage.measures[0].name
        nearest = max(rejected, key=lambda row: row.scores.get(score, -math.inf))
        example = f"the best of them for {nearest.reason!r}"
    else:
        (_, reason), _ = max(reasons(rejected).items(), key=lambda item: (item[1], item[0]))
        example = f"most often for {reason!r}"
    return f"{stage.name} rejected all {entry['in']:,} photographs that reached it, {example}. Look at {stage.hint}"


def reasons(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """Returns the number of rejected rows by (stage, kind of reason). Reasons that differ only in numbers and names are
    of one kind."""
    return Counter((row.rejected_by, _kind_of(row.reason)) for row in rows if row.rejected_by)


def filter_report(
    rows: Iterable[Row], kinds: Mapping[str, str], stage: Stage, pipeline: Pipeline = PIPELINE
) -> FilterReport:
    """Compares a filter's decisions with the labels of the photographs. Photographs that an earlier stage rejected are
    not counted.

    kinds: label of each labelled photograph, such as "blur", by path of the photograph.
    """
    earlier = pipeline.names[: pipeline.names.index(stage.name)]
    counts: Counter[tuple[bool, bool]] = Counter()
    for row in rows:
        kind = kinds.get(row.photo, "")
        if kind and row.rejected_by not in earlier:
            counts[kind not in stage.unwanted_kinds, row.rejected_by != stage.name] += 1
    return FilterReport(
        stage=stage.name,
        true_positives=counts[True, True],
        false_positives=counts[False, True],
        false_negatives=counts[True, False],
        true_negatives=counts[False, False],
    )


def best_view_report(rows: Iterable[Row], kinds: Mapping[str, str], pipeline: Pipeline = PIPELINE) -> BestViewReport:
    """Compares the photograph that was chosen for each vase with the labels. Vases that have an unlabelled photograph
    are not counted.

    kinds: label of each labelled photograph, such as "blur", by path of the photograph.
    """
    choice = pipeline.choice.name
    views: defaultdict[str, list[tuple[bool, str]]] = defaultdict(list)
    unlabelled: set[str] = set()
    for row in rows:
        kind = kinds.get(row.photo, "")
        # a later choice says nothing about the first
        views[row.vase_id].append((kind == FRONTAL, choice if row.instead_of else row.rejected_by))
        if not kind:
            unlabelled.add(row.vase_id)
    earlier = pipeline.names[: pipeline.names.index(choice)]
    counts: Counter[str] = Counter()
    for vase_id, seen in views.items():
        if vase_id in unlabelled or not any(frontal for frontal, _ in seen):
            continue
        right = any(frontal and stage not in (*earlier, choice) for frontal, stage in seen)
        had_choice = {frontal for frontal, stage in seen if stage not in earlier} == {True, False}
        counts.update({"vases": 1, "right": right, "choices": had_choice, "choices_right": had_choice and right})
    return BestViewReport(
        num_vases=counts["vases"],
        num_right=counts["right"],
        num_choices=counts["choices"],
        num_choices_right=counts["choices_right"],
    )


def _kind_of(reason: str) -> str:
    """Returns the kind of a rejection's reason, which is the reason without its details. Numbers and quoted names are
    replaced by "…", and everything from the first ": " or " (" on is removed."""
    return re.sub(r"-?\d+(?:\.\d+)?|'[^']*'", "…", re.split(r": | \(", reason)[0])


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
