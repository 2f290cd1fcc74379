"""Finds the words that describe a vase's decoration, in the zones of a text that depict something.

A depiction begins after a cue ("depicting", "A:") or a weak cue ("with", "decorated"), and ends with the sentence.
Outside it, a phrase counts if it has a word of `lexicon/motifs.txt` or a figure's name ("Herakles and the lion").
"""

from collections.abc import Collection, Sequence
from functools import cache, lru_cache

from vaserl.rewards.vase.lexicon import figures, lexicon
from vaserl.rewards.vase.text import CONNECTIVES, CUT, STOP_WORDS, content_words, lemma, word_group, word_list
from vaserl.rewards.vase.zones import KEEPERS, METADATA

NONE, WEAK, STRONG = 0, 1, 2
"""Degrees in which a token is depicted: not at all, after "with" or "decorated", after "depicting" or "A:"."""

_CUES = word_list("depiction_cues.txt")
_WEAK_CUES = frozenset(("with", "decorated", "painted", "adorned", "bearing"))
_ADJECTIVES = frozenset(("decorated", "painted"))
_ENDS = frozenset((".", ";", "|", CUT, "this"))
_FILLERS = word_list("fillers.txt")
_MADE = frozenset(("made", "produced", "manufactured"))
_UNIT_ENDS = frozenset((".", ",", ";", ":", "|", CUT))
_PARTS = word_group("vessel_parts")
_BACKGROUND = word_group("background")
_FEW_WORDS, _SHORT_PHRASE = 3, 4
_LONG_TEXT, _NUM_SENTENCES = 45, 3
_FEWEST_BACKGROUND = 2
_MANY_MOTIFS = 5
_SHORT_WORD = 2
_PURPOSES = word_group("purposes")
_SHARE_OF_MOTIFS = 0.7


def decoration_words(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the distinct lemmas of `words` in order, without function words, catalogue words such as "scene", and
    words of prose that name nothing painted."""
    return tuple(dict.fromkeys(filter(None, map(_decoration_lemma, words))))


@lru_cache(maxsize=65536)
def _decoration_lemma(word: str) -> str:
    if word in CONNECTIVES or not word[0].isalnum():
        return ""
    lemmas = [w for w in content_words([word]) if w not in CONNECTIVES and w not in _FILLERS]
    return lemmas[0] if lemmas else ""


def depicted(words: Sequence[str]) -> list[int]:
    """Returns for each token the degree in which it describes the picture on the vase: NONE, WEAK or STRONG.

    In the description of a picture, "hydria" is a painted object and not the shape of the vase. A description starts
    after a word such as "depicting" or after a label such as "A:" (side A). It ends at the end of the sentence, at a
    date, at an attribution, or at "this".

    "With" and "decorated" also start a description, unless the technique follows, as in "decorated in black-figure with
    a warrior". A description that started in this way also ends at the technique: "with twisted handles, Attic
    red-figure".
    """
    degrees, degree = [], NONE
    for index, word in enumerate(words):
        made = word == "," and index + 1 < len(words) and words[index + 1] in _MADE
        if made or word in _ENDS or (degree == WEAK and word in (",", "in") and _technique_follows(words, index + 1)):
            degree = NONE
        degrees.append(degree)
        if (word in _CUES and not _is_carried(words, index)) or (word == ":" and index and _is_side(words, index - 1)):
            degree = STRONG
        elif word in _WEAK_CUES and degree != STRONG:
            in_manner = words[index + 1 : index + 3] == ["in", "the"]  # "decorated in the Corinthian style"
            vessel = word in _ADJECTIVES and _vessel_follows(words, index + 1)
            degree = NONE if in_manner or vessel or _technique_follows(words, index + 1) else WEAK
    return degrees


def painted_words(
    words: Sequence[str], degrees: Sequence[int], claimed: Collection[int], listed: bool = False
) -> tuple[str, ...]:
    """Returns the lemmas of the words that describe the decoration in a tokenised caption.

    A phrase of unknown words counts too ("Attic cup, kottabos"), unless the text is the lines of a database (`listed`).

    degrees: as returned by `depicted`. claimed: indices of tokens that belong to another dimension.
    """
    kept: list[str] = []
    start = 0
    for end in [*(i for i, word in enumerate(words) if word in _UNIT_ENDS), len(words)]:
        if end > start and (end > start + 1 or len(words[start]) > 1):
            kept += _painted(words, range(start, end), degrees, claimed, listed)
        start = end + 1
    return decoration_words(kept)


def is_prose(words: Sequence[str]) -> bool:
    """Returns True for the tokens of a long text of several sentences."""
    return len(words) > _LONG_TEXT and sum(word in ".;" for word in words) >= _NUM_SENTENCES


def painted_in_prose(words: Sequence[str], degrees: Sequence[int], claimed: Collection[int]) -> tuple[str, ...]:
    """Returns the lemmas of the words that describe the decoration in tokenised prose: motifs, and what stands beside
    them in their sentence. The arguments are those of `painted_words`."""
    kept: list[str] = []
    start = 0
    for end in range(len(words) + 1):
        if end == len(words) or words[end] in _ENDS:
            sentence = [i for i in range(start, end) if i not in claimed]
            start = end + 1
            texts = sentence_words = [words[i] for i in sentence]
            strong = [i for i in sentence if degrees[i] == STRONG]
            if _is_background(texts):
                texts = [words[i] for i in strong]
            if any(is_motif(word) for word in texts) and not _is_of_the_form(texts):
                kept += [
                    words[i]
                    for i in (strong if texts is not sentence_words else sentence)
                    if is_motif(words[i]) or (is_companion(words[i]) and (degrees[i] or words[i] not in _PURPOSES))
                ]
            else:
                kept += [words[i] for i in strong if is_companion(words[i])]
    return decoration_words(kept)


def _is_of_the_form(words: Sequence[str]) -> bool:
    """Returns True for words about the vessel's form: "fillet at the join of shoulder and neck", "foot with a disc".

    A moulding has the name of a thing that pictures have too, so it counts as painted only beside another motif.
    """
    if _PARTS.isdisjoint(words):
        return False
    lemmas = {lemma(word) for word in words}
    return not _MOULDINGS.isdisjoint(lemmas) and _MOULDINGS.issuperset(filter(is_motif, lemmas))


_MOULDINGS = word_group("mouldings")


def _is_background(sentence: Sequence[str]) -> bool:
    """Returns True for a sentence about vases in general, about this one's data, or that tells a myth or a custom.

    A picture is described in the present tense: "the hero was sent to Nemea" tells what is not shown.
    """
    if not METADATA.isdisjoint(sentence):
        return True
    if len(_BACKGROUND.intersection(sentence)) >= _FEWEST_BACKGROUND:
        return sum(map(is_motif, sentence)) < _MANY_MOTIFS
    if not _SOURCES.isdisjoint(sentence):
        return True
    return not _PAST.isdisjoint(sentence) and _PRESENT.isdisjoint(sentence)


_SOURCES = word_group("sources")
_PAST = word_group("past")
_PRESENT = word_group("present")


def _painted(
    words: Sequence[str], unit: range, degrees: Sequence[int], claimed: Collection[int], listed: bool
) -> list[str]:
    """Returns the words of one phrase, between two punctuation marks, that describe the decoration."""
    free = [words[i] for i in unit if i not in claimed]
    if not free:
        return free
    if degrees[unit[0]] == STRONG:
        return free
    strong = [words[i] for i in unit if degrees[i] == STRONG and i not in claimed]
    if not METADATA.isdisjoint(free):
        return strong
    content = [w for w in free if w not in CONNECTIVES and w not in _FILLERS]
    if KEEPERS.issuperset(content):
        return strong
    content = [w for w in content_words(content) if w not in CONNECTIVES]
    motifs = [w for w in content if is_motif(w) or is_companion(w)]
    if _PURPOSES.issuperset(motifs):
        motifs = []
    if listed and not any(map(is_motif, motifs)):
        motifs = []
    if strong:
        return [w for w in free if w in motifs or w in strong]
    weak = [words[i] for i in unit if degrees[i] == WEAK and i not in claimed]
    if len(free) < len(unit) and not weak:
        return motifs  # the phrase names the vase: "Herakles on an Attic cup"
    if motifs and _is_of_the_form(free):
        motifs = []
    if not motifs:
        content = [w for w in content if w.isalpha() and len(w) > _SHORT_WORD]
        few = not listed and len(content) <= _FEW_WORDS and len(unit) <= _SHORT_PHRASE + 2
        return content if few and _PARTS.isdisjoint(free) and (weak or len(free) == len(unit)) else []
    return content if len(content) <= _SHORT_PHRASE or len(motifs) >= _SHARE_OF_MOTIFS * len(content) else motifs


@lru_cache(maxsize=65536)
def is_motif(word: str) -> bool:
    """Returns True for a word that names something painted: "satyr", "palmettes", "herakles"."""
    return _is_form_of(word, _motifs())


@lru_cache(maxsize=65536)
def is_companion(word: str) -> bool:
    """Returns True for a word that describes a picture beside a motif: "holding", "bearded", "offering"."""
    return _is_form_of(word, _companions())


def _is_form_of(word: str, motifs: frozenset[str]) -> bool:
    word = lemma(word)
    if word in motifs:
        return True
    for ending, length in (("ing", 6), ("ed", 5), ("es", 5)):
        if word.endswith(ending) and len(word) >= length:
            stem = word.removesuffix(ending)
            if stem in motifs or f"{stem}e" in motifs or (stem[-1] == stem[-2] and stem[:-1] in motifs):
                return True
    return False


@cache
def _companions() -> frozenset[str]:
    words = word_list("companions.txt")
    return words | frozenset(map(lemma, words))


@cache
def _motifs() -> frozenset[str]:
    words = word_list("motifs.txt") | figures().keys()
    return words | frozenset(map(lemma, words))


def _is_carried(words: Sequence[str], index: int) -> bool:
    """Returns True for a scene whose vessel follows: "a black-figure scene on the belly-amphora by …"."""
    return words[index] in ("scene", "scenes") and words[index + 1 : index + 2] in (["on"], ["from"])


def _vessel_follows(words: Sequence[str], index: int) -> bool:
    """Returns True for "decorated" and "painted" before their noun: "painted terracotta bell-krater"."""
    for word in words[index : index + 4]:
        if word in _vessel_words():
            return True
        if word in STOP_WORDS or not word[0].isalnum():
            return False
    return False


@cache
def _vessel_words() -> frozenset[str]:
    last = {name.lower().replace("-", " ").split()[-1] for entry in lexicon("shape").values() for name in entry.names}
    return frozenset(last - _PARTS) | {"vase", "vases", "vessel", "vessels", "pot", "pottery", "ware"}


def _is_side(words: Sequence[str], index: int) -> bool:
    """Returns True for the letter of a side before a colon: "A", "I", "UH"; False for "no" and "h"."""
    return len(words[index]) <= 2 and words[index] not in ("no", "h", "w", "d", "l") and not words[index].isdigit()


def _technique_follows(words: Sequence[str], index: int) -> bool:
    ahead = [w for w in words[index : index + 6] if w not in ("in", "a", "an", "the", "on")]
    # the technique follows directly, or after the fabric
    return tuple(ahead[:2]) in _TECHNIQUE_PAIRS or (
        tuple(ahead[1:3]) in _TECHNIQUE_PAIRS and (ahead[0] in _SHEENS or ahead[0] in _origins())
    )


@cache
def _origins() -> frozenset[str]:
    return frozenset(name.lower() for entry in lexicon("fabric").values() for name in entry.names)


_TECHNIQUE_PAIRS = frozenset(
    (colour, kind)
    for colour in ("black", "red", "white")
    for kind in ("figure", "figured", "figures", "ground", "glaze", "gloss", "slip", "pattern")
) | {("coral", "red"), ("intentional", "red"), ("west", "slope")}
_SHEENS = word_group("sheens")
