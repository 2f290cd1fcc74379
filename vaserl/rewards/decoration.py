"""What is painted on a vase: the content words that remain when everything else has been read."""

from collections.abc import Sequence

from vaserl.rewards.text import CONNECTIVES, CUT, content_words, word_list

_CUES = word_list("depiction_cues.txt")
_WEAK_CUES = frozenset(("with", "decorated", "painted", "adorned", "bearing"))
_ENDS = frozenset((".", ";", "|", CUT, "this"))


def decoration_words(words: Sequence[str]) -> tuple[str, ...]:
    """The distinct lemmas of tokens that say what is depicted, in order; catalogue phrases are dropped."""
    lemmas = content_words([w for w in words if w not in CONNECTIVES and w[0].isalnum()])
    return tuple(dict.fromkeys(w for w in lemmas if w not in CONNECTIVES))


def depicted(words: Sequence[str]) -> list[bool]:
    """For each token, whether it belongs to what is depicted, where a hydria or a Corinthian helmet is painted.

    A cue such as "depicting" or a part label "A:" opens such a stretch; the end of the sentence, a date, an
    attribution or "this" closes it. "With" and "decorated" open it too, but not before the technique:
    "decorated in black-figure with a warrior".
    """
    inside, open_ = [], False
    for index, word in enumerate(words):
        if word in _ENDS:
            open_ = False
        inside.append(open_)
        if word in _CUES or (word == ":" and index > 0 and len(words[index - 1]) <= 2 and words[index - 1] != "no"):
            open_ = True
        elif word in _WEAK_CUES:
            open_ = not _technique_follows(words, index + 1)
    return inside


def _technique_follows(words: Sequence[str], index: int) -> bool:
    ahead = [w for w in words[index : index + 5] if w not in ("in", "a", "an", "the", "on")][:2]
    return tuple(ahead) in _TECHNIQUE_PAIRS


_TECHNIQUE_PAIRS = frozenset(
    (colour, kind)
    for colour in ("black", "red", "white")
    for kind in ("figure", "figured", "figures", "ground", "glaze", "gloss", "pattern")
)
