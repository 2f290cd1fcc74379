"""What a picture can show, as the cut-out network distinguishes it."""

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
