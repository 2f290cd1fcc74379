"""Finds the fabric that follows from where a vase was made: "made in Athens" implies the Athenian fabric."""

from collections.abc import Sequence

from vaserl.rewards.vase.lexicon import Mention, figures, places, wider
from vaserl.rewards.vase.text import CUT, word_group

_SENTENCE_ENDS = (".", ",", ";", ":", "|", CUT)
_BEFORE_PLACES = frozenset(("from", "in", "at", "of", "and", "or", ",", ".", ";", ":", "|", CUT))
_MADE = frozenset(("made", "produced", "manufactured", "potted", "painted", "created"))
_OF_PLACES = word_group("made_at_places")
_MOST_PLACES = 2
"""Largest number of places in a text that all count; more are a list of regions."""


def fabrics_of_places(words: Sequence[str], degrees: Sequence[int], mentions: Sequence[Mention]) -> list[Mention]:
    """Returns the fabrics that follow from place names in a text: "made in Athens" implies the Athenian fabric.

    If the text also states a fabric, or where the vase was made, a place of another fabric counts only after "made in"
    or a similar phrase.

    words: tokens of the text. degrees: as returned by `depicted`; a place in the picture doesn't count. mentions: names
    of lexicon entries that were found in the text.
    """
    if places().keys().isdisjoint(words):
        return []
    named = {m.id for m in mentions if m.vocabulary == "fabric"}
    within = {index for m in mentions for index in range(m.start, m.end)}  # "Gnathia technique" is no place
    there = [
        i
        for i, word in enumerate(words)
        if word in places()
        and not degrees[i]
        and i not in within
        and (i == 0 or words[i - 1] in _BEFORE_PLACES or words[i + 1 : i + 2] == ["workshop"])
        and not _is_of_a_figure(words, i)
        and not _is_of_something_else(words, i, mentions)
    ]
    made = [i for i in there if i > 1 and words[i - 1] in ("in", "at") and words[i - 2] in _MADE]
    named |= {places()[words[i]] for i in made}
    covered = {fabric for each in named for fabric in (each, *wider("fabric")[each])}
    counted = [
        i
        for i in there
        if i in made or not named or (at := places()[words[i]]) in covered or not named.isdisjoint(wider("fabric")[at])
    ]
    if len({places()[words[i]] for i in counted}) > _MOST_PLACES:
        counted = made  # a list of regions: "the five main centres were Apulia, Lucania, …"
    return [Mention("fabric", places()[words[i]], i, i + 1) for i in counted]


def _is_of_something_else(words: Sequence[str], place: int, mentions: Sequence[Mention]) -> bool:
    """Returns True for a place behind a word that is no vessel: "the City of Athens", "a prince from Athens"."""
    if place < 2 or words[place - 1] not in ("of", "from", "at"):
        return False
    before = words[place - 2]
    if before in _BEFORE_PLACES or before in _MADE or before in _OF_PLACES:
        return False
    if list(words[max(0, place - 4) : place - 1]) == ["in", "the", "city"]:
        return False
    return all(m.end != place - 1 for m in mentions)


def _is_of_a_figure(words: Sequence[str], place: int) -> bool:
    """Returns True for a place after a figure in its sentence: "kills the Minotaur of Crete", "arrives in Corinth"."""
    if place > 1 and words[place - 2] in _MADE:
        return False
    start = next((i for i in range(place - 1, -1, -1) if words[i] in _SENTENCE_ENDS), -1)
    return words[place - 1] in ("of", "from", "in", "to") and not figures().keys().isdisjoint(words[start + 1 : place])
