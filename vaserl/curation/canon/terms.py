"""Rewords fabrics, techniques and shapes: parts of a list that state nothing are left out, and descriptions of a
shape's use become its name."""

import re
from collections.abc import Callable

from vaserl.curation.canon.absences import is_placeholder
from vaserl.rewards.vase import lexicon, parse_record
from vaserl.rewards.vase.lexicon import Vocabulary, find_mentions
from vaserl.rewards.vase.text import normalize, tokens

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


_CULTURES = frozenset(("greek", "ancient greek", "hellenic", "classical greek", "greece", "ancient greece"))
"""Texts in the field "Fabric" that are true of any Greek vase."""
_MATERIALS = frozenset(
    (
        *(
            "terracotta",
            "terra",
            "cotta",
            "ceramic",
            "ceramics",
            "clay",
            "earthenware",
            "pottery",
            "pigment",
            "pigments",
        ),
        *("glaze", "glazed", "glazing", "slip", "slipped", "paint", "painted", "painting", "fired", "firing", "baked"),
        *("thrown", "throwing", "wheel", "wheelmade", "made", "hand", "handmade", "built", "handbuilding", "mold"),
        *("moldmade", "and", "with", "on", "in", "fine", "coarse", "buff", "orange", "argile", "terre", "cuite", "ton"),
    )
)
"""Words of materials and of forming, which museums write in the same column as the technique of painting."""
_LONG = 3
"""Number of words from which a technique is a description, in which a word such as "incised" names no technique."""


def canonical_fabric(text: str) -> str:
    """Returns a fabric without the parts of a list that state nothing: "Attic; unknown" becomes "Attic", "Greek" ""."""
    text = _stated(text, "Fabric")
    return "" if _plain(text) in _CULTURES else text


def canonical_technique(text: str) -> str:
    """Returns a technique without materials and the parts of a list that state nothing.

    Examples: "Terracotta; red-figure" becomes "red-figure", "Ceramic" becomes "".
    """
    text = _without(
        text, lambda piece: is_placeholder(piece, "Technique") or _MATERIALS.issuperset(_plain(piece).split())
    )
    described = len(_plain(text).split()) > _LONG and not _mentions("technique", text)
    return "" if described and parse_record({"Technique": text}).technique[0].id else text


def mentioned(vocabulary: Vocabulary, text: str) -> str:
    """Returns the name of the fabric, technique or shape that a text in a field of another kind states, "" if it states
    none or several: "red-figure" for "Red Figure Column Krater"."""
    found = _mentions(vocabulary, text)
    return lexicon(vocabulary)[found.pop()].names[0] if len(found) == 1 else ""


def canonical_shape(text: str) -> str:
    """Returns a shape's name: "Mixing Vessel" becomes "krater", the path of classes "Pottery | Cup | Type C" becomes
    "Cup, Type C". Other names are unchanged."""
    text = _narrowest(_stated(text, "Shape Name"))
    return _USES.get(_plain(text), text)


def _mentions(vocabulary: Vocabulary, text: str) -> set[str]:
    words = tokens(normalize(text, len(text)))
    return {mention.id for mention in find_mentions(words, 1.0) if mention.vocabulary == vocabulary}


def _narrowest(text: str) -> str:
    """Returns the narrowest shape in a path of classes, which are separated by "|" or ">", or the text itself if two of
    its classes together name no subtype."""
    classes = [part.strip() for part in re.split(r"[|>]", text)]
    for wide, narrow in zip(classes[-2::-1], classes[:0:-1], strict=True):
        pair = f"{wide}, {narrow}"
        terms = parse_record({"Shape Name": pair}).shape
        if len(terms) == 1 and "/" in terms[0].id and terms != parse_record({"Shape Name": text}).shape:
            return pair
    return text


def _stated(text: str, field: str) -> str:
    return _without(text, lambda piece: is_placeholder(piece, field))


def _without(text: str, says_nothing: Callable[[str], bool]) -> str:
    """Returns the text without those parts of a list that say nothing; the text itself if there are none."""
    pieces = re.split(r"([,;|/])", text)
    kept = list(zip(["", *pieces[1::2]], pieces[::2], strict=True))
    stated = [(separator, piece) for separator, piece in kept if not says_nothing(piece)]
    if len(stated) == len(kept):
        return text
    return "".join(
        piece if index == 0 else separator + piece for index, (separator, piece) in enumerate(stated)
    ).strip()


def _plain(text: str) -> str:
    """Returns the words of a text in lower case, without punctuation."""
    return " ".join(re.sub(r"[\W_]", " ", text).lower().split())
