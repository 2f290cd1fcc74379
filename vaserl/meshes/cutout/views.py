"""What a picture can show, as the cut-out network distinguishes it, and which of it is a whole vase from the side."""

from collections.abc import Mapping

from vaserl.meshes.cutout.cutout import Cutout, CutoutError
from vaserl.meshes.cutout.outline import outline_fault

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

MIN_SIDE = 0.5
"""Smallest probability of "side" with which a photograph counts as one of a whole vase from the side."""
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


def shows_whole(side: float) -> bool:
    """Returns whether a photograph counts as one of a whole vase from the side, by the probability of "side"."""
    return side >= MIN_SIDE


def check_whole(found: Cutout) -> None:
    """Checks that a photograph shows a whole vase from the side: by the network's views, or by the outline where there
    are none. The outline doesn't tell a round jar from a view from above.

    Raises: CutoutError that says what it shows instead.
    """
    views = found.views
    if views is None:
        if fault := outline_fault(found.mask):
            raise CutoutError(fault)
    elif not shows_whole(views["side"]):
        likely = max(views, key=lambda name: views[name])
        raise CutoutError(f"not a whole vase from the side: it seems to show {_WORDS[likely]} ({views[likely]:.0%})")
