"""Normalises text and splits it into words, the first step of parsing.

Unicode characters are replaced by ASCII characters only if the meaning remains the same: full-width letters, accented
letters, dashes and quotes. Invisible characters are removed. A Cyrillic letter that looks like a Latin one is not
replaced, so a word that contains one is not similar to any other word.
"""

import html
import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from pathlib import Path

from rapidfuzz import fuzz

CUT = "¦"
"""Character that replaces a part of a text that was already parsed, such as a date. It ends a phrase, like a comma."""


def word_list(file: str) -> frozenset[str]:
    """Reads the words of a text file in the folder `lexicon/`; lines that start with # are comments."""
    lines = (Path(__file__).parent / "lexicon" / file).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def word_groups() -> dict[str, tuple[str, ...]]:
    """Reads `lexicon/word_groups.tsv` and returns the words of each group, by its name."""
    lines = (Path(__file__).parent / "lexicon" / "word_groups.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {name: tuple(words.split()) for name, words in rows[1:]}


def word_group(name: str) -> frozenset[str]:
    """Returns a group of words of `lexicon/word_groups.tsv`."""
    return frozenset(word_groups()[name])


def with_marks(words: Collection[str]) -> frozenset[str]:
    """Returns each word also as it stands beside a punctuation mark: "found", "(found", "found:".

    A text's `split()` can be compared with the result; this is several times as fast as `tokens`.
    """
    return frozenset(f"{before}{word}{after}" for word in words for before in ("", "(") for after in ("", *".,:;)"))


def at_word(*patterns: str) -> str:
    """Returns a regular expression for the first of some patterns that matches, at the beginning of a word.

    It means the same as a word boundary before the patterns, each of which begins with a letter. But `re` skips to one
    of a few letters much faster than to a boundary, so the boundary is checked behind the letter.
    """
    by_letter: dict[str, list[str]] = {}
    for pattern in patterns:
        by_letter.setdefault(pattern[0], []).append(pattern[1:])
    branches = (rf"{letter}(?<=\b{letter})(?:{'|'.join(rest)})" for letter, rest in by_letter.items())
    return f"(?:{'|'.join(branches)})"


def any_name(names: Iterable[str]) -> str:
    """Returns a regular expression that matches each of the names, the longest first, grouped by first letter."""
    by_letter: dict[str, list[str]] = {}
    for name in sorted(names, key=len, reverse=True):
        by_letter.setdefault(name[0], []).append(re.escape(name[1:]))
    branches = (f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in sorted(by_letter.items()))
    return f"(?:{'|'.join(branches)})"


def normalize(text: str, max_chars: int) -> str:
    """Returns the first `max_chars` characters of a text in lower case, without HTML and Markdown markup.

    Accents are removed; typographic dashes, quotes and spaces are replaced by ASCII characters.
    """
    text = text[:max_chars]
    if "&" in text:
        text = html.unescape(text)
    text = text.replace("–", "-")  # the only non-ASCII character of most captions
    if not text.isascii():
        # A ligature may become 18 letters, a letter with accents up to four characters.
        text = unicodedata.normalize("NFKD", text.translate(_PUNCTUATION))[: 4 * max_chars]
        # Drops accents (Mn) and invisible characters such as zero-width spaces and soft hyphens (Cf).
        invisible = [ord(c) for c in set(text) if not c.isascii() and unicodedata.category(c) in ("Mn", "Cf")]
        text = (text.translate(dict.fromkeys(invisible)) if invisible else text)[:max_chars]
    if "<" in text:
        text = _TAG.sub(" ", text)
    return " ".join(_MARKDOWN.sub(" ", text).lower().split())


def tokens(normal: str) -> list[str]:
    """Splits a text returned by `normalize` into words and those punctuation marks that end a phrase.

    "neck-amphora" is two words.
    """
    return _TOKEN.findall(normal)


def sequence_words(text: str) -> list[str]:
    """Returns the words, numbers and markup characters of a text in lower case, in the order of the text.

    The repetition penalty and the bonus are computed from this list. Unlike in `normalize`, markup characters remain,
    so that formatting a caption doesn't raise its reward.
    """
    return _WORD.findall(text.lower())


def content_words(words: list[str]) -> list[str]:
    """Returns the lemmas of the content words, in order; function words, numbers and single letters are left out."""
    return [lemma(w) for w in words if len(w) > 1 and w not in STOP_WORDS and not w[0].isdigit()]


@lru_cache(maxsize=65536)
def lemma(word: str) -> str:
    """Returns the word without its possessive or plural ending. A final s remains in words that end in -ss, -us, -os
    or -is."""
    word = word.removesuffix("'s").removesuffix("'")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 5 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "os", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Returns a lemma without the endings of a verb's forms: "pursu" for "pursue", "pursuing" and "pursued"."""
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) >= len(ending) + _SHORTEST_STEM:
            word = word.removesuffix(ending)
            if word[-1] == word[-2] and word[-1] not in "sle":
                word = word[:-1]  # "running"
            break
    word = word.rstrip("e") if len(word) > _SHORTEST_STEM else word
    return f"{word[:-1]}i" if word.endswith("y") else word  # "carry", "carried"


_SHORTEST_STEM = 3


def text_similarity(a: str, b: str) -> float:
    """Returns the similarity of two texts in spelling, in [0, 1].

    It is the Indel similarity, 1 - (number of insertions and deletions) / (number of characters of both texts). If one
    of the texts has a non-ASCII character, it is 1 for equal texts, else 0.
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
    "geese": "goose",
    "mice": "mouse",
    "wolves": "wolf",
    "leaves": "leaf",
    "heroes": "hero",
    "erotes": "eros",
    "chlamydes": "chlamys",
    "does": "do",
}

STOP_WORDS = word_list("stop_words.txt")
"""Function words such as "the" and "with". They state no fact, and the irrelevance penalty ignores them."""

CONNECTIVES = word_list("catalogue_words.txt") | word_list("findspots.txt")
"""Words of museum catalogues such as "scene", and findspots. They may occur in the description of any vase. Therefore
they don't count as decoration, and the irrelevance penalty doesn't count them as irrelevant."""
