"""Finds the names in a description of a scene and writes them with a capital letter."""

import re
from collections.abc import Mapping
from functools import cache

from vaserl.rewards.vase.lexicon import figures, lexicon
from vaserl.rewards.vase.noun_phrases import is_common
from vaserl.rewards.vase.text import normalize

_GREEK_NAME = re.compile(r"[a-z]{2,}(?:eus|[^o]os|ios|kles|ippe|medes|genes|phon|machos|dike|aios|thoos)$")
"""Endings of Greek names. Common nouns that have one of them, such as "thyrsos", are in a lexicon."""


def names_in(text: str) -> Mapping[str, str]:
    """Returns the kind of each name in a "Decoration" field, by the name in lower case.

    The kinds are those of the lexicon of figures: "person", "people", "unique" and "adjective". Names are the figures
    of the lexicon, words with the ending of a Greek name that aren't common nouns, and, in a text in sentence case,
    words with a capital within a phrase.
    """
    found = {}
    words = re.findall(r"[^\W\d_]{2,}", text)
    capitals = sum(word[0].isupper() for word in words) > len(words) / 2  # throughout, or in each word, as in a title
    inner = set() if capitals else set(re.findall(r"(?<=[^\W\d_] )[^\W\d_](?=[a-z])[^\W\d_]+", text))
    for written in words:
        word = normalize(written, len(written))
        kind = known_names().get(word)
        if kind is None and (written in inner and written[0].isupper()):
            kind = "person"
        if kind is None and _GREEK_NAME.fullmatch(word) and not is_common(word):
            kind = "person"
        if kind is not None:
            found[word] = kind
    return found


def capitalised(word: str, names: Mapping[str, str]) -> str:
    """Returns the word with a capital letter if it, or its part before a hyphen, is one of `names`: "Pan-satyr"."""
    return word.capitalize() if re.split(r"'s$|-", word)[0] in names else word


@cache
def known_names() -> Mapping[str, str]:
    """Returns the kind of each name in the lexicons of figures and fabrics, by the name in lower case."""
    fabrics = {entry.names[0].lower(): "adjective" for entry in lexicon("fabric").values()}
    return {**fabrics, **figures()}
