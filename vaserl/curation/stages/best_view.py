"""One photograph for each vase: the most frontal of those that came through."""

import math
import re
from collections import defaultdict

from vaserl.curation.job.batch import RowBatch, rejecting, remaining
from vaserl.curation.settings import BestViewSettings
from vaserl.curation.stages.intact import VIEW

STAGE = "best_view"


class BestView:
    """Keeps the view with the highest `front` score of each vase and rejects the others, naming the winner.

    With a threshold, views that score less, or were not scored, are rejected first, an only view like one of many.
    Equal scores go by the photograph's content hash and then by path; views that no model has scored go by their
    number before that, view 1 being the one that a museum took first. So the choice does not depend on the order of
    the rows. A batch must hold all the views of its vases.
    """

    def __init__(self, settings: BestViewSettings | None = None) -> None:
        """Without settings the best view is kept however it scores."""
        assert settings is None or settings.quantile is None, "a quantile is worked out before the stage is made"
        self._threshold = settings.threshold if settings else None

    def __call__(self, batch: RowBatch) -> RowBatch:
        scored = batch.get(VIEW)
        views: defaultdict[str, list[int]] = defaultdict(list)
        reasons: dict[int, str] = {}

        def score(index: int) -> float:
            return float(scored[index]) if scored is not None else math.nan

        def rank(index: int) -> tuple[float, list[tuple[int, str]], str, str]:
            unscored = math.isnan(score(index))
            order = _natural(batch["view"][index]) if unscored else []
            return (
                math.inf if unscored else -score(index),
                order,
                batch["photo_sha256"][index],
                batch["photo"][index],
            )

        for index in remaining(batch):
            if self._threshold is not None and not score(index) >= self._threshold:
                reasons[index] = (
                    "no model has judged how frontal it is"
                    if math.isnan(score(index))
                    else f"shown too little from the front: {score(index):.3f}, needed {self._threshold:g}"
                )
            else:
                views[batch["vase_id"][index]].append(index)
        for indices in views.values():
            winner, *others = sorted(indices, key=rank)
            for index in others:
                reasons[index] = f"of {len(indices)} views, {_name(batch, winner)} " + (
                    "comes first; no model has judged how frontal they are"
                    if math.isnan(score(winner))
                    else "is shown more frontally"
                )
        return rejecting(batch, STAGE, reasons)


def _name(batch: RowBatch, index: int) -> str:
    view = batch["view"][index]
    return f"view {view}" if view else batch["photo"][index].rsplit("/", 1)[-1]


def _natural(view: str) -> list[tuple[int, str]]:
    """Sort key under which view 2 comes before view 10."""
    return [(int(number) if number else -1, text) for number, text in re.findall(r"(\d+)|(\D+)", view)]
