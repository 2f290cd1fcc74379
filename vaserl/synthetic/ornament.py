"""Drawings of the ornaments of six vase-painters ("hands"). All vases of a painter have that painter's ornament.

Morelli and Beazley attributed works to painters by habitual details. Here, the only such detail is the ornament. It is
large and coarse, so that it is visible in small images.
"""

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np

from vaserl.synthetic.pen import BODY, RED, WHITE, Pen, coverage


@cache
def motif(hand: str) -> np.ndarray:
    """Draws one tile of the painter's ornament, which is repeated horizontally.

    Returns: the number of each pixel's paint layer, 0 to 4, uint8 [H, W].
    """
    aspect, draw = _MOTIFS[hand]
    pen = Pen(aspect)
    draw(pen)
    canvas = np.array(pen.image)
    canvas.flags.writeable = False
    return canvas


def band(hand: str, height: int, width: int, circumference_over_height: float) -> np.ndarray:
    """Draws the painter's ornament as a band around the vase.

    The motif is repeated a whole number of times, so there is no seam. The number is chosen such that the motif keeps
    its proportions as nearly as possible; it is at least 4.

    Returns: how far each of the five paint layers covers each pixel, 0 to 255, uint8 [height, width, 5].
    """
    canvas = motif(hand)
    aspect = canvas.shape[1] / canvas.shape[0]
    repeats = max(4, round(circumference_over_height / aspect))
    edges = np.round(np.arange(repeats + 1) * width / repeats).astype(int)
    tile = coverage(canvas, height, int(np.diff(edges).max()))
    return np.concatenate([tile[:, : end - start] for start, end in pairwise(edges)], axis=1)


def _tongues(pen: Pen) -> None:
    for x, layer in ((0.26, BODY), (0.78, RED)):
        pen.limb((x, 0.04, 0.34), (x, 0.5, 0.36), (x, 0.78, 0.30), layer=layer)
    pen.polygon((0.0, 0.0), (1.04, 0.0), (1.04, 0.07), (0.0, 0.07))


def _dots(pen: Pen) -> None:
    pen.polygon((0.0, 0.0), (0.8, 0.0), (0.8, 1.0), (0.0, 1.0))
    pen.disc(0.4, 0.5, 0.30, WHITE)


def _rays(pen: Pen) -> None:
    pen.polygon((0.0, 1.0), (0.31, 0.0), (0.62, 1.0))


def _meander(pen: Pen) -> None:
    path = ((-0.1, 0.90), (0.17, 0.90), (0.17, 0.10), (1.05, 0.10), (1.05, 0.66), (0.62, 0.66), (0.62, 0.42))
    for (x0, y0), (x1, y1) in pairwise(path):
        left, right, top, bottom = min(x0, x1) - 0.09, max(x0, x1) + 0.09, min(y0, y1) - 0.09, max(y0, y1) + 0.09
        pen.polygon((left, top), (right, top), (right, bottom), (left, bottom))
    pen.polygon((0.08, 0.81), (1.4, 0.81), (1.4, 0.99), (0.08, 0.99))


def _checkers(pen: Pen) -> None:
    for row in range(2):
        for column in range(2):
            x, y = 0.5 * column, 0.5 * row
            layer = RED if (row + column) % 2 else WHITE
            pen.polygon((x, y), (x + 0.52, y), (x + 0.52, y + 0.52), (x, y + 0.52), layer=layer)


def _ivy(pen: Pen) -> None:
    pen.limb(
        (-0.2, 0.5, 0.07),
        (0.0, 0.5, 0.07),
        (0.375, 0.58, 0.07),
        (0.75, 0.5, 0.07),
        (1.125, 0.42, 0.07),
        (1.5, 0.5, 0.07),
        (1.7, 0.5, 0.07),
    )
    for x, side in ((0.375, -1), (1.125, 1)):
        y = 0.5 + side * 0.24
        pen.area(
            (x, y + side * 0.24),
            (x - 0.30, y + side * 0.05),
            (x - 0.24, y - side * 0.20),
            (x, y - side * 0.10),
            (x + 0.24, y - side * 0.20),
            (x + 0.30, y + side * 0.05),
        )
    for x, side in ((0.0, 1), (0.75, 1), (0.75, -1), (1.5, 1), (0.0, -1), (1.5, -1)):
        pen.disc(x, 0.5 + side * 0.28, 0.075, RED)


_MOTIFS: dict[str, tuple[float, Callable[[Pen], None]]] = {
    "ANTIMENES P": (0.8, _dots),
    "BERLIN P": (1.4, _meander),
    "AMASIS P": (1.04, _tongues),
    "BRYGOS P": (1.0, _checkers),
    "LYDOS": (0.62, _rays),
    "ACHILLES P": (1.5, _ivy),
}

HANDS: tuple[str, ...] = tuple(_MOTIFS)
"""Painters, written as in the records of the Beazley archive ("P" means painter), most frequent first."""
