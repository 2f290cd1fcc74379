"""Extracts the facts about a vase from a text: fabric, technique, shape, dating, decoration and attribution.

The same parser is used for generated captions, reference captions and museum records, so a mistake of the parser
affects both sides of a comparison. Labelled parts of a text (`Fabric: …; Technique: …`) are parsed first, each by its
label. In the rest of the text, dates are found first, then attributions, then names in the lexicons. The words that
remain describe the decoration.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from vaserl.rewards.vase.abbreviations import expand
from vaserl.rewards.vase.attribution import Attribution, find_attributions, read_names
from vaserl.rewards.vase.config import ParserConfig
from vaserl.rewards.vase.dates import YearInterval, find_dates, innermost
from vaserl.rewards.vase.decoration import decoration_words, depicted
from vaserl.rewards.vase.hand_phrases import hide_numbers
from vaserl.rewards.vase.lexicon import Mention, find_mentions, places, wider
from vaserl.rewards.vase.text import CUT, normalize, tokens
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """A fabric, technique or shape that a text states. Example: Term(id="amphora/neck", text="")."""

    id: str
    """Id in the lexicon ("amphora/neck"); empty for a term that isn't in the lexicon."""
    text: str
    """Normalised words of a term that isn't in the lexicon; empty if `id` is set, so that synonyms are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts that a text states about a vase: a tuple of values in each dimension, empty if the text states none."""

    fabric: tuple[Term, ...] = ()
    """Distinct fabrics (where the vase was made), in the order of the text."""
    technique: tuple[Term, ...] = ()
    """Distinct painting techniques, in the order of the text."""
    shape: tuple[Term, ...] = ()
    """Distinct shapes of the vessel, in the order of the text."""
    dating: tuple[YearInterval, ...] = ()
    """Distinct dates in chronological order; none of the intervals contains another."""
    decoration: tuple[str, ...] = ()
    """Distinct lemmas of the words that describe the decoration, in the order of the text."""
    attribution: tuple[Attribution, ...] = ()
    """Distinct attributions, in the order of the text. If a museum's record has several, they are alternatives."""

    def __getitem__(self, dimension: Dimension) -> tuple:
        return getattr(self, dimension)


_DEFAULT = ParserConfig()


def parse_caption(text: str, parser: ParserConfig = _DEFAULT) -> Facts:
    """Parses a caption, which may be free text or have labels ("Shape: cup"), and returns the facts that it states.

    Only the first `parser.max_chars` characters are parsed.
    """
    free, labelled = _split_labels(expand(normalize(text, parser.max_chars)))
    facts = _parse_free(free, parser)
    if not labelled:
        return facts
    values: dict[Dimension, tuple] = {dimension: facts[dimension] for dimension in DIMENSIONS}
    for dimension, value in labelled:
        values[dimension] = (*_field(dimension, value, parser), *values[dimension])
    return _facts(values)


def parse_record(record: Mapping[str, str], parser: ParserConfig = _DEFAULT) -> Facts:
    """Parses a museum's record, whose keys are field names of the Beazley archive ("Shape Name").

    Fields that belong to none of the six dimensions are ignored.
    """
    return _record_facts(tuple(record.get(FIELD_OF_DIMENSION[dimension]) or "" for dimension in DIMENSIONS), parser)


def parse_value(dimension: Dimension, text: str, parser: ParserConfig = _DEFAULT) -> Facts:
    """Returns the facts in an answer about one dimension: "The fabric of the vase is ATHENIAN." or only "Athenian"."""
    answer = _ANSWER.sub("", expand(normalize(text, parser.max_chars)))
    return _facts({dimension: _field(dimension, answer.rstrip(". "), parser)})


_LABELS: Mapping[str, Dimension] = {
    "fabric": "fabric",
    "ware": "fabric",
    "technique": "technique",
    "shape": "shape",
    "shape name": "shape",
    "form": "shape",
    "date": "dating",
    "dating": "dating",
    "decoration": "decoration",
    "attribution": "attribution",
    "attributed to": "attribution",
    "artist": "attribution",
    "hand": "attribution",
    "painter": "attribution",
}
# In "By the Brygos Painter: a cup", "painter:" is not a label; in "…; painter: Lydos" it is one.
_NAMED = rf"\b({'|'.join(sorted(_LABELS.keys() - {'painter'}, key=len, reverse=True))}|(?<![a-z\d] )painter) ?[:=] ?"
_LABEL = re.compile(_NAMED)
# In a list that begins with "1." the numbers belong to the labels; in "… Louvre F 6. Fabric: …" the 6 doesn't.
_NUMBERED = re.compile(r"\W*1[.)] ")
_NUMBERED_LABEL = re.compile(rf"(?:(?<![\w.-])\d{{1,2}}[.)] )?{_NAMED}")
_ONE_PHRASE: tuple[Dimension, ...] = ("fabric", "technique", "shape", "dating", "attribution")
_PHRASE_END = re.compile(r"[;|](?: |$)|\.(?: |$)")
_DATE_END = re.compile(r"[;|](?: |$)|\.(?: |$)(?=\D)")  # the point of "c. 500" ends nothing
_ANSWER = re.compile(
    r"^(?:the )?(?:fabric|technique|shape(?: name)?|date|dating|decoration|attribution)"
    r"(?: of (?:the|this) (?:vase|vessel))?"
    r"(?: is|:)? |^(?:it|this|the vase)(?: vase)? (?:is|shows|depicts|dates to|was made)(?: an?)? "
)
# Explanations of a shape's name: "(drinking cup)", "(bowl for mixing wine and water)".
_GLOSS = re.compile(
    r"\((?:(?:deep |wine |water |storage |oil |perfume |two-handled |drinking |mixing )*"
    r"(?:jar|jug|pitcher|bowl|cup|cooler|flask|vase|box|bottle|vessel|dish|container))\b[^()]*\)"
)
_UNSTATED = frozenset(("vase", "vessel", "pot"))
# The findspot of a vase belongs to none of the six dimensions.
_FOUND = re.compile(
    r"\b(?:(?:found|excavated|discovered|unearthed|recovered) (?:in|at|near|on)"
    rf"|(?:said to (?:be|have come)|reportedly|allegedly|probably) from|find-?spot:?|provenance:?)\b[^,;.:()|{CUT}]*"
)
# These name a part of the vessel if another shape is named too: "a rhyton with symposiasts on the bowl".
_PARTS = frozenset(("bowl", "lid"))


@lru_cache(maxsize=65536)
def _record_facts(values: tuple[str, ...], parser: ParserConfig) -> Facts:
    normal = (normalize(value, parser.max_chars) for value in values)
    return _facts({d: _field(d, value, parser) for d, value in zip(DIMENSIONS, normal, strict=True)})


def _split_labels(normal: str) -> tuple[str, list[tuple[Dimension, str]]]:
    """Splits a normalised text such as "shape: cup; a warrior" into free text and labelled values.

    Returns the free text ("a warrior") and a list of (dimension, value): [("shape", "cup")].
    """
    if ":" not in normal and "=" not in normal:
        return normal, []
    pieces = (_NUMBERED_LABEL if _NUMBERED.match(normal) else _LABEL).split(normal)
    free, labelled = [pieces[0]], []
    for label, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        dimension, value, rest = _LABELS[label], piece, ""
        if dimension in _ONE_PHRASE:  # the text after the phrase is free text
            end = _DATE_END if dimension == "dating" else _PHRASE_END
            value, _, rest = end.sub(CUT, piece, count=1).partition(CUT)
        free.append(rest)
        labelled.append((dimension, value.strip(" ;,.|")))
    return f" {CUT} ".join(filter(str.strip, free)), labelled


def _field(dimension: Dimension, normal: str, parser: ParserConfig) -> tuple:
    """Returns the values in a normalised text that is only about `dimension`, such as a field of a museum's record."""
    if not normal:
        return ()
    if dimension == "dating":
        return find_dates(normal, parser.single_year_margin_years, bare=True)[0]
    if dimension == "attribution":
        return find_attributions(normal)[0] if "attribut" in normal else read_names(normal)
    if dimension == "decoration":
        return decoration_words(tokens(normal))
    words = [w for w in tokens(normal) if w not in ",."]
    terms = _terms(dimension, find_mentions(words, parser.spelling_cutoff, record=True))
    words = [w for w in words if w[0].isalnum()]
    # "storage vessel" is a name, "vessel" alone states nothing
    unknown = "" if _UNSTATED.issuperset(words) else " ".join(words)
    return terms or ((Term("", unknown),) if unknown else ())


def _parse_free(normal: str, parser: ParserConfig) -> Facts:
    if not normal:
        return Facts()
    if "(" in normal:
        normal = _GLOSS.sub(" ", normal)
    dating, normal = find_dates(hide_numbers(normal), parser.single_year_margin_years)
    attribution, normal = find_attributions(normal.replace(" - ", f" {CUT} "))
    normal = _FOUND.sub(f" {CUT} ", normal)
    words = tokens(normal)
    inside = depicted(words)
    outside = find_mentions([" " if i else w for w, i in zip(words, inside, strict=True)], parser.spelling_cutoff)
    if not outside and not any(w in _UNSTATED and not i for w, i in zip(words, inside, strict=True)):
        # The whole text seems to be a depiction: "Shown on an Athenian black-figure cup is …"
        outside = find_mentions(words, parser.spelling_cutoff)
    outside += _made_at(words, inside, outside)
    claimed = {index for m in outside for index in range(m.start, m.end)}
    return Facts(
        fabric=_terms("fabric", outside),
        technique=_terms("technique", outside),
        shape=_terms("shape", outside),
        dating=dating,
        decoration=decoration_words([w for index, w in enumerate(words) if index not in claimed]),
        attribution=attribution,
    )


def _made_at(words: Sequence[str], inside: Sequence[bool], mentions: Sequence[Mention]) -> list[Mention]:
    """Returns the fabrics that follow from place names in a text: "made in Athens" implies the Athenian fabric.

    If the text also states a fabric, a place of another fabric counts only after "made in" or a similar phrase.

    words: tokens of the text. inside: True for each token that describes the picture on the vase; a place there doesn't
    count. mentions: names of lexicon entries that were found in the text.
    """
    if places().keys().isdisjoint(words):
        return []
    named = {m.id for m in mentions if m.vocabulary == "fabric"}
    covered = {fabric for each in named for fabric in (each, *wider("fabric")[each])}
    within = {index for m in mentions for index in range(m.start, m.end)}  # "Gnathia technique" is no place
    found = []
    for index, word in enumerate(words):
        fabric = places().get(word)
        made = index > 1 and words[index - 1] in ("in", "at") and words[index - 2] in _MADE
        if fabric and index not in within and not inside[index] and (made or not named or fabric in covered):
            found.append(Mention("fabric", fabric, index, index + 1))
    return found


_MADE = frozenset(("made", "produced", "manufactured", "potted", "painted"))


def _terms(vocabulary: Dimension, mentions: list[Mention]) -> tuple[Term, ...]:
    ids = list(dict.fromkeys(m.id for m in mentions if m.vocabulary == vocabulary))
    if len(ids) > 1:
        # "A lekythos … this squat lekythos", "South Italian, Apulian": the wider term only restates the narrower one.
        around = frozenset().union(*(wider(vocabulary)[i] for i in ids))
        ids = [i for i in ids if i not in around]
    if vocabulary == "shape" and len(ids) > 1:
        ids = [i for i in ids if i not in _PARTS] or ids
    return tuple(Term(i, "") for i in ids)


def _facts(values: Mapping[Dimension, tuple]) -> Facts:
    distinct = {dimension: tuple(dict.fromkeys(found)) for dimension, found in values.items()}
    if "dating" in distinct:
        distinct["dating"] = innermost(list(distinct["dating"]))
    return Facts(**distinct)
