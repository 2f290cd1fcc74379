"""Recognises placeholders: texts such as "unknown", "n/a" and "Unknown Artist", by which a museum states nothing."""

import re

from vaserl.rewards.vase.lexicon import lexicon
from vaserl.rewards.vase.text import normalize

_MAX_CHARS = 80
"""Largest length of a placeholder, in characters. A longer text states something."""
_PHRASES = frozenset(
    (
        *("na", "n a", "nan", "nil", "null", "none", "no", "tbd", "tbc", "tba", "x", "xx", "xxx", "s n", "s d", "n d"),
        *("to be determined", "to be confirmed", "not applicable", "not available", "not known", "not recorded"),
        *("not stated", "not specified", "not given", "not identified", "not attributed", "not assigned", "not dated"),
        *("not yet attributed", "not yet identified", "no data", "no information", "no attribution", "no date"),
        *("no value", "no entry", "without attribution", "see notes", "data missing", "nicht bekannt", "keine angabe"),
        *("k a", "keine", "o a", "sans objet", "non attribue", "non attribuito", "non determinato", "aucun", "nessuno"),
    )
)
_UNKNOWN = frozenset(
    (
        *("unknown", "unidentified", "unidentifiable", "undetermined", "uncertain", "unattributed", "unspecified"),
        *("unrecorded", "undated", "anonymous", "unnamed", "unassigned", "unclassified", "indeterminate", "undefined"),
        *("missing", "pending", "blank", "empty", "unlisted", "unavailable", "unclear"),
        *("unbekannt", "unbekannter", "unbekannte", "unbestimmt", "anonym", "undatiert"),
        *("inconnu", "inconnue", "indetermine", "indeterminee", "anonyme"),
        *("ignoto", "sconosciuto", "anonimo", "indeterminato", "desconocido", "desconocida"),
    )
)
_GENERIC = frozenset(
    (
        *("artist", "artists", "painter", "painters", "potter", "maker", "makers", "creator", "author", "hand"),
        *("workshop", "craftsman", "craftsperson", "producer", "person", "people", "name", "identity"),
        *("kunstler", "meister", "maler", "artiste", "peintre", "artista", "pittore", "autore"),
        *("a", "an", "the", "by", "of", "or", "and", "is", "as", "at", "to", "present", "yet", "still", "currently"),
        *("shape", "form", "type", "kind", "object", "vessel", "vase", "fabric", "ware", "clay", "technique", "medium"),
        *("date", "dating", "period", "century", "year", "age", "culture", "origin", "place", "site", "findspot"),
        *("location", "context", "provenance", "provenience", "subject", "scene", "decoration", "iconography"),
        *("attribution", "attributed", "manufacture", "production", "region", "area", "value", "data", "field"),
    )
)
_OF_NOBODY = frozenset(("greek", "greece", "ancient", "roman", "italian", "italy", "south", "east", "early", "late"))
_NO_SHAPE = frozenset(
    ("fragment", "fragments", "fragmentary", "sherd", "sherds", "shard", "shards", "body", "rim", "of", "a")
)
_NOTHING_PAINTED = frozenset(
    (
        "undecorated",
        "no decoration",
        "not decorated",
        "no figural decoration",
        "without decoration",
        "plain",
        "unpainted",
    )
)


def is_placeholder(text: str, field: str) -> bool:
    """Returns True if the text states nothing. `field` is the record's field that contains the text.

    Examples: "", "-", "?", "n/a", "Unknown", "Unknown artist", "(not attributed)". "Unknown Greek artist" is a
    placeholder in the field "Attributed To" only; "undecorated" only in the field "Decoration".
    """
    if len(text) > _MAX_CHARS:
        return False
    words = re.findall(r"[^\W_]+", normalize(text, _MAX_CHARS).replace("'", ""))
    phrase = " ".join(words)
    if field == "Shape Name" and _NO_SHAPE.issuperset(words):
        return True
    if not words or phrase in _PHRASES or (field == "Decoration" and phrase in _NOTHING_PAINTED):
        return True
    if _UNKNOWN.isdisjoint(words):
        return False
    allowed = _UNKNOWN | _GENERIC | {"not", "be", "determined", "identified"}
    if field == "Attributed To":
        allowed |= _OF_NOBODY | _origin_words()
    return allowed.issuperset(words)


def _origin_words() -> frozenset[str]:
    """Returns the words of all names of fabrics: "athenian", "attic", "apulian"."""
    return frozenset(
        word for entry in lexicon("fabric").values() for name in entry.names for word in name.lower().split()
    )
