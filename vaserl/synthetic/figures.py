"""Drawings of the twelve subjects that are painted on the vases.

Each drawing consists of a few large areas, so that its subject is recognisable when the whole vase is 100 pixels high.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from vaserl.synthetic.beasts import horse, lion, octopus, owl
from vaserl.synthetic.pen import BODY, RED, WHITE, Pen
from vaserl.synthetic.people import chariot, herakles, komast, siren, warrior


@cache
def silhouette(subject: str) -> np.ndarray:
    """Draws one of `SUBJECTS`, facing right. Returns: the number of each pixel's paint layer, 0 to 4, uint8 [H, W]."""
    aspect, draw = _DRAWINGS[subject]
    pen = Pen(aspect)
    draw(pen)
    canvas = np.array(pen.image)
    canvas.flags.writeable = False
    return canvas


def _ship(pen: Pen) -> None:
    pen.limb((0.06, 0.30, 0.03), (0.11, 0.46, 0.06), (0.16, 0.62, 0.1))
    pen.area(
        (0.10, 0.54),
        (0.22, 0.64),
        (0.9, 0.64),
        (1.34, 0.60),
        (1.56, 0.72),
        (1.36, 0.80),
        (0.9, 0.86),
        (0.34, 0.82),
        (0.14, 0.68),
    )
    pen.limb((1.30, 0.66, 0.10), (1.36, 0.50, 0.05), (1.30, 0.40, 0.03))
    pen.limb((0.78, 0.66, 0.035), (0.78, 0.03, 0.03))
    pen.area(
        (0.34, 0.06),
        (0.78, 0.09),
        (1.22, 0.06),
        (1.26, 0.30),
        (1.16, 0.50),
        (0.78, 0.545),
        (0.38, 0.50),
        (0.28, 0.30),
        layer=WHITE,
    )
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
            (0.5 + side * 0.06, 0.74, 0.05),
            (0.5 + side * 0.16, 0.90, 0.05),
            (0.5 + side * 0.32, 0.93, 0.05),
            (0.5 + side * 0.40, 0.84, 0.05),
            (0.5 + side * 0.33, 0.77, 0.045),
            (0.5 + side * 0.27, 0.83, 0.035),
        )


def _eye(pen: Pen) -> None:
    pen.area(
        (0.04, 0.60),
        (0.26, 0.36),
        (0.62, 0.28),
        (0.98, 0.42),
        (1.30, 0.72),
        (1.06, 0.74),
        (0.84, 0.92),
        (0.50, 0.96),
        (0.22, 0.82),
    )
    pen.area(
        (0.14, 0.60),
        (0.32, 0.43),
        (0.62, 0.35),
        (0.92, 0.46),
        (1.12, 0.66),
        (0.98, 0.70),
        (0.80, 0.85),
        (0.50, 0.89),
        (0.26, 0.76),
        layer=WHITE,
    )
    for radius, layer in ((0.25, BODY), (0.19, RED), (0.135, WHITE), (0.085, BODY)):
        pen.disc(0.58, 0.62, radius, layer)
    pen.limb((0.02, 0.36, 0.03), (0.26, 0.14, 0.10), (0.66, 0.07, 0.12), (1.02, 0.16, 0.08), (1.28, 0.34, 0.02))


_DRAWINGS: dict[str, tuple[float, Callable[[Pen], None]]] = {
    "WARRIOR WITH SHIELD AND SPEAR": (0.86, warrior),
    "HORSE": (1.12, horse),
    "HERAKLES AND THE LION": (1.3, herakles),
    "EYES": (1.34, _eye),
    "KOMAST DANCING": (0.82, komast),
    "CHARIOT": (1.74, chariot),
    "LION": (1.2, lion),
    "SIREN": (0.92, siren),
    "PALMETTES": (1.0, _palmette),
    "OWL": (0.78, owl),
    "SHIP": (1.6, _ship),
    "OCTOPUS": (1.1, octopus),
}

SUBJECTS: tuple[str, ...] = tuple(_DRAWINGS)
"""Names of the subjects, as in the records of the Beazley archive, most frequent first."""
