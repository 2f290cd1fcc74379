"""The stage that keeps one photograph of each vase: the most frontal of those that passed the filters.

Where no CLIP model has scored them, two opinions are combined: what the cut-out network sees, and what the views' names
say. Each may rule a photograph out: a sherd named "front" comes after a whole vase, and so does what looks whole and is
named "detail". Among whole vases from the side the names decide, since the network doesn't know a front from a back;
where they say nothing, the network does.

If no good 3D model could be made of the kept photograph, the stage chooses again among the vase's other ones.
"""

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
from vaserl.curation.stages.shown import SIDE_VIEW
from vaserl.curation.stages.view_names import NamedSide, named_sides, names_no_whole_vase, view_ranks
from vaserl.dataset import Row
from vaserl.meshes.cutout.views import shows_whole

FRONTAL = "intact"
"""Label of a frontal photograph of a whole vase, which the best view should be. A photograph from above, for example,
has another label."""

OTHER_VIEWS = Column(name="other_views", kind=str)
"""The vase's views from its other sides, for 3D generators that use several photographs; see `other_views`."""
INSTEAD_OF = Column(name="instead_of", kind=str)
"""The vase's photographs of which no good 3D model could be made, so that this one was chosen: a JSON list of their
values of `photo`, in the order in which they were tried; "" for a vase's first choice."""
_ROUND: tuple[NamedSide, ...] = ("front", "right", "back", "left")


class BestView:
    """Keeps the view of each vase with the highest `front` score. Rejects the others, with a reason that states which
    view was kept.

    If there is a threshold, views with a lower score or without a score are rejected first, even if a vase has no other
    views. Views with equal scores are ordered by the photograph's content hash, then by its path. Views without a
    score come after, in the order of `ranked`. So the choice does not depend on the order of the rows. Each call must
    get all the views of its vases.

    If the column `instead_of` lists photographs that were tried before, the call must get the other views. Those that
    show no whole vase from the side, by the network or by their names, are not tried.
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
            for index, verdict in zip(indices, _of_one_vase([photographs[index] for index in indices]), strict=True):
                verdicts[index] = verdict
        return verdicts


def _of_one_vase(views: Sequence[Photograph]) -> list[Verdict]:
    """Returns one verdict for each of a vase's views, of which at least one passes the threshold."""
    tried = json.loads(views[0].columns.get(INSTEAD_OF.name) or "[]")
    after = f" left after {len(tried)} that failed" if tried else ""
    order = [index for index in ranked(views) if not tried or _may_be_whole(views[index])]
    if not order:
        return [Rejected(reason=f"of {len(views)} views{after}, none shows a whole vase from the side")] * len(views)
    best = views[order[0]]
    reason = f"of {len(views)} views{after}, {_name(best)} {_why_first(best)}"
    verdicts: list[Verdict] = [Rejected(reason=reason)] * len(views)
    columns = {OTHER_VIEWS.name: other_views(best, [views[index] for index in order[1:]])}
    if tried:
        columns[INSTEAD_OF.name] = best.columns[INSTEAD_OF.name]
    verdicts[order[0]] = Kept(columns=columns)
    return verdicts


def ranked(views: Sequence[Photograph]) -> list[int]:
    """Returns the indices of one vase's photographs, the best view first.

    Photographs with a `front` score come first, the highest before the others. Of the others, those come first
    that may show a whole vase from the side, as the network and the view's name say; then by name, front before
    side before back; then by number, because museums photograph view 1 first; then by the network's probability; the
    last resort is the name's spelling, the content hash and the path.
    """
    names = view_ranks([view.view for view in views])

    def key(index: int) -> tuple[float, bool, int, tuple[int, ...], float, str, str, str]:
        view, (rank, numbers, text) = views[index], names[index]
        last = view.columns["photo_sha256"], view.photo
        score, side = _score(view), _number(view, SIDE_VIEW)
        if not math.isnan(score):
            return -score, False, 0, (), 0.0, "", *last
        return math.inf, not _may_be_whole(view), rank, numbers, 0.0 if math.isnan(side) else -side, text, *last

    return sorted(range(len(views)), key=key)


def other_views(best: Photograph, others: Sequence[Photograph]) -> str:
    """Returns the photographs that show the vase from other sides than the best one, at most one from each side: a
    JSON list of objects with `photo`, `photo_sha256` and `side`, or "" if there are none.

    best: the kept photograph.
    others: the vase's other photographs, the preferred ones first.

    The views' names state the sides; `side` is counted from the best view, which becomes the front of the 3D model. It
    is "" for a view from the right or the left that doesn't state from which; such views are used only where the
    vase is also shown from the best view's opposite side, because they could not be told from it otherwise. Photographs
    that the network takes for something else than a whole vase from the side are left out, as are those whose rights or
    credit line differ from the best one's, since the terms of the 3D model are those of the best one.
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
        if not _may_be_whole(other):
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
    return _number(photograph, FRONT)


def _number(photograph: Photograph, column: Column) -> float:
    return float(photograph.columns.get(column.name, math.nan))


def _may_be_whole(photograph: Photograph) -> bool:
    """Returns whether a photograph may show a whole vase from the side: neither its view's name nor the network, where
    it has looked, denies it."""
    side = _number(photograph, SIDE_VIEW)
    return not names_no_whole_vase(photograph.view) and (math.isnan(side) or shows_whole(side))


def _why_first(best: Photograph) -> str:
    """Returns why a vase's best view comes first, as the end of the reason for which its others are rejected."""
    if not math.isnan(_score(best)):
        return "is shown more frontally"
    if not math.isnan(_number(best, SIDE_VIEW)):
        return "comes first by what the network sees and by its name"
    return "comes first by its name; no model has judged how frontal they are"


def _name(photograph: Photograph) -> str:
    return f"view {photograph.view}" if photograph.view else photograph.photo.rsplit("/", 1)[-1]


def _recipe(context: StageContext) -> Recipe:
    return Recipe(make=BestView, arguments=(context.settings.best_view,))


def _tell(kept: KeptPhotograph) -> str:
    row, rivals = kept.row, kept.rivals
    if row.instead_of:
        tried = sorted((o for o in rivals if o.photo in row.instead_of), key=lambda o: row.instead_of.index(o.photo))
        return "chose it after " + ", ".join(f"{_name_of_row(o)}, rejected by {o.rejected_by}" for o in tried)
    if not rivals:
        return "kept it: the only view left" + (f" ({kept.measured})" if kept.measured else "")
    against = ", ".join(
        _name_of_row(other) + ("" if math.isnan(_front(other)) else f" {_front(other):.3f}") for other in rivals
    )
    if math.isnan(_front(row)):
        seen = (
            "what the network sees and the views' names decide"
            if SIDE_VIEW.name in row.scores
            else "the views' names decide"
        )
        return f"preferred it to {against}: none of them has a score, so {seen}"
    return f"preferred it: {kept.measured} against {against}"


def _front(row: Row) -> float:
    return float(row.scores.get(FRONT.name, math.nan))


def _name_of_row(row: Row) -> str:
    return f"view {row.view}" if row.view else row.photo.rsplit("/", 1)[-1]


BEST_VIEW = Stage(
    name="best_view",
    section="best_view",
    recipe=_recipe,
    columns=(OTHER_VIEWS, INSTEAD_OF),
    measures=(Measure(name=FRONT.name, limit="threshold"),),
    reads=(FRONT, SIDE_VIEW),
    hint="best_view.threshold, or give best_view.quantile instead",
    tell=_tell,
)
