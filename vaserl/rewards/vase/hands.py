"""Finds the lexicon entry of a painter, potter or group: the Berlin Painter and the Painter of Berlin 1686 are two.

A name is compared without its role word, "of" and "the". The numbers of a museum ("Berlin 1686", "Louvre F 6") are part
of a name that is equal or different, never similar.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from rapidfuzz import fuzz, process

from vaserl.rewards.vase.lexicon import lexicon
from vaserl.rewards.vase.text import normalize

ROLES = ("painter", "potter", "group", "class", "workshop")
"""Words of a name that state the role of an artist or the kind of a group."""


class Hand(NamedTuple):
    """An entry of the lexicon of artists."""

    id: str
    """Id in the lexicon: "berlin_painter"."""
    name: str
    """Name in lower case without the role: "berlin"; "of berlin 1686" for the Painter of Berlin 1686."""
    role: str
    """Word of the name that states the role: "painter", …; empty for a person such as Lydos."""
    written: str
    """Name as captions write it: "Berlin Painter"."""


def known_hand(name: str, role: str) -> Hand | None:
    """Returns the entry that has this name and role; None if there is none."""
    return _known().get((core(name), role))


@lru_cache(maxsize=65536)
def possible_hands(name: str, role: str) -> frozenset[str]:
    """Returns the ids of the entries that a name can mean; empty for an unknown name.

    It is the entry that has this name and role. If there is none, it is every entry of this name with another role
    ("Antimenes" can only mean the Antimenes Painter), or the entry whose name is nearly the same ("Antimens Painter").
    """
    exact = known_hand(name, role)
    if exact:
        return frozenset((exact.id,))
    key = core(name)
    if key in _by_core():
        return _by_core()[key]
    near = process.extractOne(key, _by_core().keys(), scorer=fuzz.ratio, score_cutoff=_MISSPELT)
    return _by_core()[near[0]] if near and museum_numbers(near[0]) == museum_numbers(key) else frozenset()


@lru_cache(maxsize=65536)
def core(name: str) -> str:
    """Returns the words of a name without a leading "of" and "the": "woolly satyrs" for "of the woolly satyrs"."""
    words = NAME_WORD.findall(name.replace("-", " "))
    while len(words) > 1 and words[0] in ("of", "the"):
        words = words[1:]
    return " ".join(words)


@lru_cache(maxsize=65536)
def museum_numbers(key: str) -> tuple[str, ...]:
    """Returns the parts of a `core` that identify without being words: ("f", "6") in "louvre f 6", ("kx",) in "kx"."""
    words = key.split()
    found = []
    for index, word in enumerate(words):
        before_digit = len(word) <= 3 and index + 1 < len(words) and words[index + 1][0].isdigit()
        if word[0].isdigit() or before_digit or (len(word) <= 2 and word not in _PARTICLES):
            found.append(word)
    return tuple(found)


def split_role(words: list[str]) -> tuple[str, str]:
    """Splits the words of a name into name and role: "painter of berlin 1686" is "of berlin 1686" and "painter"."""
    role = ""
    if len(words) > 1 and words[0] in ROLES:  # "Painter of Berlin 1686", "Group E"
        role, words = words[0], words[1:]
    elif len(words) > 1 and words[-1] in ROLES:
        role, words = words[-1], words[:-1]
    return " ".join(words), role


NAME_WORD = re.compile(r"[^\W\d_]+(?:['.-][^\W\d_]+)*|\d+(?:\.\d+)*")
"""A word or a number of an artist's name."""
_PARTICLES = frozenset(("of", "de", "la", "le", "du", "st", "a", "an", "no", "al", "el", "di"))
_MISSPELT = 88
"""Smallest similarity, in percent, at which an unknown name counts as a misspelt known one."""


@cache
def plain_names() -> tuple[str, ...]:
    """Returns the names, in lower case, that running text states without a role word: "lydos", "group e"."""
    names = {normalize(n, len(n)) for e in lexicon("artist").values() for n in e.names}
    return tuple(sorted(n for n in names if n in _PLAIN_GROUPS or not set(n.split()) & {*ROLES}))


_PLAIN_GROUPS = frozenset(("group e", "group g", "group r"))


@cache
def _known() -> Mapping[tuple[str, str], Hand]:
    known: dict[tuple[str, str], Hand] = {}
    for entry in lexicon("artist").values():
        written = entry.names[0]
        first = split_role(NAME_WORD.findall(normalize(written, len(written)).removeprefix("the ")))
        hand = Hand(entry.id, *first, written)
        for spelling in entry.names:
            name, role = split_role(NAME_WORD.findall(normalize(spelling, len(spelling)).removeprefix("the ")))
            other = known.setdefault((core(name), role), hand)
            if other.id != entry.id:
                raise ValueError(f"artists.tsv: {spelling!r} is a name of both {other.id} and {entry.id}; keep one")
    return known


@cache
def _by_core() -> Mapping[str, frozenset[str]]:
    ids: dict[str, frozenset[str]] = {}
    for (key, _), hand in _known().items():
        ids[key] = ids.get(key, frozenset()) | {hand.id}
    return ids
