"""Rewords fabrics, techniques and shapes: parts of a list that state nothing are left out, and descriptions of a
shape's use become its name."""

import re

from vaserl.curation.canon.absences import is_placeholder

_USES = {
    "mixing vessel": "krater",
    "mixing jar": "krater",
    "vessel for mixing wine and water": "krater",
    "bowl for mixing wine and water": "krater",
    "wine cooler": "psykter",
    "wine jug": "oinochoe",
    "wine pitcher": "oinochoe",
    "oil flask": "lekythos",
    "oil bottle": "lekythos",
    "drinking vessel": "cup",
    "wine cup": "cup",
    "water vessel": "hydria",
    "libation bowl": "phiale",
}
"""Descriptions of a vase's use that stand for exactly one family of shapes, and the name of that family."""


def canonical_fabric(text: str) -> str:
    """Returns a fabric without the parts of a list that state nothing: "Attic; unknown" becomes "Attic"."""
    return _stated(text, "Fabric")


def canonical_technique(text: str) -> str:
    """Returns a technique without the parts of a list that state nothing."""
    return _stated(text, "Technique")


def canonical_shape(text: str) -> str:
    """Returns a shape's name: "Mixing Vessel" becomes "krater". Other names are unchanged."""
    text = _stated(text, "Shape Name")
    return _USES.get(" ".join(re.sub(r"[^\w\s]", " ", text).lower().split()), text)


def _stated(text: str, field: str) -> str:
    pieces = re.split(r"([,;|/])", text)
    kept = [(separator, piece) for separator, piece in zip(["", *pieces[1::2]], pieces[::2], strict=True)]
    stated = [(separator, piece) for separator, piece in kept if not is_placeholder(piece, field)]
    if len(stated) == len(kept):
        return text
    return "".join(
        piece if index == 0 else separator + piece for index, (separator, piece) in enumerate(stated)
    ).strip()
