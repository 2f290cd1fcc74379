"""Queries over the manifest: how many photographs each stage kept, why it rejected the others, and how often the
filters and the choice of views were right."""

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
    """How often a filter's decisions agree with the photographs' labels; a positive is a photograph that it kept."""

    stage: str
    """Name of the filter's stage."""
    true_positives: int
    """Number of photographs that the filter kept and should keep."""
    false_positives: int
    """Number of photographs that the filter kept and should reject."""
    false_negatives: int
    """Number of photographs that the filter rejected and should keep."""
    true_negatives: int
    """Number of photographs that the filter rejected and should reject."""

    @property
    def precision(self) -> float:
        """Share of the kept photographs that should be kept; 0 if none was kept."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Among the photographs that should be kept, the share that the filter kept; 0 if there are none."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def as_dict(self) -> dict[str, Any]:
        """Returns the counts and the shares derived from them, as values that JSON can hold."""
        return asdict(self) | {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True, slots=True, kw_only=True)
class BestViewReport:
    """How often the photograph kept of a vase is a right one, which by its label shows the vase whole, sharp and from
    the front."""

    num_vases: int
    """Number of vases with a right photograph, which is whole, sharp and frontal, in the input."""
    num_right: int
    """How many of the `num_vases` vases kept a right photograph. A vase of which the filters rejected every right
    photograph counts as wrong."""
    num_choices: int
    """How many of the `num_vases` vases had both right and wrong photographs left when the best view was chosen."""
    num_choices_right: int
    """For how many of the `num_choices` vases a right photograph was chosen."""

    @property
    def share(self) -> float:
        """Share of vases whose kept photograph is right; errors of the filters and of the choice both lower it."""
        return _share(self.num_right, self.num_vases)

    @property
    def choice_share(self) -> float:
        """Share of choices between right and wrong photographs that were right; errors of the filters don't count."""
        return _share(self.num_choices_right, self.num_choices)

    def as_dict(self) -> dict[str, Any]:
        """Returns the counts and the shares derived from them, as values that JSON can hold."""
        return asdict(self) | {"share": self.share, "choice_share": self.choice_share}


def retention_counts(rows: Collection[Row], pipeline: Pipeline = PIPELINE) -> list[dict[str, Any]]:
    """Returns how many photographs reached and passed each stage, in order: [{"stage", "in", "out"}, …]. A stage's `in`
    is the `out` of the stage before it."""
    rejected = Counter(row.rejected_by for row in rows if row.rejected_by)
    unknown = set(rejected) - set(pipeline.names)
    assert not unknown, f"rows rejected by stages that the pipeline doesn't list: {unknown}"
    table, left = [], len(rows)
    for stage in pipeline.names:
        table.append({"stage": stage, "in": left, "out": left - rejected[stage]})
        left -= rejected[stage]
    return table


def emptied(rows: Collection[Row], pipeline: Pipeline = PIPELINE) -> str | None:
    """Returns a warning if one stage rejected every photograph that reached it, else None.

    The warning names the settings to look at, and the reason of the photograph with the best score, or for a stage
    without a single score the commonest reason. Thresholds that were chosen for other photographs have this effect.
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
    """Returns the number of rejected rows by (stage, kind of reason): the reason without its numbers and names."""
    return Counter((row.rejected_by, _kind_of(row.reason)) for row in rows if row.rejected_by)


def filter_report(
    rows: Iterable[Row], kinds: Mapping[str, str], stage: Stage, pipeline: Pipeline = PIPELINE
) -> FilterReport:
    """Compares a filter's decisions with the labels of the photographs that reached it.

    kinds: the label of what each photograph shows, by path of the photograph.
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
    """Compares the photograph kept of each vase with the labels; vases with an unlabelled photograph are left out.

    kinds: the label of what each photograph shows, by path of the photograph.
    """
    views: defaultdict[str, list[tuple[bool, str]]] = defaultdict(list)
    unlabelled: set[str] = set()
    for row in rows:
        kind = kinds.get(row.photo, "")
        views[row.vase_id].append((kind == FRONTAL, row.rejected_by))
        if not kind:
            unlabelled.add(row.vase_id)
    choice = pipeline.choice.name
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
    """Returns the text that all reasons of one kind share: numbers and quoted names become "…", and the text after a
    colon or a parenthesis is cut off."""
    return re.sub(r"-?\d+(?:\.\d+)?|'[^']*'", "…", re.split(r": | \(", reason)[0])


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
