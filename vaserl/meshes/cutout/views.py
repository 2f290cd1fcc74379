"""What a picture can show, as the cut-out network distinguishes it, and which of it is a whole vase from the side."""

from collections.abc import Mapping
from enum import IntEnum

from vaserl.meshes.cutout.cutout import CutoutError

Views = Mapping[str, float]
"""Probability of each of `VIEWS`; they sum to 1."""

VIEWS = (
    "side",
    "above",
    "mouth",
    "below",
    "detail",
    "sherd",
    "page",
    "several",
    "upside_down_or_lying",
    "drawing",
    "other",
)
"""Names of the views: a whole vase from the side; from above, so that one sees into it but also its wall; straight into
its mouth; from below; a part, cut off by the frame; fragments; a picture within a picture (page, frame, padding);
several vases; one that stands on its head or lies; a drawing; anything else."""

MIN_WHOLE = 0.2
"""Smallest probability of "side" and "above" together with which a photograph counts as one of a whole vase from the
side. Many photographs from the side look down a little; the lathe measures the camera's height itself. Where a picture
is unlike its training, the network is surer of other views than of these."""
_WORDS = {
    "side": "nothing that is surely a whole vase from the side",
    "above": "a vase from above",
    "mouth": "a view into the mouth of a vase",
    "below": "a vase from below",
    "detail": "a part of a vase, cut off by the frame",
    "sherd": "a sherd",
    "page": "a page, or a picture within a picture",
    "several": "several vases",
    "upside_down_or_lying": "a vase that lies or stands upside down, or a sherd",
    "drawing": "a drawing",
    "other": "something that is no vase",
}


class Wholeness(IntEnum):
    """How surely a photograph shows a whole vase from the side; the best comes first."""

    PROBABLE = 0
    """More probably than not, and rather from the side than from above."""
    POSSIBLE = 1
    """Perhaps, or from above."""
    REFUSED = 2
    """Something else, which `check_view` refuses."""


def wholeness(side: float, above: float) -> Wholeness:
    """Returns how surely a photograph shows a whole vase from the side, by the probabilities of these two views."""
    if side + above < MIN_WHOLE:
        return Wholeness.REFUSED
    return Wholeness.PROBABLE if side >= above and side + above >= 0.5 else Wholeness.POSSIBLE


def check_view(views: Views) -> None:
    """Checks that a picture shows a whole vase from the side.

    Raises: CutoutError that says what it shows instead.
    """
    if wholeness(views["side"], views["above"]) == Wholeness.REFUSED:
        found = max(views, key=lambda name: views[name])
        raise CutoutError(f"not a whole vase from the side: it seems to show {_WORDS[found]} ({views[found]:.0%})")
