"""The stage that keeps one photograph of each vase: the most frontal of those that passed the filters."""

import json
import math
from collections import defaultdict
from collections.abc import Sequence

from vaserl.curation.settings import BestViewSettings
from vaserl.curation.stage import (
    Column,
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
from vaserl.curation.stages.view_names import NamedSide, named_sides, view_rank
from vaserl.dataset import Row

FRONTAL = "intact"
"""Label of a frontal photograph of a whole vase, which the best view should be. A photograph from above, for example,
has another label."""

OTHER_VIEWS = Column(name="other_views", kind=str)
"""The vase's views from its other sides, for 3D generators that use several photographs; see `other_views`."""
_ROUND: tuple[NamedSide, ...] = ("front", "right", "back", "left")


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
            if beside := other_views(photographs[winner], [photographs[index] for index in others]):
                verdicts[winner] = Kept(columns={OTHER_VIEWS.name: beside})
            reason = f"of {len(indices)} views, {_name(photographs[winner])} " + (
                "comes first by its name; no model has judged how frontal they are"
                if math.isnan(_score(photographs[winner]))
                else "is shown more frontally"
            )
            for index in others:
                verdicts[index] = Rejected(reason=reason)
        return verdicts


def other_views(best: Photograph, others: Sequence[Photograph]) -> str:
    """Returns the photographs that show the vase from other sides than the best one, at most one from each side: a
    JSON list of objects with `photo`, `photo_sha256` and `side`, or "" if there are none.

    best: the kept photograph.
    others: the vase's other photographs, the preferred ones first.

    The views' names state the sides; `side` is counted from the best view, which becomes the front of the 3D model. It
    is "" for a view from the right or the left that doesn't state from which; such views are used only where the
    vase is also shown from the best view's opposite side, because they could not be told from it otherwise. Photographs
    whose rights or credit line differ from the best one's are left out, since the terms of the 3D model are those of
    the best one.
    """
    front, *sides = named_sides([best.view, *(other.view for other in others)])
    if front is None or front == "aside":
        return ""
    used: dict[str, list[Photograph]] = {}
    digests = {best.columns["photo_sha256"]}
    for other, side in zip(others, sides, strict=True):
        digest = other.columns["photo_sha256"]
        if side in (None, front) or digest in digests or _terms(other) != _terms(best):
            continue
        name = "" if side == "aside" else _ROUND[(_ROUND.index(side) - _ROUND.index(front)) % len(_ROUND)]
        if len(used.get(name, ())) < (1 if name else 2):
            used.setdefault(name, []).append(other)
            digests.add(digest)
    if front in ("right", "left") or "back" not in used:
        used.pop("", None)
    else:
        used[""] = used.get("", [])[: 2 - ("right" in used) - ("left" in used)]
    found = [
        {"photo": other.photo, "photo_sha256": other.columns["photo_sha256"], "side": name}
        for name in (*_ROUND, "")
        for other in used.get(name, ())
    ]
    return json.dumps(found, ensure_ascii=False) if found else ""


def _terms(photograph: Photograph) -> tuple[str, str]:
    return str(photograph.columns.get("rights", "")), str(photograph.columns.get("credit", ""))


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
    columns=(OTHER_VIEWS,),
    measures=(Measure(name=FRONT.name, limit="threshold"),),
    hint="best_view.threshold, or give best_view.quantile instead",
    tell=_tell,
)
