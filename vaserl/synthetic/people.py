"""Drawings of people, some with animals, and of a siren (a bird with a woman's head). All figures face right."""

import numpy as np

from vaserl.synthetic.beasts import horse
from vaserl.synthetic.pen import BODY, LINE, RED, WHITE, Pen, Point


def warrior(pen: Pen) -> None:
    _leg(pen, (0.36, 0.56), (0.27, 0.74), (0.13, 0.93))
    _leg(pen, (0.44, 0.56), (0.60, 0.72), (0.58, 0.945))
    pen.area((0.28, 0.30), (0.52, 0.30), (0.54, 0.46), (0.50, 0.62), (0.30, 0.62), (0.27, 0.46))
    pen.limb((0.82, 0.02, 0.006), (0.79, 0.09, 0.04), (0.775, 0.13, 0.02))
    pen.limb((0.78, 0.10, 0.024), (0.62, 0.97, 0.024))
    pen.limb((0.48, 0.33, 0.07), (0.62, 0.44, 0.06), (0.72, 0.36, 0.045))
    pen.disc(0.42, 0.17, 0.085)
    pen.polygon((0.45, 0.12), (0.53, 0.14), (0.52, 0.26), (0.44, 0.25))
    pen.area(
        (0.24, 0.30),
        (0.27, 0.10),
        (0.40, 0.005),
        (0.56, 0.02),
        (0.54, 0.07),
        (0.42, 0.075),
        (0.35, 0.16),
        (0.33, 0.28),
        layer=RED,
    )
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


def herakles(pen: Pen) -> None:
    """Draws Herakles bending over a rearing lion and holding its neck."""
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


def komast(pen: Pen) -> None:
    _leg(pen, (0.34, 0.60), (0.36, 0.78), (0.28, 0.95), bulk=1.2)
    _leg(pen, (0.42, 0.60), (0.66, 0.58), (0.62, 0.80), bulk=1.15)
    pen.area((0.30, 0.26), (0.50, 0.26), (0.50, 0.44), (0.52, 0.60), (0.38, 0.70), (0.22, 0.62), (0.28, 0.44))
    pen.limb((0.46, 0.30, 0.075), (0.66, 0.34, 0.06), (0.72, 0.16, 0.045), (0.70, 0.08, 0.05))
    pen.limb((0.32, 0.30, 0.075), (0.12, 0.26, 0.06), (0.07, 0.42, 0.05), (0.10, 0.50, 0.05))
    _head(pen, 0.42, 0.145, 0.095)
    pen.area((0.25, 0.50), (0.51, 0.50), (0.53, 0.62), (0.38, 0.69), (0.23, 0.63), layer=RED)
    pen.line((0.33, 0.33), (0.40, 0.42), (0.48, 0.36))
    pen.limb((0.70, 0.09, 0.02), (0.63, 0.03, 0.03), (0.78, 0.03, 0.03), layer=WHITE)


def chariot(pen: Pen) -> None:
    horse(pen, dx=0.62)
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


def siren(pen: Pen) -> None:
    pen.area((0.30, 0.56), (0.52, 0.44), (0.74, 0.46), (0.78, 0.60), (0.66, 0.74), (0.44, 0.76))
    pen.limb((0.36, 0.64, 0.14), (0.20, 0.74, 0.12), (0.05, 0.80, 0.15))
    pen.limb((0.70, 0.50, 0.11), (0.73, 0.38, 0.085), (0.73, 0.28, 0.075))
    _head(pen, 0.735, 0.20, 0.095, beard=False)
    pen.area((0.64, 0.14), (0.70, 0.24), (0.68, 0.40), (0.60, 0.38), (0.60, 0.22))
    for k in range(3):
        pen.limb(
            (0.56, 0.52, 0.14),
            (0.38 - 0.03 * k, 0.38 - 0.04 * k, 0.15),
            (0.22 + 0.06 * k, 0.22 - 0.06 * k, 0.11),
            (0.27 + 0.08 * k, 0.08 - 0.03 * k, 0.05),
        )
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


def _head(pen: Pen, x: float, y: float, size: float = 0.075, beard: bool = True) -> None:
    """Draws a head in profile, facing right, with nose, beard, a band in the hair and an eye seen from the front."""
    pen.disc(x, y, size)
    pen.polygon((x + 0.6 * size, y - 0.5 * size), (x + 1.35 * size, y + 0.15 * size), (x + 0.7 * size, y + 0.4 * size))
    if beard:
        pen.area(
            (x, y + 0.2 * size),
            (x + 1.1 * size, y + 0.5 * size),
            (x + 1.2 * size, y + 1.7 * size),
            (x + 0.2 * size, y + size),
        )
    pen.line(
        (x - 0.9 * size, y - 0.25 * size),
        (x, y - 0.55 * size),
        (x + 0.75 * size, y - 0.5 * size),
        width=0.02,
        layer=RED,
    )
    pen.disc(x + 0.45 * size, y - 0.05 * size, 0.014, LINE)


def _leg(pen: Pen, hip: Point, knee: Point, heel: Point, bulk: float = 1.0) -> None:
    pen.limb((*hip, 0.115 * bulk), (*_between(hip, knee, 0.5), 0.105 * bulk), (*knee, 0.065 * bulk))
    calf = _between(knee, heel, 0.35)
    pen.limb((*knee, 0.065 * bulk), (calf[0] - 0.01, calf[1], 0.075 * bulk), (*heel, 0.035 * bulk))
    pen.limb((*heel, 0.035), (heel[0] + 0.05, heel[1] + 0.018, 0.03), (heel[0] + 0.085, heel[1] + 0.022, 0.02))


def _between(a: Point, b: Point, share: float) -> Point:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)
