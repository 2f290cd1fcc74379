"""Finds the words that describe a vase's decoration: the content words that belong to none of the other dimensions."""

from collections.abc import Sequence
from functools import cache

from vaserl.rewards.vase.lexicon import lexicon
from vaserl.rewards.vase.text import CONNECTIVES, CUT, content_words, word_list

_CUES = word_list("depiction_cues.txt")
_WEAK_CUES = frozenset(("with", "decorated", "painted", "adorned", "bearing"))
_ENDS = frozenset((".", ";", "|", CUT, "this"))


def decoration_words(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the distinct lemmas of `words` in order, without function words and catalogue words such as "scene"."""
    lemmas = content_words([w for w in words if w not in CONNECTIVES and w[0].isalnum()])
    return tuple(dict.fromkeys(w for w in lemmas if w not in CONNECTIVES))


def depicted(words: Sequence[str]) -> list[bool]:
    """Returns one bool for each token: True if the token describes the picture on the vase.

    In the description of a picture, "hydria" is a painted object and not the shape of the vase. A description starts
    after a word such as "depicting" or after a label such as "A:" (side A). It ends at the end of the sentence, at a
    date, at an attribution, or at "this".

    "With" and "decorated" also start a description, unless the technique follows, as in "decorated in black-figure with
    a warrior". A description that started in this way also ends at the technique: "with twisted handles, Attic
    red-figure".
    """
    inside, open_, weakly = [], False, False
    for index, word in enumerate(words):
        if word in _ENDS or (open_ and weakly and word in (",", "in") and _technique_follows(words, index + 1)):
            open_ = False
        inside.append(open_)
        if word in _CUES or (word == ":" and index > 0 and len(words[index - 1]) <= 2 and words[index - 1] != "no"):
            open_, weakly = True, False
        elif word in _WEAK_CUES:
            open_, weakly = not _technique_follows(words, index + 1), not open_ or weakly
    return inside


def _technique_follows(words: Sequence[str], index: int) -> bool:
    ahead = [w for w in words[index : index + 6] if w not in ("in", "a", "an", "the", "on")]
    # the technique follows directly, or after the fabric
    return tuple(ahead[:2]) in _TECHNIQUE_PAIRS or (tuple(ahead[1:3]) in _TECHNIQUE_PAIRS and ahead[0] in _origins())


@cache
def _origins() -> frozenset[str]:
    return frozenset(name.lower() for entry in lexicon("fabric").values() for name in entry.names)


_TECHNIQUE_PAIRS = frozenset(
    (colour, kind)
    for colour in ("black", "red", "white")
    for kind in ("figure", "figured", "figures", "ground", "glaze", "gloss", "pattern")
) | {("coral", "red"), ("intentional", "red")}
