"""Traits of a vase, sampled from a skewed and correlated distribution.

The skew follows real collections: one fabric dominates, the technique depends on date and fabric, a shape has
a most frequent subject, most painters use one technique. A constant guess therefore scores well above chance, as on
real data.
"""

from dataclasses import dataclass

import numpy as np

from vaserl.synthetic.figures import SUBJECTS
from vaserl.synthetic.ornament import HANDS
from vaserl.synthetic.profile import Shape
from vaserl.synthetic.shapes import SHAPES

FABRICS: tuple[str, ...] = ("ATHENIAN", "CORINTHIAN", "BOEOTIAN", "EUBOEAN")
TECHNIQUES: tuple[str, ...] = ("BLACK-FIGURE", "RED-FIGURE", "WHITE-GROUND")
DATES: tuple[tuple[int, int], ...] = ((-600, -550), (-550, -525), (-525, -500), (-500, -475), (-475, -425))
"""First and last year of each period, as in records: years BCE are negative, and there is no year zero."""

SLIMNESS: tuple[float, ...] = (0.69, 0.83, 1.0, 1.2, 1.44)
"""Height over width relative to the shape's drawing, for each of DATES: vases become more slender with time."""

PROVENANCES: tuple[str, ...] = (
    "ITALY, ETRURIA, VULCI",
    "GREECE, ATTICA, ATHENS",
    "ITALY, NOLA",
    "ITALY, SICILY, GELA",
    "GREECE, RHODES, KAMIROS",
)

_SHAPE_NAMES = tuple(shape.name for shape in SHAPES)

_P_FABRIC = (0.58, 0.19, 0.13, 0.10)
_P_DATE = (0.14, 0.21, 0.28, 0.22, 0.15)
_P_BLACK_FIGURE = (0.97, 0.92, 0.66, 0.34, 0.12)
"""Probability that an Athenian vase is black-figure, for each of DATES."""
_P_WHITE_GROUND = 0.22
"""Probability of white-ground among vases that aren't black-figure."""
_FAVOURITE_SUBJECT = {
    "AMPHORA, NECK": "WARRIOR WITH SHIELD AND SPEAR",
    "LEKYTHOS": "SIREN",
    "KYLIX": "EYES",
    "HYDRIA": "CHARIOT",
    "KRATER, COLUMN": "HORSE",
    "KRATER, VOLUTE": "HERAKLES AND THE LION",
    "SKYPHOS": "OWL",
    "OINOCHOE": "LION",
    "PELIKE": "KOMAST DANCING",
    "KRATER, BELL": "SHIP",
    "AMPHORA, BELLY": "HERAKLES AND THE LION",
    "ARYBALLOS": "OCTOPUS",
}
_HANDS_OF_TECHNIQUE = {
    "BLACK-FIGURE": ("ANTIMENES P", "AMASIS P", "LYDOS"),
    "RED-FIGURE": ("BERLIN P", "BRYGOS P", "ACHILLES P"),
    "WHITE-GROUND": ("ACHILLES P", "BRYGOS P"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedFacts:
    """The facts that a vase shows, worded as in a record: one value for each of the six scored `DIMENSIONS`.

    Example: PaintedFacts(fabric="ATHENIAN", technique="BLACK-FIGURE", shape="AMPHORA, NECK", dating=(-525, -500),
    decoration="HORSE", attribution="ANTIMENES P")
    """

    fabric: str
    """One of FABRICS."""
    technique: str
    """One of TECHNIQUES."""
    shape: str
    """The name of one of SHAPES."""
    dating: tuple[int, int]
    """One of DATES."""
    decoration: str
    """One of SUBJECTS; it is repeated around the vase."""
    attribution: str
    """One of HANDS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaseTraits:
    """Everything that determines a vase's appearance and record."""

    facts: PaintedFacts
    slimness: float
    """Height over width relative to the shape's drawing: the date's `SLIMNESS` with a random deviation."""
    mirrored: bool
    """True when the figures face left."""
    height_cm: float
    """Height stated in the record; it isn't visible in images."""
    provenance: str | None
    """Findspot, None when unknown."""
    collection: str
    """Museum and inventory number."""
    paint_seed: int
    """Seed of the texture's random variation."""


def sample_traits(rng: np.random.Generator) -> VaseTraits:
    """Samples the traits of one vase."""
    fabric = str(rng.choice(FABRICS, p=_P_FABRIC))
    date = int(rng.choice(len(DATES), p=_P_DATE))
    p_black = _P_BLACK_FIGURE[date] if fabric == "ATHENIAN" else 0.45 + 0.55 * _P_BLACK_FIGURE[date]
    p_technique = (p_black, (1 - p_black) * (1 - _P_WHITE_GROUND), (1 - p_black) * _P_WHITE_GROUND)
    technique = str(rng.choice(TECHNIQUES, p=p_technique))
    shape = "LEKYTHOS" if technique == "WHITE-GROUND" and rng.random() < 0.45 else _skewed(rng, _SHAPE_NAMES, 0.86)
    subject = _FAVOURITE_SUBJECT[shape] if rng.random() < 0.4 else _skewed(rng, SUBJECTS, 0.9)
    hand = _skewed(rng, _HANDS_OF_TECHNIQUE[technique], 0.65) if rng.random() < 0.55 else _skewed(rng, HANDS, 0.85)
    known = rng.random() < 0.4
    return VaseTraits(
        facts=PaintedFacts(
            fabric=fabric, technique=technique, shape=shape, dating=DATES[date], decoration=subject, attribution=hand
        ),
        slimness=float(SLIMNESS[date] * np.exp(np.clip(rng.normal(0.0, 0.02), -0.05, 0.05))),
        mirrored=bool(rng.random() < 0.4),
        height_cm=round(float(rng.uniform(9.0, 62.0)), 1),
        provenance=_skewed(rng, PROVENANCES, 0.6) if known else None,
        collection=f"SYNTHETIC MUSEUM: {int(rng.integers(1, 10_000)):04d}",
        paint_seed=int(rng.integers(2**32)),
    )


def shape_of(facts: PaintedFacts) -> Shape:
    """Returns the shape that the facts name."""
    return SHAPES[_SHAPE_NAMES.index(facts.shape)]


def _skewed(rng: np.random.Generator, values: tuple[str, ...], ratio: float) -> str:
    """Samples one of the values, each `ratio` times as likely as the one before."""
    weights = ratio ** np.arange(len(values))
    return str(rng.choice(values, p=weights / weights.sum()))
