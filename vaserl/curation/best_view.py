"""One photograph for each vase: the most frontal of those that came through."""

import math
import re
from collections import defaultdict

from vaserl.curation.batch import Batch, rejecting, remaining
from vaserl.curation.intact import VIEW

STAGE = "best_view"


class BestView:
    """Keeps the view with the highest `front` score of each vase and rejects the others, naming the winner.

    Equal scores, and views that no model has scored, go by the view's number, then by path, so the choice does not
    depend on the order of the rows. A batch must hold all the views of its vases.
    """

    def __call__(self, batch: Batch) -> Batch:
        views: defaultdict[str, list[int]] = defaultdict(list)
        for index in remaining(batch):
            views[batch["vase_id"][index]].append(index)
        scores = batch.get(VIEW)

        def rank(index: int) -> tuple[float, list[tuple[int, str]], str]:
            score = float(scores[index]) if scores is not None else math.nan
            return (
                math.inf if math.isnan(score) else -score,
                _natural(batch["view"][index]),
                batch["photo"][index],
            )

        reasons = {}
        for indices in views.values():
            winner, *others = sorted(indices, key=rank)
            for index in others:
                reasons[index] = f"of {len(indices)} views, {_name(batch, winner)} is shown more frontally"
        return rejecting(batch, STAGE, reasons)


def _name(batch: Batch, index: int) -> str:
    view = batch["view"][index]
    return f"view {view}" if view else batch["photo"][index].rsplit("/", 1)[-1]


def _natural(view: str) -> list[tuple[int, str]]:
    """Sort key under which view 2 comes before view 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", view)]
