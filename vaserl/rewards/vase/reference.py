"""Writes the reference caption of a museum's record: it states all facts, in the usual form of museum labels.

Example: Athenian black-figure neck-amphora, c. 525–475 BCE, depicting a warrior, attributed to the Antimenes Painter.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vaserl.rewards.vase.attribution import Attribution, display
from vaserl.rewards.vase.config import RewardConfig
from vaserl.rewards.vase.facts import Facts, Term
from vaserl.rewards.vase.hands import known_hand
from vaserl.rewards.vase.lexicon import Vocabulary, lexicon
from vaserl.rewards.vase.noun_phrases import indefinite_article
from vaserl.rewards.vase.parse import parse_record
from vaserl.rewards.vase.penalties import count_words, length_penalty, repetition_penalty
from vaserl.rewards.vase.proper_nouns import names_in
from vaserl.rewards.vase.scenes import keyword_list, scene_list, scene_phrase
from vaserl.rewards.vase.text import normalize, sequence_words
from vaserl.types import FIELD_OF_DIMENSION

_DEFAULT = RewardConfig()


def reference_caption(record: Mapping[str, str], config: RewardConfig = _DEFAULT) -> str:
    """Returns the caption that a perfect policy would write for a museum's record.

    The record's keys are field names of the Beazley archive. A value that isn't in the lexicon is stated with a label:
    "Shape: …". If the caption would get more than a small penalty for its length or for repetitions, the
    decoration becomes a list of its phrases, at first with and then without articles; if the penalty
    would be the largest, a list of its words (`lists_keywords`). A caption of at most `length_free_words` words has a
    reward of at least 0.95 plus the bonus.

    Raises: ValueError if the record states none of the six dimensions.
    """
    facts = parse_record(record, config.parser)
    if facts == Facts():
        raise ValueError("the record states none of the six dimensions")
    return _worded(record, facts, config)[0]


def lists_keywords(record: Mapping[str, str], config: RewardConfig = _DEFAULT) -> bool:
    """Returns True if the record's decoration is so long that `reference_caption` lists its words instead of writing
    phrases."""
    return _worded(record, parse_record(record, config.parser), config)[1]


def _worded(record: Mapping[str, str], facts: Facts, config: RewardConfig) -> tuple[str, bool]:
    """Returns the caption, and True if its decoration is a list of words."""
    text = record.get(FIELD_OF_DIMENSION["decoration"], "")
    more = _More(shape=record.get(FIELD_OF_DIMENSION["shape"], ""), signed=_signed(record, facts, config))
    decoration, names = normalize(text, config.parser.max_chars), names_in(text)
    prose = _caption(facts, scene_phrase(decoration, names), config, more)
    if _penalty(prose, config) <= _TOLERATED:
        return prose, False
    shorter = [_caption(facts, scene_list(decoration, names, articles), config, more) for articles in (True, False)]
    penalties = {caption: _penalty(caption, config) for caption in (prose, *shorter)}
    caption = next(
        (text for text in shorter if penalties[text] <= _TOLERATED), min(penalties, key=penalties.__getitem__)
    )
    if penalties[caption] <= config.length_penalty / 2:
        return caption, False
    return _caption(facts, keyword_list(decoration, names), config, more), True


def caption_from_facts(facts: Facts, config: RewardConfig = _DEFAULT) -> str:
    """Returns a caption that states these facts; the decoration is written as a list of lemmas.

    Raises: ValueError if `facts` has no value in any dimension.
    """
    if facts == Facts():
        raise ValueError("facts must have a value in at least one dimension")
    return _caption(facts, " ".join(facts.decoration), config)


@dataclass(frozen=True, slots=True)
class _More:
    """What a record says about its facts that is no fact of its own."""

    shape: str = ""
    """The record's words for the shape, which also tell a fragment and a doubt."""
    signed: frozenset[Attribution] = frozenset()
    """The hands that are known by their signature."""


def _signed(record: Mapping[str, str], facts: Facts, config: RewardConfig) -> frozenset[Attribution]:
    field = FIELD_OF_DIMENSION["attribution"]
    entries = [entry for entry in record.get(field, "").split("|") if _SIGNATURE.search(entry)]
    hands = {hand for entry in entries for hand in parse_record({field: entry}, config.parser).attribution}
    return frozenset(hand for hand in hands & set(facts.attribution) if _signs(hand))


def _signs(hand: Attribution) -> bool:
    """Returns True for a person of the lexicon; the reader takes "signed by" with another name for a scene."""
    return not (hand.role or hand.qualifier or hand.doubtful) and known_hand(hand.name, "") is not None


_SIGNATURE = re.compile(r"\bby signature\b", re.IGNORECASE)


def _caption(facts: Facts, decoration: str, config: RewardConfig, more: _More = _More()) -> str:
    shape, head = _joined("shape", facts.shape), _head(facts, more.shape)
    clauses = [head, *(str(interval) for interval in facts.dating)]
    if facts.decoration:
        clauses.append(f"depicting {decoration}")
    clauses += [f"signed by {display(hand)}" for hand in facts.attribution if hand in more.signed]
    if attributed := [hand for hand in facts.attribution if hand not in more.signed]:
        clauses.append(_attributed(attributed))
    sentence = ", ".join(clauses)
    unknown = "; ".join(
        f"{dimension.capitalize()}: {term.text}"
        for dimension in _VOCABULARIES
        for term in facts[dimension]
        if not term.id
    )
    text = f"{sentence[0].upper()}{sentence[1:]}." + (f" {unknown}." if unknown else "")
    if (facts.decoration or facts.attribution) and count_words(text, config) >= config.short_words:
        return text
    # The caption would have no verb, or so few words that it gets the penalty for short captions.
    is_whole = bool(shape) and not head.startswith(tuple(f"{piece} of" for piece, _ in _PIECES))
    subject = f"This{' vase' * is_whole} is {indefinite_article(head)}"
    if head.startswith("fragments"):
        subject = "These are"
    return f"{subject} {sentence}." + (f" {unknown}." if unknown else "")


def _head(facts: Facts, shape_field: str) -> str:
    """Returns the words that name the vase: "fragment of an Athenian black-figure vase, probably a hydria"."""
    shape = _joined("shape", facts.shape)
    doubtful = bool(shape and _DOUBTFUL.search(shape_field))
    origin = (_joined("fabric", facts.fabric), _joined("technique", facts.technique))
    head = " ".join(filter(None, (*origin, "vase" if doubtful else shape or "vase")))
    for piece, pattern in _PIECES:
        if pattern.search(shape_field) and piece != shape:
            head = f"{piece} of {'the' if head.startswith('lid of') else indefinite_article(head)} {head}"
    return f"{head}, probably {indefinite_article(shape)} {shape}" if doubtful else head


def _attributed(hands: Sequence[Attribution]) -> str:
    """Returns the clause that names all alternatives: "attributed to the Pan Painter or perhaps Myson"."""
    all_doubtful = all(hand.doubtful for hand in hands)
    clauses: list[str] = []
    for hand in sorted(hands, key=lambda hand: hand.doubtful):
        name = f"{'perhaps ' if hand.doubtful and not all_doubtful else ''}{display(hand)}"
        if clauses and len(clauses[-1]) + len(name) <= _LONGEST_CLAUSE:
            clauses[-1] += f" or {name}"
        else:
            clauses.append(f"{'tentatively ' if all_doubtful else ''}attributed to {name}")
    return ", or ".join(clauses)


_DOUBTFUL = re.compile(r"\? ?\)")
_PIECES = (
    ("lid", re.compile(r"(?<!\band )\blids?\b", re.IGNORECASE)),
    ("fragment", re.compile(r"\b(?:fragment|fr)\b", re.IGNORECASE)),
    ("fragments", re.compile(r"\b(?:fragments|frr)\b", re.IGNORECASE)),
)
"""What is left of the vase, by the record's words for the shape: "PYXIS LID FRAGMENT"."""
_LONGEST_CLAUSE = 110
"""Largest number of characters of names behind one "attributed to"; the reader takes more for a sentence."""


_VOCABULARIES: tuple[Literal["fabric", "technique", "shape"], ...] = ("fabric", "technique", "shape")


_TOLERATED = 0.04
"""Largest penalty of a reference caption that is not shortened for it: for 12 words too many, or for one repetition."""


def _penalty(caption: str, config: RewardConfig) -> float:
    length = length_penalty(count_words(caption, config), False, False, config)
    return length + repetition_penalty(sequence_words(caption), config)


def _joined(vocabulary: Vocabulary, terms: tuple[Term, ...]) -> str:
    return " and ".join(lexicon(vocabulary)[term.id].names[0] for term in terms if term.id)
