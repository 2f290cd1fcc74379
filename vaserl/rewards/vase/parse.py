"""Extracts the facts about a vase from a text: fabric, technique, shape, dating, decoration and attribution.

The same parser is used for generated captions, reference captions and museum records, so a mistake of the parser
affects both sides of a comparison. A text is divided into zones, and values are read within their zone only:

1. `reasoning`: what a model writes before its answer is removed.
2. `lines`, `labels`: lines, and values with labels ("Credit Line: …"), each of which has its zone.
3. `zones`, `negation`: measurements, literature, credit lines, findspots and keepers are removed, and so is what the
   text denies ("no warriors") or only compares with ("unlike black-figure vases").
4. `dates`, `attribution`: dates and hands are read and cut out.
5. `lexicon`, `vessels`: names of fabrics, techniques and shapes; of several vessels, the vase that the text is about.
6. `decoration`: what is left of the zones that depict something.

docs/reward_reader.md explains the zones with examples.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Literal

from vaserl.rewards.vase.abbreviations import expand
from vaserl.rewards.vase.attribution import Attribution, find_attributions, read_names
from vaserl.rewards.vase.background import BACKGROUND_WORDS, without_background
from vaserl.rewards.vase.config import ParserConfig
from vaserl.rewards.vase.dates import YearInterval, find_dates, innermost
from vaserl.rewards.vase.decoration import NONE, decoration_words, depicted, is_prose, painted_words
from vaserl.rewards.vase.hand_phrases import hide_numbers
from vaserl.rewards.vase.labels import LabelledValue, split_labels
from vaserl.rewards.vase.language import marker_words, may_be_unread, unread_language
from vaserl.rewards.vase.lexicon import Mention, find_mentions, wider
from vaserl.rewards.vase.lines import text_lines
from vaserl.rewards.vase.negation import COMPARISON_WORDS, NEGATION_WORDS, without_compared, without_denied
from vaserl.rewards.vase.production_place import fabrics_of_places
from vaserl.rewards.vase.reasoning import without_reasoning
from vaserl.rewards.vase.text import CUT, normalize, tokens, word_group
from vaserl.rewards.vase.vessels import FIGURE_TECHNIQUES, PLAIN_SHAPES, PLAIN_VESSELS, of_the_vase, told_first
from vaserl.rewards.vase.zones import (
    FINDSPOT_WORDS,
    NUMBER_WORDS,
    is_ignored,
    without_findspots,
    without_numbers,
)
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
    unread: str = ""
    """Code of the text's language if the parser does not read it ("de"); the text then states nothing. Else empty."""

    def __getitem__(self, dimension: Dimension) -> tuple:
        return getattr(self, dimension)


_DEFAULT = ParserConfig()
_NOTHING = Facts()


def parse_caption(text: str, parser: ParserConfig = _DEFAULT) -> Facts:
    """Parses a caption, which may be free text or have labels ("Shape: cup"), and returns the facts that it states.

    Only the first `parser.max_chars` characters are parsed.
    """
    lines = text_lines(without_reasoning(text[: parser.max_chars]), parser.max_chars)
    lines = expand("\n".join(lines)).splitlines()
    if len(lines) == 1:
        free, labelled = split_labels(lines)
        facts = _parse_free(f" {CUT} ".join(free), parser)
        if facts.unread or not labelled:
            return facts
        stated = _combined([*(_labelled(label, parser) for label in labelled), _by_dimension(facts)])
        return _dated_by_period(stated, labelled, parser)
    whole = " ".join(lines)
    if may_be_unread(whole, frozenset(whole.split())) and (unread := unread_language(tokens(whole))):
        return Facts(unread=unread)
    free, labelled = split_labels(lines)
    heads = [line for line in free if len(line.split()) <= _LONGEST_HEAD]
    head = _parse_free(f" {CUT} ".join(heads), parser, listed=True)
    stated = _combined([*(_labelled(label, parser) for label in labelled), _by_dimension(head)])
    prose = f" {CUT} ".join(line for line in free if len(line.split()) > _LONGEST_HEAD)
    if not prose:
        return _dated_by_period(stated, labelled, parser)
    families = {term.id.partition("/")[0] for term in stated.shape} - PLAIN_SHAPES
    told = _parse_free(prose, parser, families)
    if not families and told.shape:
        stated = replace(stated, shape=told.shape)  # "Pitcher⏎This oinochoe …"
    # the heading says what the vase is; the prose below it also speaks of other vases
    facts = replace(
        stated,
        **{d: stated[d] or told[d] for d in DIMENSIONS if d != "decoration"},
        decoration=tuple(dict.fromkeys((*stated.decoration, *told.decoration))),
    )
    return _dated_by_period(facts, labelled, parser)


def _dated_by_period(facts: Facts, labelled: Sequence[LabelledValue], parser: ParserConfig) -> Facts:
    """Returns the facts with the dates of a "Period" of at most a century, if they have no other date."""
    if facts.dating or all(label.zone != "period" for label in labelled):
        return facts
    dates = [
        d
        for label in labelled
        if label.zone == "period"
        for d in find_dates(label.value, parser.single_year_margin_years)[0]
    ]
    return replace(facts, dating=innermost(d for d in dates if d.end - d.start <= _LONGEST_PERIOD_YEARS))


_LONGEST_PERIOD_YEARS = 100


_LONGEST_HEAD = 16
"""Largest number of words of a line that is a heading or a field and not prose."""


def _by_dimension(facts: Facts) -> dict[Dimension, tuple]:
    return {dimension: facts[dimension] for dimension in DIMENSIONS}


def _combined(parts: Sequence[Mapping[Dimension, tuple]]) -> Facts:
    """Returns the facts of all parts of a text; a part is the values of some dimensions."""
    return _facts({dimension: tuple(v for part in parts for v in part.get(dimension, ())) for dimension in DIMENSIONS})


def parse_record(record: Mapping[str, str], parser: ParserConfig = _DEFAULT) -> Facts:
    """Parses a museum's record, whose keys are field names of the Beazley archive ("Shape Name").

    Fields that belong to none of the six dimensions are ignored.
    """
    return _record_facts(tuple(record.get(FIELD_OF_DIMENSION[dimension]) or "" for dimension in DIMENSIONS), parser)


def parse_value(dimension: Dimension, text: str, parser: ParserConfig = _DEFAULT) -> Facts:
    """Returns the facts in an answer about one dimension: "The fabric of the vase is ATHENIAN." or only "Athenian"."""
    normal = normalize(without_reasoning(text[: parser.max_chars]), parser.max_chars)
    if may_be_unread(normal, normal.split()) and (unread := unread_language(tokens(normal))):
        return Facts(unread=unread)
    answer = _ANSWER.sub("", without_denied(expand(normal)))
    return _facts({dimension: _field(dimension, answer.strip(" ,."), parser)})


_ANSWER = re.compile(
    r"^(?:the )?(?:fabric|technique|shape(?: name)?|date|dating|decoration|attribution)"
    r"(?: of (?:the|this) (?:vase|vessel))?"
    r"(?: is|:)? |^(?:it|this|the vase)(?: vase)? (?:is|shows|depicts|dates to|was made)(?: an?)? "
)
_UNSTATED = frozenset(("vase", "vessel", "pot", "fragment", "fragments", "of", "a", "an", "the"))
_MATERIALS = word_group("materials")
_MODERN = 1000
"""Years from this one on are those of collectors and museums."""
_ONE_WORD = re.compile(r"(\b[\w-]+ )?\(([\w'-]+)\)")  # "amphora (Nolan)" is a Nolan amphora
# Explanations of a shape's name: "(drinking cup)", "(bowl for mixing wine and water)".
_GLOSS = re.compile(
    r"\((?:(?:deep |wine |water |storage |oil |perfume |two-handled |drinking |mixing |large |small )*"
    r"(?:jar|jug|pitcher|bowl|cup|cooler|flask|vase|box|bottle|vessel|dish|container))\b[^()]*\)"
)


@lru_cache(maxsize=65536)
def _record_facts(values: tuple[str, ...], parser: ParserConfig) -> Facts:
    normal = (normalize(value, parser.max_chars) for value in values)
    return _facts({d: _field(d, value, parser) for d, value in zip(DIMENSIONS, normal, strict=True)})


def _field(dimension: Dimension, normal: str, parser: ParserConfig) -> tuple:
    """Returns the values in a normalised text that is only about `dimension`, such as a field of a museum's record."""
    if not normal:
        return ()
    if dimension == "dating":
        return find_dates(normal, parser.single_year_margin_years, bare=True)[0]
    if dimension == "attribution":
        return find_attributions(normal)[0] if "attribut" in normal else read_names(normal)
    if dimension == "decoration":
        return decoration_words(tokens(without_denied(normal)))
    words = [w for w in tokens(normal) if w not in ",."]
    terms = _terms(dimension, find_mentions(words, parser.spelling_cutoff, record=True))
    words = [w for w in words if w[0].isalnum()]
    # "storage vessel" is a name, "vessel" alone states nothing
    unknown = "" if _UNSTATED.issuperset(words) or not _MATERIALS.isdisjoint(words) else " ".join(words)
    return terms or ((Term("", unknown),) if unknown else ())


def _labelled(label: LabelledValue, parser: ParserConfig) -> dict[Dimension, tuple]:
    """Returns the values that a labelled value states, by dimension. "Ware: Attic Red Figure" states two."""
    zone, normal = label.zone, without_denied(label.value)
    if zone == "period":
        return {}
    if zone == "decoration" and is_prose(words := tokens(normal)):
        return {zone: painted_words(words, [NONE] * len(words), ())}
    if zone in ("dating", "attribution", "decoration"):
        return {zone: _field(zone, normal, parser)}
    if zone == "names":
        facts = _parse_free(normal, parser)
        return {dimension: facts[dimension] for dimension in DIMENSIONS if dimension != "decoration"}
    words = [w for w in tokens(without_compared(normal)) if w not in ",."]
    mentions, _ = of_the_vase(find_mentions(words, parser.spelling_cutoff, record=True), words)
    if zone == "place":
        return {"fabric": _terms("fabric", [*mentions, *fabrics_of_places(words, [0] * len(words), mentions)])}
    found: dict[Dimension, tuple] = {d: terms for d in _VOCABULARIES if (terms := _terms(d, mentions))}
    if not found and (dating := find_dates(normal, parser.single_year_margin_years)[0]):
        return {"dating": dating}  # "Dates⏎Object: ca. 520 B.C."
    if not found and _MATERIALS.isdisjoint(words) and "," not in normal:
        return {d: _field(d, normal, parser) for d in _VOCABULARIES if d == zone}
    return found


_VOCABULARIES: tuple[Literal["fabric", "technique", "shape"], ...] = ("fabric", "technique", "shape")


def _parse_free(normal: str, parser: ParserConfig, families: Collection[str] = (), listed: bool = False) -> Facts:
    """Returns the facts in free text. families: see `of_the_vase`. listed: see `painted_words`."""
    if not normal:
        return Facts()
    present = _zone_words().intersection(normal.split())
    if may_be_unread(normal, present) and (unread := unread_language(tokens(normal))):
        return Facts(unread=unread)
    normal = hide_numbers(normal)
    if not (NUMBER_WORDS.isdisjoint(present) and "cm" not in normal and "mm" not in normal):
        normal = without_numbers(normal)
    if not NEGATION_WORDS.isdisjoint(present):
        normal = without_denied(normal)
    if "(" in normal:
        normal = _GLOSS.sub(_gloss, normal)
    if "-century" in normal or not BACKGROUND_WORDS.isdisjoint(present):
        normal = without_background(normal)
    dating, normal = find_dates(normal, parser.single_year_margin_years)
    dating = tuple(interval for interval in dating if interval.start < _MODERN)
    attribution, normal = find_attributions(normal.replace(" - ", f" {CUT} "))
    if not FINDSPOT_WORDS.isdisjoint(present):
        normal = without_findspots(normal)
    if not COMPARISON_WORDS.isdisjoint(present):
        normal = without_compared(normal)
    if "(" in normal:
        normal = _ONE_WORD.sub(_adjective, normal).replace("(", ", ").replace(")", ", ")
    words = tokens(normal)
    hidden = is_ignored(words)
    if hidden:
        words = ["," if h else w for w, h in zip(words, hidden, strict=True)]
    degrees = depicted(words)
    outside = [" " if d else w for w, d in zip(words, degrees, strict=True)] if any(degrees) else words
    mentions = find_mentions(outside, parser.spelling_cutoff)
    if not mentions and not any(w in _UNSTATED and not d for w, d in zip(words, degrees, strict=True)):
        # The whole text seems to be a depiction: "Shown on an Athenian black-figure cup is …"
        mentions = find_mentions(words, parser.spelling_cutoff)
    elif outside is not words and not any([m.vocabulary == "technique" for m in mentions]):
        mentions += _within_depiction(words, degrees, parser)
    if is_prose(words):
        mentions = told_first(mentions, words)
    named, scene = of_the_vase(mentions, words, families)
    made = fabrics_of_places(words, degrees, named)
    named += made
    claimed = {index for m in (*mentions, *made) if m not in scene for index in range(m.start, m.end)}
    return Facts(
        fabric=_terms("fabric", named),
        technique=_terms("technique", named),
        shape=_terms("shape", named),
        dating=dating,
        decoration=painted_words(words, degrees, claimed, listed),
        attribution=attribution,
    )


@cache
def _zone_words() -> frozenset[str]:
    """Returns the words that mark the zones of free text. Most texts have few of them, so these are found first."""
    return marker_words().union(NUMBER_WORDS, NEGATION_WORDS, BACKGROUND_WORDS, FINDSPOT_WORDS, COMPARISON_WORDS)


def _within_depiction(words: Sequence[str], degrees: Sequence[int], parser: ParserConfig) -> list[Mention]:
    """Returns the names beside a technique in the zones of a depiction: "featuring black-figure decoration"."""
    inside = find_mentions([w if d else " " for w, d in zip(words, degrees, strict=True)], parser.spelling_cutoff)
    techniques = [
        m
        for m in inside
        if m.vocabulary == "technique" and (m.id in FIGURE_TECHNIQUES or words[m.end : m.end + 1] == ["style"])
    ]
    return [
        m for m in inside if any(abs(m.start - t.end) <= 1 or abs(t.start - m.end) <= 1 or m == t for t in techniques)
    ]


def _adjective(match: re.Match[str]) -> str:
    """Opens a bracket of one word, which may belong to the name before it; a name of its own stays apart."""
    before, word = match[1] or "", match[2]
    if (
        before
        and len(tokens(before)) == 1
        and any(m.end == 2 > m.start + 1 for m in find_mentions([word, before[:-1]], 1.0))
    ):
        return f"{word} {before}"  # "lekythos (squat)"
    return f"{before} , {word} , " if find_mentions([word], 1.0) else f"{before} {word} "


def _gloss(match: re.Match[str]) -> str:
    """Removes an explanation in brackets, unless it names a fabric, a technique or a vessel of its own."""
    words = tokens(match[0])
    return " " if all(words[m.start] in PLAIN_VESSELS for m in find_mentions(words, 1.0)) else match[0]


def _terms(vocabulary: Dimension, mentions: list[Mention]) -> tuple[Term, ...]:
    ids = [m.id for m in mentions if m.vocabulary == vocabulary]
    if not ids:
        return ()
    if len(ids) > 1:
        ids = list(dict.fromkeys(ids))
        # "A lekythos … this squat lekythos", "South Italian, Apulian": the wider term only restates the narrower one.
        around = frozenset().union(*(wider(vocabulary)[i] for i in ids))
        ids = [i for i in ids if i not in around]
    if vocabulary == "shape" and len(ids) > 1:
        ids = [i for i in ids if i not in _PARTS] or ids
    return tuple(map(_known_term, ids))


@cache
def _known_term(entry: str) -> Term:
    return Term(entry, "")


# These name a part or the kind of the vessel if another shape is named too: "a rhyton with symposiasts on the bowl",
# "FIGURE VASE KANTHAROS".
_PARTS = frozenset(("bowl", "lid", "plastic_vase"))


def _facts(values: Mapping[Dimension, tuple]) -> Facts:
    distinct = {dimension: tuple(dict.fromkeys(found)) for dimension, found in values.items()}
    if "dating" in distinct:
        distinct["dating"] = innermost(list(distinct["dating"]))
    return replace(_NOTHING, **distinct)
