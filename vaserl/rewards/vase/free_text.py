"""Reads the facts from free text: sentences, headings and lists without labels.

The zones that state nothing of the vase are removed one after the other, dates and hands are read and cut out, and the
names of fabrics, techniques and shapes are looked up in the rest. What depicts something is the decoration.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from typing import Literal

from vaserl.rewards.vase.attribution import find_attributions
from vaserl.rewards.vase.background import BACKGROUND_WORDS, without_background
from vaserl.rewards.vase.config import ParserConfig
from vaserl.rewards.vase.dates import YearInterval, find_dates
from vaserl.rewards.vase.decoration import depicted, is_prose, painted_in_prose, painted_words
from vaserl.rewards.vase.facts import Facts, Term
from vaserl.rewards.vase.generalities import GENERAL_WORDS, without_generalities
from vaserl.rewards.vase.hand_phrases import hide_numbers
from vaserl.rewards.vase.language import marker_words, may_be_unread, unread_language
from vaserl.rewards.vase.lexicon import Mention, find_mentions, wider
from vaserl.rewards.vase.negation import COMPARISON_WORDS, NEGATION_WORDS, without_compared, without_denied
from vaserl.rewards.vase.production_place import fabrics_of_places
from vaserl.rewards.vase.text import CUT, tokens
from vaserl.rewards.vase.vessels import FIGURE_TECHNIQUES, PLAIN_VESSELS, of_the_vase, told_first
from vaserl.rewards.vase.zones import FINDSPOT_WORDS, NUMBER_WORDS, is_ignored, without_findspots, without_numbers
from vaserl.types import Dimension

VOCABULARIES: tuple[Literal["fabric", "technique", "shape"], ...] = ("fabric", "technique", "shape")
_ALSO_IN_GENERAL: tuple[Dimension, ...] = (*VOCABULARIES, "attribution")
_SEVERAL = 2
_ONE_WORD = re.compile(r"(\b[\w-]+ )?\(([\w'-]+)\)")  # "amphora (Nolan)" is a Nolan amphora
# Explanations of a shape's name: "(drinking cup)", "(bowl for mixing wine and water)".
_GLOSS = re.compile(
    r"\((?:(?:deep |wine |water |storage |oil |perfume |two-handled |drinking |mixing |large |small )*"
    r"(?:jar|jug|pitcher|bowl|cup|cooler|flask|vase|box|bottle|vessel|dish|container))\b[^()]*\)"
)
_MODERN = 1000
"""Years from this one on are those of collectors and museums."""
NAMELESS = frozenset(("vase", "vessel", "pot", "fragment", "fragments", "of", "a", "an", "the"))
"""Words that name a vase without stating its shape."""


def parse_free(normal: str, parser: ParserConfig, families: Collection[str] = (), listed: bool = False) -> Facts:
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
    if GENERAL_WORDS.isdisjoint(present) or (told := without_generalities(normal)) is normal:
        return _parse_told(normal, parser, families, listed)
    whole = _parse_told(normal, parser, families, listed)
    if all(len(whole[d]) < _SEVERAL for d in _ALSO_IN_GENERAL):
        return replace(whole, dating=_dates(told, parser)[0]) if whole.dating else whole
    facts = _parse_told(told, parser, families, listed)
    # what only a general sentence states is the vase's after all: "Fish plates first appeared in … Here are a mullet …"
    facts = replace(facts, decoration=whole.decoration, **{d: facts[d] or whole[d] for d in _ALSO_IN_GENERAL})
    return replace(facts, shape=refined(facts.shape, whole.shape))


def _dates(normal: str, parser: ParserConfig) -> tuple[tuple[YearInterval, ...], str]:
    """Returns the dates of the vase, and the text without them and without what it tells of artists and periods."""
    if "-century" in normal or not BACKGROUND_WORDS.isdisjoint(normal.split()):
        normal = without_background(normal)
    dating, normal = find_dates(normal, parser.single_year_margin_years)
    return tuple(interval for interval in dating if interval.start < _MODERN), normal


def _parse_told(normal: str, parser: ParserConfig, families: Collection[str], listed: bool) -> Facts:
    """Returns the facts in free text without what it denies. The arguments are those of `parse_free`."""
    present = normal.split()
    if "(" in normal:
        normal = _GLOSS.sub(_gloss, normal)
    dating, normal = _dates(normal, parser)
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
    if not mentions and not any(w in NAMELESS and not d for w, d in zip(words, degrees, strict=True)):
        # The whole text seems to be a depiction: "Shown on an Athenian black-figure cup is …"
        mentions = find_mentions(words, parser.spelling_cutoff)
    elif outside is not words and not any([m.vocabulary == "technique" for m in mentions]):
        mentions += _within_depiction(words, degrees, parser)
    prose = is_prose(words)
    if prose:
        mentions = told_first(mentions, words)
    named, scene = of_the_vase(mentions, words, families)
    made = fabrics_of_places(words, degrees, named)
    named += made
    claimed = {index for m in (*mentions, *made) if m not in scene for index in range(m.start, m.end)}
    return Facts(
        fabric=known_terms("fabric", named),
        technique=known_terms("technique", named),
        shape=known_terms("shape", named),
        dating=dating,
        decoration=painted_in_prose(words, degrees, claimed)
        if prose
        else painted_words(words, degrees, claimed, listed),
        attribution=attribution,
    )


@cache
def _zone_words() -> frozenset[str]:
    """Returns the words that mark the zones of free text. Most texts have few of them, so these are found first."""
    return marker_words().union(
        NUMBER_WORDS, NEGATION_WORDS, GENERAL_WORDS, BACKGROUND_WORDS, FINDSPOT_WORDS, COMPARISON_WORDS
    )


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


def known_terms(vocabulary: Dimension, mentions: list[Mention]) -> tuple[Term, ...]:
    """Returns the distinct terms of one vocabulary among the names of a text."""
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


def refined(shapes: tuple[Term, ...], told: tuple[Term, ...]) -> tuple[Term, ...]:
    """Returns the shapes, with one of which another part of the text tells the type: "Pyxis⏎This tripod pyxis …"."""
    around = wider("shape")
    finer = [t for t in told if any(s.id in around.get(t.id, ()) for s in shapes)]
    if len(finer) != 1:
        return shapes
    return tuple(dict.fromkeys(finer[0] if s.id in around[finer[0].id] else s for s in shapes))
