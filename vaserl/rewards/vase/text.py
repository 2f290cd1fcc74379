"""Normalises text and splits it into words; all parsing begins with this.

Unicode is folded only where that is harmless: compatibility forms, accents, dashes, quotes, invisible characters. A
Cyrillic letter that looks like a Latin one is not folded, and a word that contains one matches only itself.
"""

import html
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from rapidfuzz import fuzz

CUT = "¦"
"""Character that replaces a recognised part of a text, such as a date; like punctuation, it ends a phrase."""


def word_list(file: str) -> frozenset[str]:
    """Returns the words of a file in `lexicon/`, without its comment lines."""
    lines = (Path(__file__).parent / "lexicon" / file).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def normalize(text: str, max_chars: int) -> str:
    """Returns the first `max_chars` characters in lower case, without markup, with ASCII dashes, quotes and spaces."""
    text = text[:max_chars]
    if "&" in text:
        text = html.unescape(text)
    text = text.replace("–", "-")  # the only non-ASCII character of most captions
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_PUNCTUATION))
        # Drops accents (Mn) and invisible characters such as zero-width spaces and soft hyphens (Cf).
        text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf"))
    if "<" in text:
        text = _TAG.sub(" ", text)
    return " ".join(_MARKDOWN.sub(" ", text).lower().split())


def tokens(normal: str) -> list[str]:
    """Splits a normalised text into words and the punctuation marks that end phrases; a hyphen separates two words."""
    return _TOKEN.findall(normal)


def sequence_words(text: str) -> list[str]:
    """Returns the words, numbers and markup characters of a text of any length, in order and lower case.

    The repetition penalty and the bonus are computed from them. Markup is dropped before parsing but kept here, so that
    formatting raises no score.
    """
    return _WORD.findall(text.lower())


def content_words(words: list[str]) -> list[str]:
    """Returns the lemmas of those words, in order, that are not function words, numbers or single letters."""
    return [lemma(w) for w in words if len(w) > 1 and w not in STOP_WORDS and not w[0].isdigit()]


@lru_cache(maxsize=65536)
def lemma(word: str) -> str:
    """Returns the lemma: the word without possessive and plural endings. Words in -ss, -us, -os and -is keep the s."""
    word = word.removesuffix("'s").removesuffix("'")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "os", "is")):
        return word[:-1]
    return word


def text_similarity(a: str, b: str) -> float:
    """Returns the Indel similarity of two texts, 1 - insertions and deletions / characters of both, in [0, 1].

    Texts with a non-ASCII character are only tested for equality: 0 or 1.
    """
    if a == b:
        return 1.0
    if not (a.isascii() and b.isascii()):
        return 0.0
    return fuzz.ratio(a, b) / 100


_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.,;:|¦]")
_WORD = re.compile(r"[^\W_]+|[*_#~`<>{}\[\]\\|]")
_PUNCTUATION = str.maketrans(
    dict.fromkeys("‐‑‒–—―−⁃﹘﹣－", "-") | dict.fromkeys("‘’ʼ′＇`´", "'") | {"×": " ", "…": "."}
)
_MARKDOWN = re.compile(rf"[*_#~`\"{{}}\[\]\\{CUT}]")
_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "horsemen": "horseman",
    "oxen": "ox",
    "wolves": "wolf",
}

STOP_WORDS = word_list("stop_words.txt")
"""Function words such as "the" and "with": they state no fact, and don't count as irrelevant."""

CONNECTIVES = word_list("catalogue_words.txt") | word_list("findspots.txt")
"""Catalogue words such as "scene", and findspots. They may occur in any description, so they count neither as
decoration nor as irrelevant."""
