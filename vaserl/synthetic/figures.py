"""What is painted on the vases: twelve subjects as silhouettes with incised lines and added colours.

Each subject is drawn once on a canvas of small integers, the paint layers below, and coloured per vase. Masses are
large and few: a silhouette must still tell its subject when the whole vase is a hundred pixels high.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

EMPTY, BODY, LINE, RED, WHITE = range(5)
"""Paint layers: bare ground, silhouette, incision (or relief line), added red, added white."""

CANVAS_HEIGHT = 320
"""Pixels; three to four times what a figure gets on the vase, so that edges come out smooth."""

Point = tuple[float, float]


class Pen:
    """Draws on a canvas one unit high and `aspect` wide, origin at the top left, y downwards."""

    def __init__(self, aspect: float) -> None:
        self.image = Image.new("L", (round(aspect * CANVAS_HEIGHT), CANVAS_HEIGHT), EMPTY)
        self._draw = ImageDraw.Draw(self.image)

    def area(self, *points: Point, layer: int = BODY) -> None:
        """A closed shape with smooth outline through the points."""
        self._draw.polygon(_pixels(_spline([*points, *points[:3]])), fill=layer)

    def polygon(self, *points: Point, layer: int = BODY) -> None:
        """A closed shape with straight edges."""
        self._draw.polygon(_pixels(np.array(points)), fill=layer)

    def disc(self, x: float, y: float, radius: float, layer: int = BODY, stretch: float = 1.0) -> None:
        """A filled ellipse, `stretch` times as wide as it is high."""
        left, top = (x - radius * stretch) * CANVAS_HEIGHT, (y - radius) * CANVAS_HEIGHT
        right, bottom = (x + radius * stretch) * CANVAS_HEIGHT, (y + radius) * CANVAS_HEIGHT
        self._draw.ellipse((left, top, right, bottom), fill=layer)

    def limb(self, *points: tuple[float, float, float], layer: int = BODY) -> None:
        """A smooth stroke through (x, y, width) points: arms, legs, necks, tails."""
        curve = _spline([points[0], *points, points[-1]])
        for (x0, y0, w0), (x1, y1, w1) in zip(curve[:-1], curve[1:], strict=True):
            step = np.array([x1 - x0, y1 - y0])
            normal = np.array([-step[1], step[0]]) / max(np.hypot(*step), 1e-9) / 2
            start, end = np.array([x0, y0]), np.array([x1, y1])
            corners = [start + normal * w0, end + normal * w1, end - normal * w1, start - normal * w0]
            self._draw.polygon(_pixels(np.array(corners)), fill=layer)
            self.disc(float(x1), float(y1), float(w1) / 2, layer)
        self.disc(float(curve[0][0]), float(curve[0][1]), float(curve[0][2]) / 2, layer)

    def line(self, *points: Point, width: float = 0.014, layer: int = LINE) -> None:
        """A thin smooth stroke of even width: an incision."""
        self.limb(*((x, y, width) for x, y in points), layer=layer)


_STEPS = 8


def _spline(points: Sequence[tuple[float, ...]]) -> np.ndarray:
    """Catmull-Rom curve from the second point to the last but one, `_STEPS` samples for each piece."""
    knots = np.array(points, dtype=float)
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(knots[:-3], knots[1:-2], knots[2:-1], knots[3:], strict=True)
    ]
    return np.concatenate([*pieces, knots[-2:-1]])


def _pixels(points: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x) * CANVAS_HEIGHT, float(y) * CANVAS_HEIGHT) for x, y in points[:, :2]]


@cache
def silhouette(subject: str) -> np.ndarray:
    """uint8 [H, W] of paint layers for one of SUBJECTS, facing right."""
    aspect, draw = _DRAWINGS[subject]
    pen = Pen(aspect)
    draw(pen)
    canvas = np.array(pen.image)
    canvas.flags.writeable = False
    return canvas


def _leg(pen: Pen, hip: Point, knee: Point, heel: Point, bulk: float = 1.0) -> None:
    pen.limb((*hip, 0.115 * bulk), (*_between(hip, knee, 0.5), 0.105 * bulk), (*knee, 0.065 * bulk))
    calf = _between(knee, heel, 0.35)
    pen.limb((*knee, 0.065 * bulk), (calf[0] - 0.01, calf[1], 0.075 * bulk), (*heel, 0.035 * bulk))
    pen.limb((*heel, 0.035), (heel[0] + 0.05, heel[1] + 0.018, 0.03), (heel[0] + 0.085, heel[1] + 0.022, 0.02))


def _between(a: Point, b: Point, share: float) -> Point:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)


def _head(pen: Pen, x: float, y: float, size: float = 0.075, beard: bool = True) -> None:
    """A head in profile, facing right: nose, beard, a band in the hair, a frontal eye."""
    pen.disc(x, y, size)
    pen.polygon((x + 0.6 * size, y - 0.5 * size), (x + 1.35 * size, y + 0.15 * size), (x + 0.7 * size, y + 0.4 * size))
    if beard:
        pen.area((x, y + 0.2 * size), (x + 1.1 * size, y + 0.5 * size), (x + 1.2 * size, y + 1.7 * size), (x + 0.2 * size, y + size))
    pen.line((x - 0.9 * size, y - 0.25 * size), (x, y - 0.55 * size), (x + 0.75 * size, y - 0.5 * size), width=0.02, layer=RED)
    pen.disc(x + 0.45 * size, y - 0.05 * size, 0.014, LINE)


def _warrior(pen: Pen) -> None:
    _leg(pen, (0.36, 0.56), (0.27, 0.74), (0.13, 0.93))
    _leg(pen, (0.44, 0.56), (0.60, 0.72), (0.58, 0.945))
    pen.area((0.28, 0.30), (0.52, 0.30), (0.54, 0.46), (0.50, 0.62), (0.30, 0.62), (0.27, 0.46))
    pen.limb((0.82, 0.02, 0.006), (0.79, 0.09, 0.04), (0.775, 0.13, 0.02))
    pen.limb((0.78, 0.10, 0.024), (0.62, 0.97, 0.024))
    pen.limb((0.48, 0.33, 0.07), (0.62, 0.44, 0.06), (0.72, 0.36, 0.045))
    pen.disc(0.42, 0.17, 0.085)
    pen.polygon((0.45, 0.12), (0.53, 0.14), (0.52, 0.26), (0.44, 0.25))
    pen.area((0.24, 0.30), (0.27, 0.10), (0.40, 0.005), (0.56, 0.02), (0.54, 0.07), (0.42, 0.075), (0.35, 0.16), (0.33, 0.28), layer=RED)
    pen.line((0.47, 0.165), (0.52, 0.175), width=0.022)
    pen.disc(0.36, 0.46, 0.205)
    pen.disc(0.36, 0.46, 0.17, RED)
    pen.disc(0.36, 0.46, 0.15, BODY)
    for k in range(3):
        angle = np.radians(90 + 120 * k)
        pen.limb(
            (0.36, 0.46, 0.05),
            (0.36 + 0.07 * np.cos(angle), 0.46 - 0.07 * np.sin(angle), 0.05),
            (0.36 + 0.125 * np.cos(angle + 0.5), 0.46 - 0.125 * np.sin(angle + 0.5), 0.035),
            layer=WHITE,
        )


def _quadruped(pen: Pen, x0: float, x1: float, y: float, depth: float, hooves: float, stride: float = 0.06) -> None:
    """Trunk and four legs, facing right."""
    pen.limb((x0, y, depth * 1.02), ((x0 + x1) / 2, y + 0.02, depth * 0.82), (x1, y - 0.01, depth * 1.08))
    hock = (hooves + y) / 2 + 0.06
    for hip, reach in ((x0 - 0.03, -stride), (x0 + 0.07, stride * 0.6)):
        pen.limb(
            (hip, y, depth * 0.75), (hip + reach * 0.2, (y + hock) / 2, 0.085), (hip + reach - 0.045, hock, 0.05), (hip + reach, hooves, 0.034)
        )
        pen.limb((hip + reach, hooves, 0.04), (hip + reach + 0.045, hooves + 0.012, 0.035))
    for shoulder, reach in ((x1 - 0.05, -stride * 0.5), (x1 + 0.03, stride)):
        pen.limb(
            (shoulder, y, depth * 0.6), (shoulder + reach * 0.7, (y + hock) / 2 + 0.03, 0.07), (shoulder + reach, hock, 0.045), (shoulder + reach, hooves, 0.034)
        )
        pen.limb((shoulder + reach, hooves, 0.04), (shoulder + reach + 0.045, hooves + 0.012, 0.035))


def _horse(pen: Pen, dx: float = 0.0) -> None:
    _quadruped(pen, 0.34 + dx, 0.72 + dx, 0.47, 0.24, 0.955)
    pen.limb((0.72 + dx, 0.44, 0.23), (0.82 + dx, 0.29, 0.15), (0.86 + dx, 0.15, 0.115))
    pen.limb((0.85 + dx, 0.125, 0.12), (0.95 + dx, 0.20, 0.085), (1.03 + dx, 0.285, 0.06))
    pen.polygon((0.82 + dx, 0.10), (0.84 + dx, 0.0), (0.885 + dx, 0.075))
    pen.limb((0.26 + dx, 0.40, 0.06), (0.15 + dx, 0.46, 0.075), (0.10 + dx, 0.66, 0.07), (0.06 + dx, 0.86, 0.02))
    pen.limb((0.82 + dx, 0.06, 0.03), (0.755 + dx, 0.18, 0.06), (0.67 + dx, 0.335, 0.045), layer=RED)
    pen.line((0.67 + dx, 0.38), (0.70 + dx, 0.50), (0.65 + dx, 0.575))
    pen.line((0.36 + dx, 0.37), (0.42 + dx, 0.50), (0.36 + dx, 0.58))
    pen.line((0.885 + dx, 0.09), (0.90 + dx, 0.23))
    pen.disc(0.905 + dx, 0.135, 0.015, LINE)


def _owl(pen: Pen) -> None:
    pen.area((0.22, 0.34), (0.36, 0.28), (0.62, 0.42), (0.66, 0.62), (0.55, 0.80), (0.36, 0.84), (0.20, 0.66))
    pen.limb((0.34, 0.70, 0.16), (0.20, 0.84, 0.11), (0.08, 0.95, 0.05))
    pen.disc(0.45, 0.245, 0.205, stretch=1.12)
    pen.polygon((0.24, 0.14), (0.25, 0.01), (0.38, 0.09))
    pen.polygon((0.66, 0.14), (0.65, 0.01), (0.52, 0.09))
    for x in (0.345, 0.555):
        pen.disc(x, 0.235, 0.092, WHITE)
        pen.disc(x, 0.235, 0.045)
    pen.polygon((0.42, 0.30), (0.48, 0.30), (0.45, 0.40), layer=RED)
    for x in (0.42, 0.52):
        pen.limb((x, 0.80, 0.05), (x + 0.01, 0.95, 0.035))
        pen.limb((x - 0.02, 0.96, 0.03), (x + 0.08, 0.965, 0.03))
    pen.area((0.22, 0.42), (0.34, 0.44), (0.42, 0.60), (0.34, 0.76), (0.20, 0.74), layer=RED)
    for k in range(3):
        pen.line((0.22 + 0.02 * k, 0.52 + 0.08 * k), (0.38 - 0.01 * k, 0.54 + 0.08 * k), width=0.016)
    for k in range(3):
        for j in range(3 - k // 2):
            pen.disc(0.47 + 0.06 * j + 0.015 * k, 0.50 + 0.09 * k, 0.013, LINE)


def _ship(pen: Pen) -> None:
    pen.limb((0.06, 0.30, 0.03), (0.11, 0.46, 0.06), (0.16, 0.62, 0.1))
    pen.area((0.10, 0.54), (0.22, 0.64), (0.9, 0.64), (1.34, 0.60), (1.56, 0.72), (1.36, 0.80), (0.9, 0.86), (0.34, 0.82), (0.14, 0.68))
    pen.limb((1.30, 0.66, 0.10), (1.36, 0.50, 0.05), (1.30, 0.40, 0.03))
    pen.limb((0.78, 0.66, 0.035), (0.78, 0.03, 0.03))
    pen.area((0.34, 0.06), (0.78, 0.09), (1.22, 0.06), (1.26, 0.30), (1.16, 0.50), (0.78, 0.545), (0.38, 0.50), (0.28, 0.30), layer=WHITE)
    for x in (0.48, 0.63, 0.78, 0.93, 1.08):
        pen.line((x, 0.085), (x + (x - 0.78) * 0.1, 0.30), (x, 0.525), width=0.014, layer=BODY)
    pen.limb((0.30, 0.05, 0.03), (0.78, 0.065, 0.034), (1.26, 0.05, 0.03))
    for k in range(9):
        x = 0.32 + 0.115 * k
        pen.limb((x, 0.76, 0.02), (x - 0.09, 0.985, 0.026))
    pen.line((0.22, 0.715), (0.8, 0.735), (1.38, 0.695), width=0.03, layer=RED)
    pen.disc(1.385, 0.70, 0.048, WHITE)
    pen.disc(1.39, 0.70, 0.02)


def _palmette(pen: Pen) -> None:
    for k, angle in enumerate(np.radians(np.linspace(-105, 105, 9))):
        reach = 0.60 - 0.022 * abs(k - 4) ** 1.6
        tip = (0.5 + reach * np.sin(angle) * 0.78, 0.66 - reach * np.cos(angle))
        middle = (0.5 + 0.6 * reach * np.sin(angle) * 0.72, 0.66 - 0.6 * reach * np.cos(angle))
        pen.limb((0.5, 0.66, 0.03), (*middle, 0.1), (*tip, 0.085), layer=RED if k % 2 else BODY)
    pen.disc(0.5, 0.66, 0.105)
    pen.disc(0.5, 0.66, 0.06, WHITE)
    for side in (-1, 1):
        pen.limb(
            (0.5 + side * 0.06, 0.74, 0.05), (0.5 + side * 0.16, 0.90, 0.05), (0.5 + side * 0.32, 0.93, 0.05),
            (0.5 + side * 0.40, 0.84, 0.05), (0.5 + side * 0.33, 0.77, 0.045), (0.5 + side * 0.27, 0.83, 0.035),
        )


def _eye(pen: Pen) -> None:
    pen.area((0.04, 0.60), (0.26, 0.36), (0.62, 0.28), (0.98, 0.42), (1.30, 0.72), (1.06, 0.74), (0.84, 0.92), (0.50, 0.96), (0.22, 0.82))
    pen.area((0.14, 0.60), (0.32, 0.43), (0.62, 0.35), (0.92, 0.46), (1.12, 0.66), (0.98, 0.70), (0.80, 0.85), (0.50, 0.89), (0.26, 0.76), layer=WHITE)
    for radius, layer in ((0.25, BODY), (0.19, RED), (0.135, WHITE), (0.085, BODY)):
        pen.disc(0.58, 0.62, radius, layer)
    pen.limb((0.02, 0.36, 0.03), (0.26, 0.14, 0.10), (0.66, 0.07, 0.12), (1.02, 0.16, 0.08), (1.28, 0.34, 0.02))


def _octopus(pen: Pen) -> None:
    for side in (-1, 1):
        for k in range(4):
            spread, drop = 0.12 + 0.105 * k, 0.97 - 0.135 * k
            pen.limb(
                (0.55 + side * 0.05, 0.44, 0.09),
                (0.55 + side * (0.05 + spread * 0.62), 0.50 + 0.10 * (3 - k), 0.08),
                (0.55 + side * spread, drop - 0.09, 0.06),
                (0.55 + side * (spread + 0.07), drop - 0.015, 0.05),
                (0.55 + side * (spread + 0.10), drop - 0.085, 0.03),
            )
    pen.area((0.34, 0.22), (0.42, 0.05), (0.55, 0.01), (0.68, 0.05), (0.76, 0.22), (0.70, 0.40), (0.62, 0.50), (0.48, 0.50), (0.40, 0.40))
    for x in (0.465, 0.635):
        pen.disc(x, 0.31, 0.075, WHITE)
        pen.disc(x, 0.31, 0.034)
    pen.line((0.44, 0.16), (0.55, 0.12), (0.66, 0.16), width=0.024, layer=RED)
    for side in (-1, 1):
        for k in range(4):
            pen.disc(0.55 + side * (0.05 + (0.12 + 0.105 * k) * 0.62), 0.50 + 0.10 * (3 - k), 0.014, LINE)


def _siren(pen: Pen) -> None:
    pen.area((0.30, 0.56), (0.52, 0.44), (0.74, 0.46), (0.78, 0.60), (0.66, 0.74), (0.44, 0.76))
    pen.limb((0.36, 0.64, 0.14), (0.20, 0.74, 0.12), (0.05, 0.80, 0.15))
    pen.limb((0.70, 0.50, 0.11), (0.73, 0.38, 0.085), (0.73, 0.28, 0.075))
    _head(pen, 0.735, 0.20, 0.095, beard=False)
    pen.area((0.64, 0.14), (0.70, 0.24), (0.68, 0.40), (0.60, 0.38), (0.60, 0.22))
    for k in range(3):
        pen.limb((0.56, 0.52, 0.14), (0.38 - 0.03 * k, 0.38 - 0.04 * k, 0.15), (0.22 + 0.06 * k, 0.22 - 0.06 * k, 0.11), (0.27 + 0.08 * k, 0.08 - 0.03 * k, 0.05))
    pen.area((0.50, 0.42), (0.62, 0.46), (0.60, 0.58), (0.48, 0.56), layer=RED)
    pen.line((0.47, 0.42), (0.34, 0.26), (0.32, 0.14), width=0.018)
    pen.line((0.42, 0.47), (0.27, 0.30), (0.25, 0.19), width=0.018)
    pen.line((0.12, 0.735), (0.08, 0.86), width=0.016)
    pen.line((0.19, 0.70), (0.17, 0.82), width=0.016)
    for x in (0.54, 0.64):
        pen.limb((x, 0.72, 0.075), (x + 0.02, 0.85, 0.035), (x + 0.01, 0.95, 0.03))
        pen.limb((x - 0.03, 0.965, 0.03), (x + 0.10, 0.965, 0.03))
    pen.disc(0.735, 0.215, 0.06, WHITE)
    pen.disc(0.76, 0.20, 0.014)


def _lion(pen: Pen) -> None:
    _quadruped(pen, 0.30, 0.74, 0.53, 0.22, 0.95, stride=0.09)
    pen.area((0.62, 0.28), (0.80, 0.14), (0.98, 0.20), (1.02, 0.40), (0.90, 0.58), (0.70, 0.62), (0.60, 0.46))
    pen.area((0.655, 0.30), (0.78, 0.20), (0.86, 0.26), (0.86, 0.46), (0.76, 0.57), (0.66, 0.48), layer=RED)
    pen.area((0.86, 0.22), (1.02, 0.20), (1.14, 0.28), (1.13, 0.345), (1.02, 0.36), (1.12, 0.42), (1.08, 0.475), (0.94, 0.47), (0.86, 0.38))
    pen.disc(0.87, 0.165, 0.05)
    pen.disc(0.985, 0.275, 0.017, LINE)
    pen.line((1.03, 0.36), (1.11, 0.375), width=0.026, layer=WHITE)
    for k in range(3):
        pen.line((0.70 + 0.05 * k, 0.34 - 0.03 * k), (0.72 + 0.04 * k, 0.48 - 0.02 * k), width=0.014)
    pen.limb((0.24, 0.46, 0.06), (0.10, 0.40, 0.05), (0.07, 0.20, 0.045), (0.18, 0.10, 0.045), (0.27, 0.17, 0.045))
    pen.disc(0.285, 0.19, 0.05)
    pen.line((0.34, 0.45), (0.41, 0.58), (0.34, 0.66))
    for k in range(3):
        pen.line((0.48 + 0.05 * k, 0.52), (0.46 + 0.05 * k, 0.59), width=0.012)


def _herakles(pen: Pen) -> None:
    """The hero bends over the rearing beast and locks its neck."""
    _leg(pen, (0.34, 0.56), (0.25, 0.74), (0.10, 0.935), bulk=1.1)
    _leg(pen, (0.40, 0.56), (0.56, 0.70), (0.47, 0.945), bulk=1.1)
    pen.area((0.36, 0.22), (0.56, 0.22), (0.60, 0.34), (0.50, 0.50), (0.44, 0.62), (0.29, 0.61), (0.30, 0.42))
    pen.limb((0.98, 0.72, 0.22), (0.92, 0.52, 0.19), (0.78, 0.38, 0.2), (0.70, 0.32, 0.16))
    pen.limb((1.02, 0.72, 0.17), (1.12, 0.84, 0.07), (1.06, 0.95, 0.045), (1.00, 0.955, 0.045))
    pen.limb((0.94, 0.74, 0.15), (0.90, 0.86, 0.07), (0.85, 0.95, 0.045), (0.79, 0.955, 0.045))
    pen.limb((1.06, 0.68, 0.06), (1.22, 0.62, 0.045), (1.24, 0.42, 0.045), (1.15, 0.33, 0.045))
    pen.disc(1.14, 0.325, 0.045)
    pen.limb((0.84, 0.50, 0.09), (0.70, 0.60, 0.06), (0.58, 0.62, 0.045))
    pen.disc(0.73, 0.33, 0.165, RED)
    pen.area((0.60, 0.28), (0.74, 0.24), (0.80, 0.34), (0.72, 0.44), (0.60, 0.42), (0.63, 0.36))
    pen.disc(0.70, 0.315, 0.016, LINE)
    pen.limb((0.52, 0.26, 0.085), (0.66, 0.22, 0.075), (0.84, 0.24, 0.06), (0.90, 0.34, 0.055))
    pen.limb((0.46, 0.30, 0.085), (0.52, 0.44, 0.07), (0.68, 0.48, 0.055))
    _head(pen, 0.52, 0.115, 0.088)
    pen.line((0.36, 0.30), (0.44, 0.42), (0.52, 0.40))
    pen.area((0.29, 0.54), (0.47, 0.52), (0.47, 0.63), (0.28, 0.64), layer=RED)


def _komast(pen: Pen) -> None:
    _leg(pen, (0.34, 0.60), (0.36, 0.78), (0.28, 0.95), bulk=1.2)
    _leg(pen, (0.42, 0.60), (0.66, 0.58), (0.62, 0.80), bulk=1.15)
    pen.area((0.30, 0.26), (0.50, 0.26), (0.50, 0.44), (0.52, 0.60), (0.38, 0.70), (0.22, 0.62), (0.28, 0.44))
    pen.limb((0.46, 0.30, 0.075), (0.66, 0.34, 0.06), (0.72, 0.16, 0.045), (0.70, 0.08, 0.05))
    pen.limb((0.32, 0.30, 0.075), (0.12, 0.26, 0.06), (0.07, 0.42, 0.05), (0.10, 0.50, 0.05))
    _head(pen, 0.42, 0.145, 0.095)
    pen.area((0.25, 0.50), (0.51, 0.50), (0.53, 0.62), (0.38, 0.69), (0.23, 0.63), layer=RED)
    pen.line((0.33, 0.33), (0.40, 0.42), (0.48, 0.36))
    pen.limb((0.70, 0.09, 0.02), (0.63, 0.03, 0.03), (0.78, 0.03, 0.03), layer=WHITE)


def _chariot(pen: Pen) -> None:
    _horse(pen, dx=0.62)
    for angle in np.linspace(0, np.pi, 3)[:2]:
        dx, dy = 0.22 * np.cos(angle), 0.22 * np.sin(angle)
        pen.limb((0.35 - dx, 0.735 - dy, 0.032), (0.35 + dx, 0.735 + dy, 0.032))
    ring = [(0.35 + 0.22 * np.cos(a), 0.735 + 0.22 * np.sin(a), 0.055) for a in np.linspace(0, 2 * np.pi, 17)]
    pen.limb(*ring)
    pen.disc(0.35, 0.735, 0.055, RED)
    pen.limb((0.12, 0.60, 0.05), (0.56, 0.60, 0.05), (1.25, 0.50, 0.03))
    pen.limb((0.54, 0.60, 0.045), (0.56, 0.44, 0.04), (0.48, 0.38, 0.04))
    pen.area((0.24, 0.28), (0.40, 0.26), (0.42, 0.42), (0.46, 0.60), (0.20, 0.60), (0.25, 0.42), layer=WHITE)
    pen.line((0.30, 0.34), (0.29, 0.58), layer=BODY)
    pen.line((0.37, 0.34), (0.39, 0.58), layer=BODY)
    pen.limb((0.36, 0.31, 0.06), (0.48, 0.36, 0.05), (0.60, 0.30, 0.04))
    pen.line((0.60, 0.30), (1.1, 0.24), (1.55, 0.22), width=0.014, layer=BODY)
    _head(pen, 0.33, 0.165, 0.085)


_DRAWINGS: dict[str, tuple[float, Callable[[Pen], None]]] = {
    "WARRIOR WITH SHIELD AND SPEAR": (0.86, _warrior),
    "HORSE": (1.12, _horse),
    "HERAKLES AND THE LION": (1.3, _herakles),
    "EYES": (1.34, _eye),
    "KOMAST DANCING": (0.82, _komast),
    "CHARIOT": (1.74, _chariot),
    "LION": (1.2, _lion),
    "SIREN": (0.92, _siren),
    "PALMETTES": (1.0, _palmette),
    "OWL": (0.78, _owl),
    "SHIP": (1.6, _ship),
    "OCTOPUS": (1.1, _octopus),
}

SUBJECTS: tuple[str, ...] = tuple(_DRAWINGS)
"""As a Beazley-form record words them, commonest first."""
