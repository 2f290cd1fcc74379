"""What curation did, as queries over the manifest: retention, reasons, and how often the filters were right."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vaserl.dataset import Row

STAGES = ("source", "quality", "intact", "best_view", "lift", "mesh_gate", "turntable", "describe", "questions")
"""Every stage that may reject a row, in their order."""

LOW_QUALITY = frozenset({"blur", "sketch", "crop"})
"""True kinds of photograph that `quality` is to keep out."""
NOT_INTACT = frozenset({"fragment", "sketch", "blur", "crop"})
"""True kinds that `intact` is to keep out, of those that reach it: it has a family of prompts for each."""
FRONTAL = "intact"
"""The true kind that the best view of a vase should be; one from above is whole and sharp, but no frontal view."""


_SCORE_OF = {"quality": "quality", "intact": "intact", "best_view": "front"}
"""The column with what a filter's threshold is held against."""

_LOOK_AT = {
    "source": "source.path, source.pattern, source.id_field and, behind a URL, source.storage_options",
    "quality": "quality.threshold, and at quality.path: it may have been trained on too few photographs, or on others",
    "intact": "intact.threshold, or give intact.quantile instead; and at clip.path",
    "best_view": "best_view.threshold, or give best_view.quantile instead",
    "lift": "lift.generator and the settings of that generator",
    "mesh_gate": "mesh_gate.min_iou, .min_symmetry, .max_open_edges and .needs_texture, and at its judge",
    "turntable": "what the generator of [lift] wrote to models/",
    "describe": "describe.llm, and at the memory and time of its pool",
    "questions": "the memory and time of the pool",
}
"""Settings that decide what a stage rejects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterReport:
    """A filter against the truth; a positive is a photograph that it let through."""

    stage: str
    """quality or intact."""
    true_positives: int
    """Let through, rightly."""
    false_positives: int
    """Let through, wrongly."""
    false_negatives: int
    """Rejected, wrongly."""
    true_negatives: int
    """Rejected, rightly."""

    @property
    def precision(self) -> float:
        """Share of right ones among those let through; 0 if none was."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of those let through among the ones that should be; 0 if there were none."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def as_dict(self) -> dict[str, Any]:
        """Counts and what follows from them, for JSON."""
        return asdict(self) | {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True, slots=True, kw_only=True)
class BestViewReport:
    """The photograph that was kept of each vase, against the truth; right is one that shows it whole, sharp and from
    the front."""

    num_vases: int
    """Vases with such a photograph among those that came in."""
    num_right: int
    """Of these, the ones whose kept photograph is right; where the filters lost every right one, it is not."""
    num_choices: int
    """Of these, the ones of which right and wrong photographs reached the choice."""
    num_choices_right: int
    """Of these, the ones of which a right one was chosen."""

    @property
    def share(self) -> float:
        """Share of vases whose kept photograph is right, whatever stage is to blame for the others."""
        return _share(self.num_right, self.num_vases)

    @property
    def choice_share(self) -> float:
        """Share of choices that were right: the best view by itself."""
        return _share(self.num_choices_right, self.num_choices)

    def as_dict(self) -> dict[str, Any]:
        """Counts and what follows from them, for JSON."""
        return asdict(self) | {"share": self.share, "choice_share": self.choice_share}


def retention_counts(rows: Collection[Row]) -> list[dict[str, Any]]:
    """[{"stage", "in", "out"}, …] for each stage in order; a stage's `in` is the `out` of the one before it."""
    rejected = Counter(row.rejected_by for row in rows if row.rejected_by)
    unknown = set(rejected) - set(STAGES)
    assert not unknown, f"rows rejected by stages that the table doesn't list: {unknown}"
    table, left = [], len(rows)
    for stage in STAGES:
        table.append({"stage": stage, "in": left, "out": left - rejected[stage]})
        left -= rejected[stage]
    return table


def emptied(rows: Collection[Row]) -> str | None:
    """If one stage rejected all that reached it: which, the reason that came nearest or was commonest, and where to
    look. A threshold that fits other photographs ends like that."""
    for entry in retention_counts(rows):
        if entry["in"] and not entry["out"]:
            stage = entry["stage"]
            break
    else:
        return None
    score, look_at = _SCORE_OF.get(stage), _LOOK_AT[stage]
    if score is None:
        (_, reason), _ = max(
            (item for item in reasons(rows).items() if item[0][0] == stage), key=lambda item: (item[1], item[0])
        )
        example = f"most often for {reason!r}"
    else:
        rejected = (row for row in rows if row.rejected_by == stage)
        nearest = max(rejected, key=lambda row: row.scores.get(score, -math.inf))
        example = f"the best of them for {nearest.reason!r}"
    return f"{stage} rejected all {entry['in']:,} photographs that reached it, {example}. Look at {look_at}"


def reasons(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """Rejected rows by stage and kind of reason: the reason without its figures and names."""
    return Counter((row.rejected_by, _kind_of(row.reason)) for row in rows if row.rejected_by)


def filter_report(rows: Iterable[Row], kinds: Mapping[str, str], stage: str) -> FilterReport:
    """`quality` or `intact` against the true kinds, by photograph, over the rows that reached the stage."""
    unwanted = {"quality": LOW_QUALITY, "intact": NOT_INTACT}[stage]
    earlier = STAGES[: STAGES.index(stage)]
    counts: Counter[tuple[bool, bool]] = Counter()
    for row in rows:
        kind = kinds.get(row.photo, "")
        if kind and row.rejected_by not in earlier:
            counts[kind not in unwanted, row.rejected_by != stage] += 1
    return FilterReport(
        stage=stage,
        true_positives=counts[True, True],
        false_positives=counts[False, True],
        false_negatives=counts[True, False],
        true_negatives=counts[False, False],
    )


def best_view_report(rows: Iterable[Row], kinds: Mapping[str, str]) -> BestViewReport:
    """Which photograph was kept of each vase, against the true kinds; vases with an unlabelled one are left out."""
    views: defaultdict[str, list[tuple[bool, str]]] = defaultdict(list)
    unlabelled: set[str] = set()
    for row in rows:
        kind = kinds.get(row.photo, "")
        views[row.vase_id].append((kind == FRONTAL, row.rejected_by))
        if not kind:
            unlabelled.add(row.vase_id)
    earlier = STAGES[: STAGES.index("best_view")]
    counts: Counter[str] = Counter()
    for vase_id, seen in views.items():
        if vase_id in unlabelled or not any(frontal for frontal, _ in seen):
            continue
        right = any(frontal and stage not in (*earlier, "best_view") for frontal, stage in seen)
        had_choice = {frontal for frontal, stage in seen if stage not in earlier} == {True, False}
        counts.update({"vases": 1, "right": right, "choices": had_choice, "choices_right": had_choice and right})
    return BestViewReport(
        num_vases=counts["vases"],
        num_right=counts["right"],
        num_choices=counts["choices"],
        num_choices_right=counts["choices_right"],
    )


def _kind_of(reason: str) -> str:
    """What reasons of one kind share: figures and quoted names become "…", and what follows a colon
    or a parenthesis is detail."""
    return re.sub(r"-?\d+(?:\.\d+)?|'[^']*'", "…", re.split(r": | \(", reason)[0])


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
