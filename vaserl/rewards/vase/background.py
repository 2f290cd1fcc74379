"""Finds what a text tells of artists, techniques, periods and events, whose dates and places are not the vase's.

Two things are done with it. A clause about a career or an invention is removed with all its dates and places ("active
in Athens c. 500–475 BC"). Of a date that is left, the words around it in its clause decide: "in 480 BC the Persians
sacked Athens" and "the poet Anakreon (c. 575–490 BC)" date no vase.
"""

import re

from vaserl.rewards.vase.text import with_marks, word_group

BACKGROUND_WORDS = with_marks(word_group("careers"))
"""A text without any of these words tells nothing of an artist's or a style's time."""


def without_background(normal: str) -> str:
    """Returns a normalised text without the clauses that tell of artists and inventions instead of the vase.

    Examples: "active in Athens c. 500–475 BCE", "invented in Athens around 530 BCE", "in fifth-century Athens".
    """
    return _CAREER.sub(" , ", normal)


_IN_CLAUSE = r"(?:[^,.;:()|¦]|(?<=\bc)\.|(?<=\bca)\.|(?<=\bb)\.(?=c)|(?<=\bb\.c)\.|\.(?=\w)){0,90}"
_ERA = r"(?: b\.? ?c\.?(?: ?e\.?)?)?"
_CAREER = re.compile(
    r"\b(?:(?:active|flourish\w{1,3}|lived|invented|introduced|originated|admired|prevalent|developed in"
    r"|in the period from|which was used in|established|in activity|imported from)\b"
    rf"{_IN_CLAUSE}"
    # "5th century B.C.E. Athens, Greece" is a museum's line of date and place
    rf"|(?:in )?[\w]+[ -]century{_ERA} (?:greek |athenian )?"
    r"(?:(?:athens|attica|greece|britain|europe)(?!,? greece)|artisan|artist|painter|potter|vase[ -]painter|master"
    r"|(?:comic |tragic |lyric |epic )?poet|playwright|philosopher|historian|traveller)\b"
    r"|(?:(?<=painter)|(?<=artist)|(?<=potter)|(?<=artisan)) of the (?:[\w-]+ ){1,4}?century"
    rf"{_ERA})"
)

_WORD = re.compile(r"[a-z][a-z'-]*|[,.;:()|¦]")
_CHARACTERS_BEFORE = 90
_EVENT_AFTER = re.compile(
    r" ?(?:marks|marked|saw)\b"
    r"|(?: onwards?)?,? (?:was|were) (?:populated|inhabited|founded|ruled|conquered|settled|dominated|home)\b"
    r"|,? (?:the )?(?:persians|greeks|athenians|spartans|romans|carthaginians|macedonians|xerxes|alexander|perikles)\b"
)
_OF_EVENT = re.compile(
    r"\b(?:(?:battles?|sieges?|sack|peace|fall) (?:of|at) (?:the )?\w+|(?:persian|peloponnesian|samnite|punic) wars?"
    r"|reign of (?:[\w'-]+ ){0,2}[\w'-]+"
    r"|(?:dramatist|playwright|poet|tragedian|philosopher|historian|statesman|sculptor|orator|tyrant|emperor|lawgiver"
    r"|legislator|king) (?:[\w'-]+ ){0,2}[\w'-]+),? ?\(?$"
)
_PERSON = re.compile(
    r" ?(?:(?:greek|athenian|attic|corinthian|apulian|south|italian|red-figure|black-figure) )*"
    r"(?:(?:vase[ -]?)?painters?|potters?|artists?|artisans?)\b"
)
_ARTICLES = frozenset(("a", "an", "the"))
_OF_PERSONS = frozenset(("activity", "fl", "worked", "born", "died"))
_GENERAL = frozenset(
    (
        *("appear", "appeared", "arrived", "became", "become", "began", "begins", "begun", "came", "common"),
        *("conquered", "developed", "died", "discovered", "dominated", "emerged", "ended", "excavated", "exported"),
        *("fashionable", "fell", "found", "founded", "goes", "lasted", "moved", "period", "popular", "production"),
        *("reached", "replaced", "replacing", "reserved", "ruled", "sacked", "settled", "spread", "started"),
        *("superseded", "used", "widespread"),
    )
)
_MODELS = frozenset(
    ("prototype", "prototypes", "models", "predecessors", "began", "beginning", "starting", "started", "those")
)
_OF_CLASSES = frozenset(("were",))
_PREPOSITIONS = frozenset(
    ("in", "from", "during", "between", "since", "throughout", "until", "over", "to", "by", "after", "before")
)
_MADE = frozenset(("made", "painted", "produced", "created", "crafted", "dated", "dates", "manufactured", "dating"))
_OPEN_DATE = re.compile(r"after|before|until|since")
_GENERAL_PERIOD_YEARS = 100


def dates_the_vase(normal: str, begin: int, end: int, num_years: int) -> bool:
    """Returns False if the words around a date say that something other than the vase is of this date.

    normal: the text. begin, end: indices of the date in it. num_years: length of the date's interval.
    """
    before = normal[max(0, begin - _CHARACTERS_BEFORE) : begin].rstrip()
    if before.endswith((" fl.", "born", "died")) or _OF_EVENT.search(before):
        return False
    if before.endswith(("period,", "age,", "era,")) and num_years >= _GENERAL_PERIOD_YEARS:
        return False  # "Hellenistic period, 323–30 BC"
    if before.endswith("("):
        before = before[:-1]
        if before.endswith(("period ", "age ", "era ")) and num_years >= _GENERAL_PERIOD_YEARS:
            return False  # "the Archaic period (700–480 BC)"
    elif _EVENT_AFTER.match(normal, end):
        return False  # "the 7th century marks the beginning", "in 480 BC the Persians …"
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
    if not _MODELS.isdisjoint(clause[:4]) or not _OF_CLASSES.isdisjoint(clause[:9]):
        return False  # "prototypes of the 6th century BC", "red-figure vases were made from …"
    if not _MADE.isdisjoint(clause):
        return True
    if not clause:
        return True
    in_time = clause[0] in _PREPOSITIONS or _OPEN_DATE.match(normal, begin) is not None
    return not (in_time and not _GENERAL.isdisjoint(clause[:9])) and "developed" not in clause[:5]
