"""A pen for drawing figures and ornaments.

A drawing contains the number of a paint layer in each pixel, not a colour. So each figure is drawn once, and each vase
assigns its own colours to the layers.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

EMPTY, BODY, LINE, RED, WHITE = range(5)
"""Numbers of the paint layers: bare ground, silhouette, incised or relief line, added red, added white."""

CANVAS_HEIGHT = 320
"""Height of a drawing in pixels. Figures in a texture are three to four times smaller; scaling smooths their edges."""

Point = tuple[float, float]


class Pen:
    """A pen and the canvas it draws on.

    The canvas is 1 unit high and `aspect` units wide. The origin is at the top left; x is to the right, y downwards.
    """

    def __init__(self, aspect: float) -> None:
        self.image = Image.new("L", (round(aspect * CANVAS_HEIGHT), CANVAS_HEIGHT), EMPTY)
        self._draw = ImageDraw.Draw(self.image)

    def area(self, *points: Point, layer: int = BODY) -> None:
        """Fills the inside of a smooth closed curve through the (x, y) points."""
        self._draw.polygon(_pixels(_spline([*points, *points[:3]])), fill=layer)

    def polygon(self, *points: Point, layer: int = BODY) -> None:
        """Fills the polygon with these (x, y) corners."""
        self._draw.polygon(_pixels(np.array(points)), fill=layer)

    def disc(self, x: float, y: float, radius: float, layer: int = BODY, stretch: float = 1.0) -> None:
        """Fills an ellipse with centre (x, y), 2 * radius high and `stretch` times as wide as high."""
        left, top = (x - radius * stretch) * CANVAS_HEIGHT, (y - radius) * CANVAS_HEIGHT
        right, bottom = (x + radius * stretch) * CANVAS_HEIGHT, (y + radius) * CANVAS_HEIGHT
        self._draw.ellipse((left, top, right, bottom), fill=layer)

    def limb(self, *points: tuple[float, float, float], layer: int = BODY) -> None:
        """Draws a smooth stroke of varying width, such as an arm or a tail, through points (x, y, width)."""
        curve = _spline([points[0], *points, points[-1]])
        for (x0, y0, w0), (x1, y1, w1) in pairwise(curve):
            step = np.array([x1 - x0, y1 - y0])
            normal = np.array([-step[1], step[0]]) / max(np.hypot(*step), 1e-9) / 2
            start, end = np.array([x0, y0]), np.array([x1, y1])
            corners = [start + normal * w0, end + normal * w1, end - normal * w1, start - normal * w0]
            self._draw.polygon(_pixels(np.array(corners)), fill=layer)
            self.disc(float(x1), float(y1), float(w1) / 2, layer)
        self.disc(float(curve[0][0]), float(curve[0][1]), float(curve[0][2]) / 2, layer)

    def line(self, *points: Point, width: float = 0.014, layer: int = LINE) -> None:
        """Draws a smooth stroke of constant width, such as an incision, through (x, y) points."""
        self.limb(*((x, y, width) for x, y in points), layer=layer)


def coverage(canvas: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scales a drawing down to height x width pixels.

    Returns: how far each of the five paint layers covers each pixel, 0 to 255, uint8 [height, width, 5].
    """
    layers = [
        np.asarray(
            Image.fromarray((canvas == layer).astype(np.uint8) * 255).resize((width, height), Image.Resampling.BOX)
        )
        for layer in range(5)
    ]
    return np.stack(layers, axis=-1)


_STEPS = 8


def _spline(points: Sequence[tuple[float, ...]]) -> np.ndarray:
    """Returns points on the Catmull-Rom spline through the given points, `_STEPS` from each given point to the next.

    The curve begins at the second point and ends at the last but one.
    """
    knots = np.array(points, dtype=float)
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(knots[:-3], knots[1:-2], knots[2:-1], knots[3:], strict=True)
    ]
    return np.concatenate([*pieces, knots[-2:-1]])


def _pixels(points: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x) * CANVAS_HEIGHT, float(y) * CANVAS_HEIGHT) for x, y in points[:, :2]]
