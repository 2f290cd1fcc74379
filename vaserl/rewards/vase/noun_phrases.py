"""Writes the articles that a catalogue leaves out: "WARRIOR WITH SHIELD" becomes "a warrior with a shield".

A description of a scene in the style of the catalogues is a row of noun phrases between commas, prepositions,
conjunctions and participles. A noun phrase whose head is a singular common noun gets "a", "an" or "the".
"""

import csv
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from vaserl.rewards.vase.lexicon import lexicon_words
from vaserl.rewards.vase.text import lemma

DOUBT = "perhaps"
"""Word before a noun phrase that the catalogue marks with "(?)"."""
_CONJUNCTIONS = frozenset(("and", "or"))
PREPOSITIONS = frozenset(
    (
        *("with", "without", "in", "on", "at", "of", "to", "between", "by", "over", "from", "under", "above", "below"),
        *("behind", "before", "after", "around", "beside", "against", "near", "into", "onto", "through", "towards"),
        *(
            "except",
            "toward",
            "out",
            "off",
            "up",
            "down",
            "upon",
            "among",
            "across",
            "along",
            "within",
            "for",
            "as",
            "beneath",
        ),
    )
)
_ADVERBS = frozenset(
    ("forward", "forwards", "back", "backwards", "away", "aside", "upwards", "downwards", "round", "ready")
)
"""Words that take no article behind a participle: "looking back"."""
_LIMBS = frozenset(("foot",))
_BEFORE_LIMBS = frozenset(("left", "right", "his", "her", "its", "their"))
"""Words that begin the object of a participle: "resting left arm on staff"."""
_NOUNS = ("noun", "mass", "event")
_IRREGULAR_PLURALS = frozenset(
    (
        *("men", "women", "children", "horsemen", "huntsmen", "oxen", "people", "cattle", "feet"),
        *(
            "geese",
            "wolves",
            "calves",
            "teeth",
            "auloi",
            "erotes",
            "lekanides",
            "phialai",
            "stelai",
            "korai",
            "graffiti",
        ),
    )
)
_GREEK_PLURAL = re.compile(r"\w{3,}(?:oi|ai|ides|antes)")
# Words whose first letter is a vowel and whose first sound is a consonant ("a one-handled cup"), and the reverse.
_SOUNDS_LIKE_CONSONANT = re.compile(r"eu|ewe|uni(?!n|m)|us[aeu]|ut[ei]|ubi|one\b|once\b")
_SOUNDS_LIKE_VOWEL = re.compile(r"hour|honest|honou?r|heir")


def indefinite_article(phrase: str) -> str:
    """Returns "a" or "an", by the first sound of the phrase."""
    start = phrase.lower()
    vowel = start[:1] in tuple("aeiou") and not _SOUNDS_LIKE_CONSONANT.match(start)
    return "an" if vowel or _SOUNDS_LIKE_VOWEL.match(start) else "a"


def with_articles(words: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """Returns the words of one phrase between commas, with an article before each noun phrase that needs one.

    words: lower case; "?" marks the noun phrase before it as doubtful. names: kinds of the names, as returned by
    `names_in`.
    """
    written: list[str] = []
    phrase: list[str] = []
    shared = False  # "a Greek and oriental archer" has one article

    def close(before: str) -> None:
        nonlocal shared
        if not phrase:
            return
        doubtful = "?" in phrase
        nouns = [word for word in phrase if word != "?"]
        article = "" if shared else _article(nouns, names, before)
        if article in ("a", "an") and written and written[-1] in PREPOSITIONS:
            article = "" if nouns[-1] in _kinds()["bare"] else "the" if nouns[-1] in _kinds()["definite"] else article
        shared = before in _CONJUNCTIONS and all(_is_adjective(word, names) for word in nouns)
        if doubtful and nouns:
            # "the head of perhaps a woman": the doubt stands before the preposition
            place = len(written) - 1 if written and written[-1] in PREPOSITIONS else len(written)
            written.insert(place, DOUBT)
        written.extend(([article] if article else []) + nouns)
        phrase.clear()

    for index, word in enumerate(words):
        after = words[index + 1] if index + 1 < len(words) else ""
        if word in _CONJUNCTIONS or word in PREPOSITIONS or _is_verb(word, bool(phrase), after):
            close(word)
            written.append(word)
            shared = shared and word in _CONJUNCTIONS
        elif _is_adverb(word, after) and (phrase or written) and (phrase or written)[-1].endswith("ing"):
            close(word)
            written.append(word)
        else:
            phrase.append(word)
    close("")
    return written


def is_event(phrase: Sequence[str]) -> bool:
    """Returns True for a phrase such as "fight" or "judgement of paris", after which figures are listed."""
    return any(word in _kinds()["event"] for word in phrase[:2])


def is_modified(phrase: str) -> bool:
    """Returns True if a noun behind "and" could belong to the end of the phrase: "a youth with a staff"."""
    return not PREPOSITIONS.isdisjoint(phrase.split())


def begins_with_preposition(phrase: str) -> bool:
    """Returns True for a phrase such as "in the centre"."""
    return phrase.split(" ")[0] in PREPOSITIONS


def is_joined(phrase: str) -> bool:
    """Returns True if the phrase has an "and" or "or" of its own."""
    return not _CONJUNCTIONS.isdisjoint(phrase.split())


def is_common(word: str) -> bool:
    """Returns True if the word is a common noun or adjective of scenes, or belongs to the name of a shape or ware."""
    return word in _common_words() or word in lexicon_words()


def _article(phrase: Sequence[str], names: Mapping[str, str], before: str) -> str:
    """Returns the article of a noun phrase, "" if it needs none. before: the word that follows the phrase."""
    if not phrase or not _kinds()["number"].isdisjoint(phrase) or phrase[0].isdigit():
        return ""
    nouns = [word for word in phrase if not _is_adjective(word, names) and word not in _kinds()["verb"]]
    nouns = [word for word in nouns if not word.endswith("ing") or word in _kinds()["noun"]] or nouns
    if not nouns:
        counts = before in _CONJUNCTIONS or any(word in _kinds()["person"] or word in names for word in phrase)
        return indefinite_article(phrase[0]) if counts else ""
    if phrase[0] in ("left", "right", "upper", "lower", "middle"):
        return "the"
    head = nouns[-1]
    kind = names.get(head.removesuffix("'s"), "")
    if kind == "unique" or any(names.get(word) == "unique" for word in nouns):
        return "the"
    if kind == "person" or any(names.get(word.removesuffix("'s")) == "person" for word in nouns):
        return ""
    if _is_plural(head) or (head in _kinds()["mass"] and not (head in _LIMBS and len(phrase) > 1)):
        return ""
    return "the" if before in ("of", "for") and head in _kinds()["of"] else indefinite_article(phrase[0])


def _is_plural(word: str) -> bool:
    if word in _kinds()["singular"]:
        return False
    return word in _IRREGULAR_PLURALS or bool(_GREEK_PLURAL.fullmatch(word)) or lemma(word) != word


def _is_verb(word: str, behind_noun: bool, after: str) -> bool:
    """Returns True for a participle that an object or a preposition may follow: "youth [pursuing] woman"."""
    if word in _kinds()["verb"]:
        return bool(after)
    participle = word.endswith("ing") and len(word) > 4 and not any(word in _kinds()[kind] for kind in _NOUNS)
    return participle and (behind_noun or after in PREPOSITIONS | _ADVERBS | _BEFORE_LIMBS)


def _is_adverb(word: str, after: str) -> bool:
    """Returns True for a word that tells where a participle goes: "looking back", "running right"."""
    return word in _ADVERBS or (word in ("left", "right") and (not after or after in PREPOSITIONS | _CONJUNCTIONS))


def _is_adjective(word: str, names: Mapping[str, str]) -> bool:
    participle = len(word) > 4 and word.endswith("ed") and word not in _kinds()["noun"]
    manner = len(word) > 4 and word.endswith("ly") and word not in names  # "largely restored"
    return participle or manner or word in _kinds()["adjective"] or names.get(word) == "adjective"


@cache
def _common_words() -> frozenset[str]:
    return frozenset().union(*_kinds().values())


@cache
def _kinds() -> Mapping[str, frozenset[str]]:
    lines = (Path(__file__).parent / "lexicon" / "scene_words.tsv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")
    return {row["kind"]: frozenset(row["words"].split()) for row in rows}
