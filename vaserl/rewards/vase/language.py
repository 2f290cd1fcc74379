"""Tells a text in a language that the parser does not read, such as German, by its words."""

import csv
from collections.abc import Collection
from functools import cache
from pathlib import Path

from vaserl.rewards.vase.text import CUT, STOP_WORDS, with_marks


def may_be_unread(normal: str, words: Collection[str]) -> bool:
    """Returns False if nothing in a normalised text tells another language or another script.

    words: the text, split at white space.
    """
    return not (normal.replace(CUT, "").isascii() and marker_words().isdisjoint(words))


def unread_language(words: Collection[str]) -> str:
    """Returns the code of a text's language ("de", "fr", "it", "es", "nl", "el", "ru") if the parser does not read it.

    Returns "" for English, and for a text with too few words that tell. words: the tokens of the text.
    """
    markers = _markers()
    if markers.keys().isdisjoint(words):
        return _by_script(words)
    counts: dict[str, int] = {}
    english = 0
    for word in words:
        if word in _ENGLISH:
            english += 1
        for language in markers.get(word, ()):
            counts[language] = counts.get(language, 0) + 1
    language, count = max(counts.items(), key=lambda item: item[1])
    return language if count >= _NUM_MARKERS and count > 2 * english else ""


_NUM_MARKERS = 3
_SHARE_OF_SCRIPT = 0.5
_SHORT = 3
_ENGLISH = STOP_WORDS - {"a", "on", "an", "in", "to", "me", "most", "per"}
_SCRIPTS = (("el", "\u0370", "\u03ff"), ("ru", "\u0400", "\u04ff"))


def _by_script(words: Collection[str]) -> str:
    letters = [word[0] for word in words if word[0].isalpha()]
    latin = any(word.isascii() and len(word) > _SHORT for word in words)  # in a text with look-alike letters
    for language, first, last in _SCRIPTS:
        count = sum(first <= letter <= last for letter in letters)
        if count > _SHARE_OF_SCRIPT * max(1, len(letters)) and not latin:
            return language
    return ""


@cache
def marker_words() -> frozenset[str]:
    """Returns the words that tell a language, also as they stand beside a punctuation mark."""
    return with_marks(_markers().keys())


@cache
def _markers() -> dict[str, tuple[str, ...]]:
    """Returns, for each word, the languages that it tells."""
    path = Path(__file__).parent / "lexicon" / "languages.tsv"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found: dict[str, tuple[str, ...]] = {}
    for row in csv.DictReader(lines, delimiter="\t"):
        for word in row["words"].split():
            found[word] = (*found.get(word, ()), row["language"])
    return found
