"""The ground under all parsing: one normal form of a text, its words, and which words carry meaning.

Unicode is folded only where that is harmless: compatibility forms, accents, dashes, quotes, invisible characters. A
Cyrillic letter that looks like a Latin one stays what it is, and a word that has one matches nothing but itself.
"""

import html
import re
import unicodedata
from functools import lru_cache

from rapidfuzz import fuzz

CUT = "¦"
"""Stands where a recognised span was taken out of a text; ends whatever phrase was open."""


def normalize(text: str, max_chars: int) -> str:
    """The first `max_chars` characters in lower case, without markup, with plain dashes, quotes and spaces."""
    text = text[:max_chars]
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_PUNCTUATION))
        # Drops accents (Mn) and invisible characters such as zero-width spaces and soft hyphens (Cf).
        text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf"))
    if "<" in text:
        text = _TAG.sub(" ", text)
    return " ".join(text.replace(CUT, " ").translate(_MARKDOWN).lower().split())


def tokens(normal: str) -> list[str]:
    """Words and the punctuation marks that end phrases, in order; hyphens separate words."""
    return _TOKEN.findall(normal)


def sequence_words(text: str) -> list[str]:
    """All words and numbers of a text of any length, in order and lower case: what n-grams and matching blocks see."""
    return _WORD.findall(text.lower())


def content_words(words: list[str]) -> list[str]:
    """The lemmas of the words that say something, in order: no function words, numbers or single letters."""
    return [lemma(w) for w in words if len(w) > 1 and w not in STOP_WORDS and not w[0].isdigit()]


@lru_cache(maxsize=65536)
def lemma(word: str) -> str:
    """A light lemma: no possessive, no plural. Greek names in -os, -is and -us stay whole."""
    word = word.removesuffix("'s").removesuffix("'")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "os", "is")):
        return word[:-1]
    return word


def text_similarity(a: str, b: str) -> float:
    """Normalised Indel similarity in [0, 1]; all or nothing when a letter is not of the Latin alphabet."""
    if a == b:
        return 1.0
    if not (a.isascii() and b.isascii()):
        return 0.0
    return fuzz.ratio(a, b) / 100


_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.,;:|¦]")
_WORD = re.compile(r"[^\W_]+")
_PUNCTUATION = str.maketrans(dict.fromkeys("‐‑‒–—―−⁃﹘﹣－", "-") | dict.fromkeys("‘’ʼ′＇`´", "'") | {"×": " ", "…": "."})
_MARKDOWN = str.maketrans(dict.fromkeys("*_#~`\"{}[]\\", " "))
_IRREGULAR = {"men": "man", "women": "woman", "children": "child", "horsemen": "horseman", "oxen": "ox", "wolves": "wolf"}

STOP_WORDS = frozenset(
    """a an the of and or with without on in at to from by into onto upon over under above below between beside behind
    before after near next as is are was were be been being it its his her their this that these those which who whom
    whose each both one other others another all some any there here not no also while where when for against through
    along around has have had he she they""".split()
)
"""Function words: they carry no fact and no irrelevance."""

CONNECTIVES = frozenset(
    """depicting depicts depict depicted depiction showing shows show shown portraying portrays portrayed representing
    represents represented featuring features illustrating illustrates scene scenes decorated decoration decorative
    decorating adorned painted painting painter potter attributed attributable attribution ascribed assigned signed
    made hand group class workshop manner follower circle school style dated dating date datable circa about
    approximately century centuries period early mid middle late first second third fourth last quarter half end
    beginning bc bce ad ce vase vases vessel vessels pot pottery ware fabric technique shape type kind example figure
    figured ground ancient greek greece terracotta ceramic clay side sides obverse reverse front back main body neck
    shoulder lip rim foot handle handles tondo interior exterior inside outside lid predella panel frieze zone uncertain
    likely probably possibly perhaps produced workshop described describe description vase's name""".split()
)
"""Catalogue words: they belong to any description and are neither decoration nor irrelevant."""
