"""Samples the traits of a vase.

The distribution of the traits resembles that in real collections. One fabric is the most frequent by far. The technique
depends on date and fabric. Each shape has a favourite subject, and most painters use one technique. Therefore a model
that always gives the same answer scores well above chance, as on real data.
"""

from dataclasses import dataclass

import numpy as np

from vaserl.dataset import SYNTHETIC_MUSEUM
from vaserl.synthetic.figures import SUBJECTS
from vaserl.synthetic.ornament import HANDS
from vaserl.synthetic.profile import Shape
from vaserl.synthetic.shapes import SHAPES

FABRICS: tuple[str, ...] = ("ATHENIAN", "CORINTHIAN", "BOEOTIAN", "EUBOEAN")
TECHNIQUES: tuple[str, ...] = ("BLACK-FIGURE", "RED-FIGURE", "WHITE-GROUND")
DATES: tuple[tuple[int, int], ...] = ((-600, -550), (-550, -525), (-525, -500), (-500, -475), (-475, -425))
"""Periods as (first year, last year), as in museum records: years BCE are negative, and there is no year zero."""

SLIMNESS: tuple[float, ...] = (0.69, 0.83, 1.0, 1.2, 1.44)
"""Ratio of a vase's height to the height of its shape in `shapes`, at equal width, for each period of DATES: vases
became more slender with time."""

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
"""Probability that an Athenian vase is black-figure, for each period of DATES."""
_P_WHITE_GROUND = 0.22
"""Probability that a vase that isn't black-figure is white-ground."""
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
    """Six facts that the photographs of a vase show, worded as in a museum record. The reward scores captions by them.

    Example: PaintedFacts(fabric="ATHENIAN", technique="BLACK-FIGURE", shape="AMPHORA, NECK", dating=(-525, -500),
    decoration="HORSE", attribution="ANTIMENES P")
    """

    fabric: str
    """Region in which the vase was made, one of FABRICS."""
    technique: str
    """Painting technique, one of TECHNIQUES."""
    shape: str
    """Name of the vase's shape, which is one of SHAPES."""
    dating: tuple[int, int]
    """Period (first year, last year), one of DATES."""
    decoration: str
    """Subject of the painting, one of SUBJECTS; the same figure is repeated around the vase."""
    attribution: str
    """Painter, one of HANDS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaseTraits:
    """Everything that determines a vase's appearance and record."""

    facts: PaintedFacts
    slimness: float
    """Ratio of the vase's height to the height of its shape in `shapes`, at equal width. It is the SLIMNESS of the
    vase's period with a random deviation."""
    mirrored: bool
    """True when the figures face left."""
    height_cm: float
    """Height in centimetres in the museum record. Images don't show it, because all vases are rendered at one size."""
    provenance: str | None
    """Findspot; None when it is unknown."""
    collection: str
    """Museum and inventory number."""
    paint_seed: int
    """Seed of the random variation of the texture."""


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
        collection=f"{SYNTHETIC_MUSEUM}: {int(rng.integers(1, 10_000)):04d}",
        paint_seed=int(rng.integers(2**32)),
    )


def shape_of(facts: PaintedFacts) -> Shape:
    """Returns the shape whose name is `facts.shape`."""
    return SHAPES[_SHAPE_NAMES.index(facts.shape)]


def _skewed(rng: np.random.Generator, values: tuple[str, ...], ratio: float) -> str:
    """Samples one of the values. Each value is `ratio` times as likely as the value before it."""
    weights = ratio ** np.arange(len(values))
    return str(rng.choice(values, p=weights / weights.sum()))
