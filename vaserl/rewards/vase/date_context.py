"""Decides from the words around a date whether it is that of the vase, or of an artist, a technique, a period, a find.

"Douris, active c. 500–475 BC" and "the technique, invented in Athens around 530 BC" don't date the vase. Only words of
the same clause count, the few before the date and the one behind it.
"""

import re

_WORD = re.compile(r"[a-z][a-z'-]*|[,.;:()|¦]")
_CHARACTERS_BEFORE = 90
_EVENT = re.compile(r" ?(?:marks|marked|saw)\b")
_PERSON = re.compile(
    r" ?(?:(?:greek|athenian|attic|corinthian|apulian|south|italian|red-figure|black-figure) )*"
    r"(?:(?:vase[ -]?)?painters?|potters?|artists?|artisans?)\b"
)
_ARTICLES = frozenset(("a", "an", "the"))
_OF_PERSONS = frozenset(("active", "activity", "flourished", "fl", "worked", "lived", "born", "died"))
_OF_TECHNIQUES = frozenset(("invented", "introduced", "developed", "originated"))
_GENERAL = frozenset(
    (
        *("admired", "appear", "appeared", "became", "become", "began", "begins", "begun", "common", "discovered"),
        *("emerged", "established", "excavated", "exported", "fashionable", "found", "goes", "imported", "period"),
        *("popular", "prevalent", "production", "reached", "reserved", "spread", "started", "used", "widespread"),
    )
)
_PREPOSITIONS = frozenset(("in", "from", "during", "between", "since", "throughout", "until", "over", "to"))
_MADE = frozenset(("made", "painted", "produced", "created", "crafted", "dated", "dates", "manufactured", "dating"))
_GENERAL_PERIOD_YEARS = 100


def dates_the_vase(normal: str, begin: int, end: int, num_years: int) -> bool:
    """Returns False if the words around a date say that something other than the vase is of this date.

    normal: the text. begin, end: indices of the date in it. num_years: length of the date's interval.
    """
    before = normal[max(0, begin - _CHARACTERS_BEFORE) : begin].rstrip()
    if before.endswith("("):
        before = before[:-1]
        if before.endswith(("period ", "age ", "era ")) and num_years >= _GENERAL_PERIOD_YEARS:
            return False  # "the Archaic period (700–480 BC)"
    elif _EVENT.match(normal, end):
        return False  # "the 7th century marks the beginning"
    elif not before[-1:].isalpha():
        return True
    words = _WORD.findall(before)
    clause: list[str] = []
    for word in reversed(words):
        if not word[0].isalpha():
            break
        clause.append(word)
    if not _OF_PERSONS.isdisjoint(clause[:6]):
        return False
    if not _ARTICLES.isdisjoint(clause[:3]) and _PERSON.match(normal, end):
        return False  # "an influential 5th century BC painter"
    if not _MADE.isdisjoint(clause):
        return True
    if not _OF_TECHNIQUES.isdisjoint(clause[:5]):
        return False
    return not (clause and clause[0] in _PREPOSITIONS and not _GENERAL.isdisjoint(clause[:9]))
