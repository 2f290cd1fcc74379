"""Drawings of a horse, a lion, an owl and an octopus; the animals face right."""

from vaserl.synthetic.pen import LINE, RED, WHITE, Pen


def horse(pen: Pen, dx: float = 0.0) -> None:
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


def lion(pen: Pen) -> None:
    _quadruped(pen, 0.30, 0.74, 0.53, 0.22, 0.95, stride=0.09)
    pen.area((0.62, 0.28), (0.80, 0.14), (0.98, 0.20), (1.02, 0.40), (0.90, 0.58), (0.70, 0.62), (0.60, 0.46))
    pen.area((0.655, 0.30), (0.78, 0.20), (0.86, 0.26), (0.86, 0.46), (0.76, 0.57), (0.66, 0.48), layer=RED)
    pen.area(
        (0.86, 0.22),
        (1.02, 0.20),
        (1.14, 0.28),
        (1.13, 0.345),
        (1.02, 0.36),
        (1.12, 0.42),
        (1.08, 0.475),
        (0.94, 0.47),
        (0.86, 0.38),
    )
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


def owl(pen: Pen) -> None:
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


def octopus(pen: Pen) -> None:
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
    pen.area(
        (0.34, 0.22),
        (0.42, 0.05),
        (0.55, 0.01),
        (0.68, 0.05),
        (0.76, 0.22),
        (0.70, 0.40),
        (0.62, 0.50),
        (0.48, 0.50),
        (0.40, 0.40),
    )
    for x in (0.465, 0.635):
        pen.disc(x, 0.31, 0.075, WHITE)
        pen.disc(x, 0.31, 0.034)
    pen.line((0.44, 0.16), (0.55, 0.12), (0.66, 0.16), width=0.024, layer=RED)
    for side in (-1, 1):
        for k in range(4):
            pen.disc(0.55 + side * (0.05 + (0.12 + 0.105 * k) * 0.62), 0.50 + 0.10 * (3 - k), 0.014, LINE)


def _quadruped(pen: Pen, x0: float, x1: float, y: float, depth: float, hooves: float, stride: float = 0.06) -> None:
    """Draws the trunk and the four legs of a horse or lion that faces right."""
    pen.limb((x0, y, depth * 1.02), ((x0 + x1) / 2, y + 0.02, depth * 0.82), (x1, y - 0.01, depth * 1.08))
    hock = (hooves + y) / 2 + 0.06
    for hip, reach in ((x0 - 0.03, -stride), (x0 + 0.07, stride * 0.6)):
        pen.limb(
            (hip, y, depth * 0.75),
            (hip + reach * 0.2, (y + hock) / 2, 0.085),
            (hip + reach - 0.045, hock, 0.05),
            (hip + reach, hooves, 0.034),
        )
        pen.limb((hip + reach, hooves, 0.04), (hip + reach + 0.045, hooves + 0.012, 0.035))
    for shoulder, reach in ((x1 - 0.05, -stride * 0.5), (x1 + 0.03, stride)):
        pen.limb(
            (shoulder, y, depth * 0.6),
            (shoulder + reach * 0.7, (y + hock) / 2 + 0.03, 0.07),
            (shoulder + reach, hock, 0.045),
            (shoulder + reach, hooves, 0.034),
        )
        pen.limb((shoulder + reach, hooves, 0.04), (shoulder + reach + 0.045, hooves + 0.012, 0.035))
