"""Chooses among the names in a text those of the vase itself: its shape, its fabric and its technique.

A second name of the same vessel is a gloss ("Pitcher (oinochoe)", "a skyphos, or two-handled wine cup"); a vessel in
the scene is decoration ("a woman ladles wine from a stamnos into a phiale"); a plural names a class of vessels
("kraters were used at banquets"); "a Corinthian helmet" is no Corinthian vase.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise

from vaserl.rewards.vase.decoration import is_motif
from vaserl.rewards.vase.lexicon import Mention
from vaserl.rewards.vase.text import CUT, word_group

PLAIN_VESSELS = word_group("plain_vessels")
"""English words for vessels: beside a name such as "skyphos" they only explain it."""
PLAIN_SHAPES = frozenset(("jug", "pitcher", "bowl", "bottle", "dish", "mug", "tankard"))
"""Ids of shapes that are English words; a name in the text below such a heading is more precise."""
_SENTENCE_ENDS = frozenset((".", ";", "|", CUT, ":"))
_PLURALS = ("oi", "ai", "ae", "ides", "bastra", "rhyta", "eiptra", "inetra")
_SINGULARS = ("os", "us", "is", "as", "ss", "bes")
_NO_VASE = word_group("not_of_a_vase")
_PATTERN_NOUNS = word_group("patterns")
_PARTS = word_group("vessel_parts")
FIGURE_TECHNIQUES = frozenset(("black_figure", "red_figure", "white_ground", "bilingual", "six"))
"""Ids of the techniques in which figures are painted."""
_FINISHES = word_group("finishes")


def of_the_vase(
    mentions: list[Mention], words: Sequence[str], families: Collection[str] = ()
) -> tuple[list[Mention], list[Mention]]:
    """Returns the mentions that name the vase that the text is about, and those that belong to its scene.

    A mention in neither list is an aside: it names the vase again, or another vase.

    words: tokens of the text, in which `mentions` were found. families: shapes that the text's heading states; what is
    said of a vessel of another shape is an aside.
    """
    if not mentions or len(mentions) > _MANY:
        return mentions, []  # a list of names is about no vessel in particular
    starts = {m.start for m in mentions}  # "Athenian column-krater" is no Athenian column
    asides = [m for m in mentions if m.end not in starts and _is_adjective_of_something(m, words)]
    kept = [m for m in mentions if m not in asides]
    shapes = [m for m in kept if m.vocabulary == "shape"]
    if families:
        others = [m for m in shapes if m.id.partition("/")[0] not in families]
        kept = [m for m in kept if m not in others and not any(_beside(m, other) for other in others)]
        asides += [m for m in others if _in_scene(m, mentions, words)]
    elif shapes and all(_is_held(m, words) for m in shapes):
        asides += shapes  # "a woman holding a hydria": the text does not name the vase
        kept = [m for m in kept if m not in shapes]
    named = _without_finishes(_without_history(kept, words), words)
    asides += [m for m in kept if m not in named]
    scene = [m for m in asides if m.vocabulary == "shape" or (m.end < len(words) and is_motif(words[m.end]))]
    kept = named
    if not families and len({m.id.partition("/")[0] for m in shapes}) > 1:
        dropped = set(shapes) - set(_vessels(shapes, kept, words))
        scene += [m for m in dropped if words[m.start] not in _PARTS and _in_scene(m, kept, words)]
        kept = [m for m in kept if m not in dropped]
    return kept, scene


def told_first(mentions: list[Mention], words: Sequence[str]) -> list[Mention]:
    """Leaves out the techniques of later sentences of prose: it tells of the vase first, then of other vases."""
    techniques = [m for m in mentions if m.id in FIGURE_TECHNIQUES]
    if len({m.id for m in techniques}) < 2:
        return mentions
    first = techniques[0].end
    end = next((i for i in range(first, len(words)) if words[i] in _SENTENCE_ENDS), len(words))
    told = {m.id for m in techniques if m.start < end}
    return [m for m in mentions if m.id not in FIGURE_TECHNIQUES or m.id in told]


def _without_history(mentions: list[Mention], words: Sequence[str]) -> list[Mention]:
    """Leaves out a technique that is told of in general, if another is the vase's: "before the invention of …"."""
    figures = [m for m in mentions if m.id in FIGURE_TECHNIQUES]
    if len({m.id for m in figures}) < 2:
        return mentions
    past = [
        m
        for m in figures
        if not _HISTORY.isdisjoint([*words[max(0, m.start - _HISTORY_WITHIN) : m.start], *words[m.end : m.end + 2]])
    ]
    if any(m.id == "bilingual" for m in figures):  # "black figures on one side and red figures on the other"
        past += [m for m in figures if m.id in ("black_figure", "red_figure")]
    return [m for m in mentions if m not in past] if len(past) < len(figures) else mentions


_HISTORY = word_group("history_of_techniques")
_HISTORY_WITHIN = 4


def _beside(mention: Mention, shape: Mention) -> bool:
    """Returns True for a fabric or technique directly before a shape, or with one word between."""
    return mention.vocabulary != "shape" and 0 <= shape.start - mention.end <= _NEAR


_NEAR = 2
_MANY = 50


def _is_adjective_of_something(mention: Mention, words: Sequence[str]) -> bool:
    following = words[mention.end] if mention.end < len(words) else ""
    if mention.vocabulary == "shape":
        return following[:1].isdigit() and words[mention.start] == "plate"  # "Plate 12" of a book
    if mention.vocabulary == "fabric":
        after = words[mention.end + 1] if mention.end + 1 < len(words) else ""
        if (
            following == "culture"
            and after in _UNIT_ENDS
            and (not mention.start or words[mention.start - 1] in _UNIT_ENDS)
        ):
            return False  # "Greece, Attic culture, ca. 450 BC"
        return following in _NO_VASE or (following in ("style", "type") and after in _NO_VASE)
    if mention.id == "geometric" and following in _PATTERN_NOUNS:
        return True
    if mention.id == "wild_goat" and following in ("and", "or", ","):
        return mention.end + 1 < len(words) and is_motif(words[mention.end + 1])  # "wild goat and lion"
    return following == "painter" or list(words[mention.end : mention.end + 2]) == ["vase", "painter"]


def _without_finishes(mentions: list[Mention], words: Sequence[str]) -> list[Mention]:
    """Leaves out "black glaze" beside "black-figure": it is how the figures are painted, not a second technique.

    A finish that no vessel, fabric or word such as "technique" stands beside is left out too: "left undecorated".
    """
    finishes = [m for m in mentions if m.id in _FINISHES]
    if not finishes:
        return mentions
    figures = [m for m in mentions if m.id in FIGURE_TECHNIQUES]
    if figures:
        left_out = [m for m in finishes if not any(_joined(m, f, words) for f in figures)]
    else:
        left_out = [m for m in finishes if not _stands_alone(m, mentions, words)]
    return [m for m in mentions if m not in left_out]


def _stands_alone(finish: Mention, mentions: Sequence[Mention], words: Sequence[str]) -> bool:
    before = words[finish.start - 1] if finish.start else CUT
    after = words[finish.end] if finish.end < len(words) else CUT
    if (before in _UNIT_ENDS and (after in _UNIT_ENDS or after == "with")) or after in _TECHNIQUE_NOUNS:
        return True
    if before == "in" and after in _UNIT_ENDS:
        return True  # "linear decoration in black glaze"
    if finish.id == "black_glaze" and not _COATED.isdisjoint(
        words[max(0, finish.start - _COATED_WITHIN) : finish.start]
    ):
        return True  # "coated with a lustrous black gloss"
    return any(
        m.id not in _FINISHES and (0 <= m.start - finish.end <= _NEAR or 0 <= finish.start - m.end <= _NEAR)
        for m in mentions
    )


_COATED = word_group("coated")
_COATED_WITHIN = 6
_TECHNIQUE_NOUNS = frozenset(("technique", "style", "ware", "pottery", "vase", "vessel", "art", "period", "decoration"))
_UNIT_ENDS = frozenset((".", ",", ";", ":", "|", CUT))


def _joined(a: Mention, b: Mention, words: Sequence[str]) -> bool:
    """Returns True for two names that "and", "or" or "with" joins directly."""
    first, second = sorted((a, b), key=lambda m: m.start)
    return second.start - first.end == 1 and words[first.end] in ("and", "or", "with")


def _vessels(shapes: list[Mention], mentions: list[Mention], words: Sequence[str]) -> list[Mention]:
    named = [m for m in shapes if words[m.start] not in PLAIN_VESSELS]
    if named and len(named) < len(shapes):
        shapes = _with_alternatives(shapes, words)
    singular = [m for m in shapes if not _is_plural(words[m.end - 1])]
    shapes = singular or shapes
    outside = [m for m in shapes if not _in_scene(m, mentions, words)]
    shapes = outside or shapes
    if len({m.id.partition("/")[0] for m in shapes}) < 2:
        return shapes
    primary = [m for m in shapes if _names_the_vase(m, mentions, words)]
    return primary or shapes


def _with_alternatives(shapes: list[Mention], words: Sequence[str]) -> list[Mention]:
    """Leaves out plain words beside names: "skyphos, or cup" only explains the name, "cup or skyphos" states two."""
    ordered = sorted(shapes, key=lambda m: m.start)
    glosses = {m for m in ordered if words[m.start] in PLAIN_VESSELS}
    for first, second in pairwise(ordered):
        between = [w for w in words[first.end : second.start] if w not in ("a", "an", "the")]
        if between in (["or"], ["and"]) and (words[first.start] in PLAIN_VESSELS) != (
            words[second.start] in PLAIN_VESSELS
        ):
            glosses -= {first, second}
    return [m for m in shapes if m not in glosses]


def _is_plural(word: str) -> bool:
    return word.endswith(_PLURALS) or (word.endswith("s") and not word.endswith(_SINGULARS))


def _in_scene(mention: Mention, mentions: Sequence[Mention], words: Sequence[str]) -> bool:
    """Returns True for a vessel after a figure in the same sentence, with neither fabric nor technique before it."""
    if any(_beside(other, mention) for other in mentions) or _is_carrier(mention, words):
        return False
    index = mention.start - 1
    while index >= 0 and words[index] not in _SENTENCE_ENDS:
        if is_motif(words[index]):
            return True
        index -= 1
    return False


def _is_carrier(mention: Mention, words: Sequence[str]) -> bool:
    """Returns True for a vessel that the scene is on: "a maenad with a kantharos on a skyphos"."""
    before = [w for w in words[max(0, mention.start - 3) : mention.start] if w not in ("a", "an", "this")]
    if "called" in before or "shape" in before:
        return True  # "on vases of this shape, called a bell krater"
    return len(before) > 1 and before[-1] == "on" and before[-2] not in _RESTING


_RESTING = frozenset(
    ("sits", "sitting", "seated", "stands", "standing", "leans", "leaning", "rests", "resting", "placed")
)


def _is_held(mention: Mention, words: Sequence[str]) -> bool:
    """Returns True for a vessel that a figure before it in the sentence holds or uses: "a woman with a hydria"."""
    index = mention.start - 1
    while index >= 0 and words[index] in ("a", "an", "the", "his", "her", "out", "up", "aloft", "forth"):
        index -= 1
    if index < 1 or words[index] not in _HOLDING:
        return False
    start = next((i for i in range(index, -1, -1) if words[i] in _SENTENCE_ENDS), -1)
    return any(is_motif(word) for word in words[start + 1 : index])


_HOLDING = frozenset(("with", "holding", "holds", "carrying", "carries", "from", "into", "lifting", "lifts"))


def _names_the_vase(mention: Mention, mentions: Sequence[Mention], words: Sequence[str]) -> bool:
    """Returns True for a name beside fabric or technique, after "this", or at the beginning of a sentence or line."""
    before = words[mention.start - 1] if mention.start else CUT
    if before in _SENTENCE_ENDS or before in ("this", "terracotta", "fragmentary", "pottery", "ceramic", ","):
        return True
    if mention.start > 1 and before in ("a", "an", "the") and words[mention.start - 2] in ("this", "is", CUT, "."):
        return True
    if before in ("or", "and") and any(m.end == mention.start - 1 and m.vocabulary == "shape" for m in mentions):
        return True
    return any(
        m.vocabulary != "shape" and (0 <= mention.start - m.end <= 1 or 0 <= m.start - mention.end <= 2)
        for m in mentions
    )
