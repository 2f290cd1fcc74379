"""The stage that keeps one photograph of each vase: the most frontal of those that passed the filters."""

import math
from collections import defaultdict
from collections.abc import Sequence

from vaserl.curation.settings import BestViewSettings
from vaserl.curation.stage import (
    Kept,
    KeptPhotograph,
    Measure,
    Photograph,
    Recipe,
    Rejected,
    Stage,
    StageContext,
    Verdict,
)
from vaserl.curation.stages.intact import FRONT
from vaserl.curation.stages.view_names import view_rank
from vaserl.dataset import Row

FRONTAL = "intact"
"""Label of a frontal photograph of a whole vase, which the best view should be. A photograph from above, for example,
has another label."""


class BestView:
    """Keeps the view of each vase with the highest `front` score. Rejects the others, with a reason that states which
    view was kept.

    If there is a threshold, views with a lower score or without a score are rejected first, even if a vase has no other
    views. Views with equal scores are ordered by the photograph's content hash, then by its path. Views without a
    score are ordered by `view_rank`: a front or side view first, then by number, because museums photograph view 1
    first; then by hash and path. So the choice does not depend on the order of the rows. Each call must get all the
    views of its vases.
    """

    def __init__(self, settings: BestViewSettings | None = None) -> None:
        """Takes the threshold from `settings`; without settings the best view is kept whatever its score."""
        assert settings is None or settings.quantile is None, (
            "replace the quantile by a threshold before building the stage"
        )
        self._threshold = settings.threshold if settings else None

    def judge_all(self, photographs: Sequence[Photograph]) -> list[Verdict]:
        """Returns one verdict for each photograph, in their order."""
        verdicts: list[Verdict] = [Kept()] * len(photographs)
        views: defaultdict[str, list[int]] = defaultdict(list)
        for index, photograph in enumerate(photographs):
            score = _score(photograph)
            if self._threshold is None or score >= self._threshold:
                views[photograph.vase_id].append(index)
                continue
            verdicts[index] = Rejected(
                reason="no model has judged how frontal it is"
                if math.isnan(score)
                else f"shown too little from the front: {score:.3f}, needed {self._threshold:g}"
            )
        for indices in views.values():
            winner, *others = sorted(indices, key=lambda index: _rank(photographs[index]))
            reason = f"of {len(indices)} views, {_name(photographs[winner])} " + (
                "comes first by its name; no model has judged how frontal they are"
                if math.isnan(_score(photographs[winner]))
                else "is shown more frontally"
            )
            for index in others:
                verdicts[index] = Rejected(reason=reason)
        return verdicts


def _score(photograph: Photograph) -> float:
    return float(photograph.columns.get(FRONT.name, math.nan))


def _rank(photograph: Photograph) -> tuple[float, tuple[int, tuple[int, ...], str] | tuple[()], str, str]:
    unscored = math.isnan(_score(photograph))
    return (
        math.inf if unscored else -_score(photograph),
        view_rank(photograph.view) if unscored else (),
        photograph.columns["photo_sha256"],
        photograph.photo,
    )


def _name(photograph: Photograph) -> str:
    return f"view {photograph.view}" if photograph.view else photograph.photo.rsplit("/", 1)[-1]


def _recipe(context: StageContext) -> Recipe:
    return Recipe(make=BestView, arguments=(context.settings.best_view,))


def _tell(kept: KeptPhotograph) -> str:
    row, rivals = kept.row, kept.rivals
    if not rivals:
        return "kept it: the only view left" + (f" ({kept.measured})" if kept.measured else "")
    against = ", ".join(
        _name_of_row(other) + ("" if math.isnan(_front(other)) else f" {_front(other):.3f}") for other in rivals
    )
    if math.isnan(_front(row)):
        return f"preferred it to {against}: none of them has a score, so the views' names decide"
    return f"preferred it: {kept.measured} against {against}"


def _front(row: Row) -> float:
    return float(row.scores.get(FRONT.name, math.nan))


def _name_of_row(row: Row) -> str:
    return f"view {row.view}" if row.view else row.photo.rsplit("/", 1)[-1]


BEST_VIEW = Stage(
    name="best_view",
    section="best_view",
    recipe=_recipe,
    measures=(Measure(name=FRONT.name, limit="threshold"),),
    hint="best_view.threshold, or give best_view.quantile instead",
    tell=_tell,
)
