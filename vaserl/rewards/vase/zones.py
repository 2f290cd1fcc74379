"""Finds the parts of a text that state nothing about the vase that is scored, so that no value is read from them.

These zones are measurements, accession numbers, literature, credit lines, the museum and its department, and the
findspot. Two kinds of markers are used: expressions for zones with numbers (before dates are read), and words for the
others (`is_ignored`).
"""

import re
from collections.abc import Sequence
from functools import cache

from vaserl.rewards.vase.lexicon import places
from vaserl.rewards.vase.text import CUT, at_word, with_marks, word_group, word_list

METADATA = word_list("metadata.txt")
"""Words that mark a phrase about a vase's keeper, purchase, literature, condition, size or photograph."""
KEEPERS = word_list("keepers.txt") | places().keys() | word_list("findspots.txt")
"""Cities and countries, where vases are kept or were made or found."""

NUMBER_WORDS = with_marks(word_group("numbers"))
"""A text without any of these words has no measurement, literature or credit line."""
FINDSPOT_WORDS = with_marks(word_group("findspots") | word_list("findspots.txt"))
"""A text without any of these words states no findspot."""


def without_numbers(normal: str) -> str:
    """Returns a normalised text without measurements, accession numbers and references to literature."""
    normal = _MEASURE.sub(" , ", normal)
    normal = _inventory().sub(f" {CUT} ", normal)
    normal = _LITERATURE.sub(f" {CUT} ", normal)
    return _CREDIT.sub(_credit_only, normal) if any(map(normal.__contains__, _CREDITS)) else normal


def _credit_only(match: re.Match[str]) -> str:
    """Removes a credit line, unless it names a vessel: "a volute krater acquired by the museum"."""
    return match[0] if _OF_A_VESSEL.search(match[0]) else f" {CUT} "


_NUM = r"\d{1,4}(?:[.,]\d{1,3})?(?: \d{1,2}/\d{1,2}|/\d{1,2})?"
_UNIT = r"(?:cm|mm|m|kg|g|in|inch|inches|ft|lbs?|oz|litres?|liters?)\b\.?"
_SIZES = r"ht|hgt|height|width|dia|diam|diameter|length|depth|thickness|weight|wt|max|overall|dimensions"
_MEASURE = re.compile(
    rf"(?:\b(?:(?:h|w|d|l|th)[.:]|(?:{_SIZES})\b)[.:]?(?: of (?:the )?\w+)?(?: (?:rim|belly|base|mouth|foot|body|max))?"
    rf"[.:]? ?(?:c\. |ca\. |about |approx\. )?)"
    rf"{_NUM}(?: ?(?:x|by|-|to) ?{_NUM})*(?: ?{_UNIT})?"
    rf"|(?<![\w./-]){_NUM}(?: ?(?:x|by|-|to) ?{_NUM}){{0,3}} ?"
    r"(?:(?:cm|mm|kg|inch|inches|ft|lbs?|oz)\b|m\.|in\.|in\b(?= ?[(),;]))"
)
_LITERATURE = re.compile(
    at_word(
        *(
            "arv2?",
            "abv",
            "cva",
            "bapd",
            "para(?:lipomena)?",
            "add2?",
            "addenda2?",
            "rvap",
            "lcs",
            "rvp",
            "evp",
            "limc",
        ),
        *("corpus vasorum", "beazley archive", r"neg\.", r"inv\.", r"acc\.", r"pls?\.", r"figs?\.", r"cat\."),
        *(r"accession n\w+", r"inventory n\w+", r"no\.", r"nos\."),
    )
    + rf"(?![a-z])[^;|{CUT}a-z]{{0,60}}"
)
_CREDITS = ("fund", "bequest", "gift of", "purchase", "donated", "acquired", "exchange", "exhibition", "on loan")
_CREDIT = re.compile(
    rf"(?:^|(?<=[.,;|{CUT}]))(?:[^.,;|{CUT}]|(?<=\b\w)\.){{0,80}}?"
    r"\b(?:funds?|bequest|gift of|purchased?|donated|acquired|exchange|exhibition|on loan)\b"
    rf"(?:[^.,;|{CUT}]|(?<=\b\w)\.){{0,80}}(?:, \d{{4}}\b)?"
)


@cache
def _inventory() -> re.Pattern[str]:
    """Returns the expression of a museum's number behind a mark: "(Munich 2301)", ", Louvre G 103"."""
    cities = "|".join(sorted(word_list("keepers.txt") | {"louvre", "hermitage"}, key=len, reverse=True))
    return re.compile(
        rf"(?<=[(,;:]) ?(?:{cities})(?: (?:museum|university|{cities}))?,? (?:[a-z]{{1,3}}\.? ?)?\d{{2,}}[\d.,]*"
        r"(?=\s*(?:[),;:]|\.(?: |$)|$))"
    )


def without_findspots(normal: str) -> str:
    """Returns a normalised text in which each findspot is replaced by `CUT`: "found at Vulci", "from Vulci in Etruria".

    A phrase that names a technique or a vessel states more than a place, and is kept.
    """
    return _findspot().sub(f" {CUT} ", _FOUND.sub(_place_only, normal))


_FOUND = re.compile(
    r"\b(?:(?:found|excavated|discovered|unearthed|recovered) (?:in|at|near|on|together|with)"
    r"|(?:said to (?:be|have come)|reportedly|allegedly|probably|comes) from|find-?spot:?|proveni?[ea]nce:?)\b"
    rf"(?P<place>[^,;.:()|{CUT}]*(?:, (?:{'|'.join(sorted(places()))})\b)?)"
)
_OF_A_VESSEL = re.compile(
    r"figured?\b|white[ -]ground"
    r"|\b(?:amphora|krater|kylix|skyphos|hydria|lekythos|pelike|cup|oinochoe|kantharos|stamnos|bowl|plate|jug)s?\b"
)


def _place_only(match: re.Match[str]) -> str:
    return match[0] if _OF_A_VESSEL.search(match["place"]) else f" {CUT} "


@cache
def _findspot() -> re.Pattern[str]:
    spots = "|".join(sorted(word_list("findspots.txt") - {"italy"}, key=len, reverse=True))
    regions = "|".join(sorted([*places(), "italy", "greece"], key=len, reverse=True))
    return re.compile(
        r"\b(?:from|at|near) (?:the |a )?"
        r"(?:(?:necropolis|cemetery|tomb|grave|sanctuary)[\w ]{0,12} (?:of|at|in|near) )?"
        rf"(?:{spots})\b(?:,? ?\(?(?:in |near )?(?:{regions})\b\)?)?"
    )


def is_ignored(words: Sequence[str]) -> list[bool] | None:
    """Returns one bool for each token: True within the name of a museum or a department. None if there is no such name.

    Example: all tokens of "gregorian etruscan museum" and of "department of greek and etruscan art".
    """
    if _KEEPER_WORDS.isdisjoint(words):
        return None
    ignored = [False] * len(words)
    for index, word in enumerate(words):
        if word not in _KEEPER_WORDS:
            continue
        start = index
        while start > 0 and index - start < _LONGEST_NAME and words[start - 1] not in _NAME_STARTS_AFTER:
            start -= 1
        end = index + 1
        while end < len(words) and (words[end] in _NAME_CONTINUES or _goes_on(words, end)):
            end += 1
        if end - start > 1:
            if words[end : end + 1] in (["in"], [","]) and words[end + 1 : end + 2] and words[end + 1] in KEEPERS:
                end += 2  # "National Archaeological Museum, Athens"
            elif start > 1 and words[start - 1] == "," and words[start - 2] in KEEPERS and _is_start(words, start - 2):
                start -= 2  # "Athens, National Museum"
        ignored[start:end] = [True] * (end - start)
    return ignored


def _is_start(words: Sequence[str], index: int) -> bool:
    """Returns True for a city that follows a mark: "cup, Athens, National Museum"; False in "made in Athens"."""
    return index == 0 or words[index - 1] in (".", ",", ";", ":", "|", CUT)


def _goes_on(words: Sequence[str], index: int) -> bool:
    """Returns True for a comma within the name of a department: "Greek, Etruscan and Roman Antiquities"."""
    return words[index] == "," and index + 1 < len(words) and words[index + 1] in _NAME_CONTINUES


_LONGEST_NAME = 4
_KEEPER_WORDS = word_group("keepers")
_NAME_STARTS_AFTER = word_group("before_keepers") | {".", ",", ";", ":", "|", CUT}
_NAME_CONTINUES = word_group("names_of_keepers")
