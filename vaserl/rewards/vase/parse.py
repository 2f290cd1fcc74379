"""Extracts the facts about a vase from a text: fabric, technique, shape, dating, decoration and attribution.

The same parser is used for generated captions, reference captions and museum records, so a mistake of the parser
affects both sides of a comparison. A text is divided into zones, and values are read within their zone only:

1. `reasoning`: what a model writes before its answer is removed.
2. `lines`, `labels`: lines, and values with labels ("Credit Line: …"), each of which has its zone.
3. `zones`, `negation`: measurements, literature, credit lines, findspots and keepers are removed, and so is what the
   text denies ("no warriors") or only compares with ("unlike black-figure vases").
4. `dates`, `attribution`: dates and hands are read and cut out.
5. `lexicon`, `vessels`: names of fabrics, techniques and shapes; of several vessels, the vase that the text is about.
6. `generalities`: sentences about vases in general or about another vase state no date and, beside others, no name.
7. `decoration`: what is left of the zones that depict something.

docs/reward_reader.md explains the zones with examples.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from vaserl.rewards.vase.abbreviations import expand
from vaserl.rewards.vase.attribution import find_attributions, read_names
from vaserl.rewards.vase.config import ParserConfig
from vaserl.rewards.vase.dates import find_dates, innermost
from vaserl.rewards.vase.decoration import NONE, decoration_words, is_prose, painted_in_prose
from vaserl.rewards.vase.facts import Facts, Term
from vaserl.rewards.vase.free_text import NAMELESS, VOCABULARIES, known_terms, parse_free, refined
from vaserl.rewards.vase.labels import LabelledValue, split_labels
from vaserl.rewards.vase.language import may_be_unread, unread_language
from vaserl.rewards.vase.lexicon import find_mentions
from vaserl.rewards.vase.lines import text_lines
from vaserl.rewards.vase.negation import without_compared, without_denied
from vaserl.rewards.vase.production_place import fabrics_of_places
from vaserl.rewards.vase.reasoning import without_reasoning
from vaserl.rewards.vase.text import CUT, normalize, tokens, word_group
from vaserl.rewards.vase.vessels import PLAIN_SHAPES, of_the_vase
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

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
        facts = parse_free(f" {CUT} ".join(free), parser)
        if facts.unread or not labelled:
            return facts
        stated = _combined([*(_labelled(label, parser) for label in labelled), _by_dimension(facts)])
        return _dated_by_period(stated, labelled, parser)
    whole = " ".join(lines)
    if may_be_unread(whole, frozenset(whole.split())) and (unread := unread_language(tokens(whole))):
        return Facts(unread=unread)
    free, labelled = split_labels(lines)
    heads = [line for line in free if len(line.split()) <= _LONGEST_HEAD]
    head = parse_free(f" {CUT} ".join(heads), parser, listed=True)
    stated = _combined([*(_labelled(label, parser) for label in labelled), _by_dimension(head)])
    prose = f" {CUT} ".join(line for line in free if len(line.split()) > _LONGEST_HEAD)
    if not prose:
        return _dated_by_period(stated, labelled, parser)
    families = {term.id.partition("/")[0] for term in stated.shape} - PLAIN_SHAPES
    told = parse_free(prose, parser, families)
    if not families and told.shape:
        stated = replace(stated, shape=told.shape)  # "Pitcher⏎This oinochoe …"
    stated = replace(stated, shape=refined(stated.shape, told.shape))
    # the heading says what the vase is; the prose below it also speaks of other vases
    facts = replace(
        stated,
        **{d: stated[d] or told[d] for d in DIMENSIONS if d != "decoration"},
        decoration=tuple(dict.fromkeys((*stated.decoration, *told.decoration))),
    )
    return _dated_by_period(facts, labelled, parser)


def _named_shapes(shapes: tuple[Term, ...]) -> tuple[Term, ...]:
    """Returns the shapes of several lines without English words that only explain a name: "Oinochoe⏎Object: jug"."""
    named = tuple(shape for shape in shapes if shape.id not in PLAIN_SHAPES)
    return named or shapes


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
    values: dict[Dimension, tuple] = {d: tuple(v for part in parts for v in part.get(d, ())) for d in DIMENSIONS}
    values["shape"] = _named_shapes(values["shape"])
    return _facts(values)


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
_MATERIALS = word_group("materials")


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
    terms = known_terms(dimension, find_mentions(words, parser.spelling_cutoff, record=True))
    words = [w for w in words if w[0].isalnum()]
    # "storage vessel" is a name, "vessel" alone states nothing
    unknown = "" if NAMELESS.issuperset(words) or not _MATERIALS.isdisjoint(words) else " ".join(words)
    return terms or ((Term("", unknown),) if unknown else ())


def _labelled(label: LabelledValue, parser: ParserConfig) -> dict[Dimension, tuple]:
    """Returns the values that a labelled value states, by dimension. "Ware: Attic Red Figure" states two."""
    zone, normal = label.zone, without_denied(label.value)
    if zone == "period":
        return {}
    if zone == "decoration" and is_prose(words := tokens(normal)):
        return {zone: painted_in_prose(words, [NONE] * len(words), ())}
    if zone in ("dating", "attribution", "decoration"):
        return {zone: _field(zone, normal, parser)}
    if zone == "names":
        facts = parse_free(normal, parser)
        return {dimension: facts[dimension] for dimension in DIMENSIONS if dimension != "decoration"}
    words = [w for w in tokens(without_compared(normal)) if w not in ",."]
    mentions, _ = of_the_vase(find_mentions(words, parser.spelling_cutoff, record=True), words)
    if zone == "place":
        return {"fabric": known_terms("fabric", [*mentions, *fabrics_of_places(words, [0] * len(words), mentions)])}
    found: dict[Dimension, tuple] = {d: terms for d in VOCABULARIES if (terms := known_terms(d, mentions))}
    if not found and (dating := find_dates(normal, parser.single_year_margin_years)[0]):
        return {"dating": dating}  # "Dates⏎Object: ca. 520 B.C."
    if not found and _MATERIALS.isdisjoint(words) and "," not in normal:
        return {d: _field(d, normal, parser) for d in VOCABULARIES if d == zone}
    return found


def _facts(values: Mapping[Dimension, tuple]) -> Facts:
    distinct = {dimension: tuple(dict.fromkeys(found)) for dimension, found in values.items()}
    if "dating" in distinct:
        distinct["dating"] = innermost(list(distinct["dating"]))
    return replace(_NOTHING, **distinct)
