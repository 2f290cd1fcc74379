"""Rewords fabrics, techniques and shapes: parts of a list that state nothing are left out, and descriptions of a
shape's use become its name."""

import re
from collections.abc import Callable
from itertools import pairwise

from vaserl.curation.canon.absences import is_placeholder
from vaserl.rewards.vase import lexicon, parse_record
from vaserl.rewards.vase.lexicon import Vocabulary, find_mentions, wider
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


_CULTURES = frozenset(
    (
        *("greek", "greece", "hellenic", "ancient", "culture", "period", "early", "late", "high"),
        *("archaic", "classical", "hellenistic"),
    )
)
"""Words in the field "Fabric" that don't say where a Greek vase was made."""
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
_COMPARES = frozenset(
    (
        *("type", "class", "style", "shape", "variants", "imported", "related", "like", "imitating", "imitation"),
        *("other", "than", "not", "or", "|"),
    )
)
"""Words beside which a fabric's or technique's name in another field is no statement about the vase."""
_GENERAL = re.compile(
    r"\b(?:pottery|wares?|vases?|shapes?|utensils?|devices?|objects?|vessels?|containers?|ceramics?|miscellaneous|various)\b",
    re.IGNORECASE,
)
"""Words of classes that are too wide to be a shape."""
_LONG = 3
"""Number of words from which a technique is a description, in which a word such as "incised" names no technique."""


def canonical_fabric(text: str) -> str:
    """Returns a fabric without the parts of a list that state nothing: "Attic; unknown" becomes "Attic", "Greek" ""."""
    text = _stated(text, "Fabric")
    return "" if _CULTURES.issuperset(_plain(text).split()) else text


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
    """Returns the name of the fabric or technique that a text in a field of another kind states: "red-figure" for "Red
    Figure Column Krater".

    Returns "" if it states none or several, or only compares ("Corinthian Type", "Attic and imported").
    """
    words = tokens(normalize(text, len(text)))
    found = {m.id for m in find_mentions(words, 1.0, record=True) if m.vocabulary == vocabulary}
    found -= {around for each in found for around in wider(vocabulary)[each]}  # "Apulian Gnathian"
    compares = _COMPARES if vocabulary == "fabric" else {"or", "not", "imitating", "imitation", "|"}
    if len(found) != 1 or not compares.isdisjoint(words) or not found <= _mentions(vocabulary, text):
        return ""
    return lexicon(vocabulary)[found.pop()].names[0]


def canonical_shape(text: str) -> str:
    """Returns a shape's name: "Mixing Vessel" becomes "krater", the path of classes "Pottery | Cup | Type C" becomes
    "Cup, Type C". Other names are unchanged."""
    text = _narrowest(re.sub(r"\s*:\s*(?=type\b)", ", ", _stated(text, "Shape Name"), flags=re.IGNORECASE))
    return _USES.get(_plain(text), text)


def names_a_shape(text: str) -> bool:
    """Returns True if the text contains the name of a shape: "a large, shallow drinking cup"."""
    return bool(_mentions("shape", text))


def _mentions(vocabulary: Vocabulary, text: str) -> set[str]:
    words = tokens(normalize(text, len(text)))
    return {mention.id for mention in find_mentions(words, 1.0) if mention.vocabulary == vocabulary}


def _narrowest(text: str) -> str:
    """Returns the shape in a path of classes from wide to narrow, which are separated by "|" or ">".

    It is the widest class that names a single shape, or a subtype of this shape that a narrower class or two classes
    together ("Cup | Type C") name. A text that is no such path is unchanged: "cup | skyphos" are two shapes.
    """
    classes = [part.strip() for part in re.split(r"[|>]", text) if part.strip()]
    for wide, narrow in pairwise(classes):  # "Small Bowl and Saltcellar | Saltcellar"
        if narrow in re.split(r" and | & |, ", wide) and not _mentions("shape", narrow):
            return narrow
    if len(classes) > 1 and not _mentions("shape", text):
        return next((part for part in classes if not _GENERAL.search(part)), text)
    single = [(part, found) for part in classes if len(found := _mentions("shape", part)) == 1]
    if len(classes) < 2 or not single or (len(classes) == 2 and _mentions("shape", classes[0])):
        return _pair(classes) or text
    widest, (family,) = single[0]
    narrower = [part for part, (found,) in single if found.startswith(f"{family}/")]
    return _pair(classes) or (narrower[-1] if narrower else widest)


def _pair(classes: list[str]) -> str:
    """Returns two neighbouring classes that name a subtype together, "" if none do."""
    for wide, narrow in reversed(list(pairwise(classes))):
        shapes = parse_record({"Shape Name": f"{wide}, {narrow}"}).shape
        apart = _mentions("shape", wide) | _mentions("shape", narrow)
        if len(shapes) == 1 and "/" in shapes[0].id and shapes[0].id not in apart:
            return f"{wide}, {narrow}"
    return ""


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
