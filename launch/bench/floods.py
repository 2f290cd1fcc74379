"""Texts that a caption parser may take long to read: floods of one kind of word, number or punctuation mark.

A policy may write such texts, and each of them is scored. A parser whose time grows with the square of a text's length
shows it on one of them.
"""

import string
from collections.abc import Callable, Mapping
from random import Random

from vaserl.rewards.vase.lexicon import Vocabulary, lexicon

_REPEATED = {
    "one letter": "a",
    "one digit": "1",
    "numbers with points": "480.",
    "numbers with hyphens": "480-",
    "superscripts": "5\u00b2",
    "ligatures": "\ufdfa",
    "accents": "e\u0301",
    "capitals within words": "abcDef",
    "open brackets": "(",
    "brackets": "(large wine jar) ",
    "commas": ", ",
    "colons": ": ",
    "line breaks": "a\n",
    "broken prose": "the\n",
    "tabs": "\t",
    "entities": "&lt;",
    "tags": "<p>a",
    "thoughts": "Let me look. ",
    "answers": ". Here is the ",
    "not": "not ",
    "denied lists": "not a, b, or c ",
    "like": "like a ",
    "labels": "date: ",
    "labelled lines": "Credit Line\nRogers Fund\n",
    "table": "| date | 500 BC |\n",
    "dates": "late 5th century BC, ",
    "parts of dates": "first half of the ",
    "circa": "c. ",
    "ordinals": "iv ",
    "measures": "H. 10 15/16 in. (27.8 cm) ",
    "multiplied measures": "10 x 10 ",
    "phrases before a fund": "word word word word fund ",
    "careers": "5th century athenian ",
    "museums": "museum of the ",
    "findspots": "from the tomb of ",
    "role words": "painter ",
    "numbered painters": "Painter of Berlin 1686 ",
    "relations": "by the ",
    "attributions": "attributed by a b c d to ",
    "one hand": "Lydos, circle of ",
    "held vessels": "a woman with a hydria ",
    "glazes": "black glaze red-figure ",
    "depictions": "decorated with black ",
    "prose": "A satyr dances with a maenad near the krater. It was used for wine. ",
    "German": "die attische Schale mit der Figur und das ",
}
_VOCABULARIES: tuple[Vocabulary, ...] = ("fabric", "technique", "shape", "artist")


def floods(num_chars: int, seed: int) -> Mapping[str, str]:
    """Returns texts of `num_chars` characters by the name of what floods them. Those with random words or numbers
    differ from seed to seed, so that a parser finds none of their words in a cache."""
    draw = Random(seed)

    def many(word: Callable[[], str], between: str = " ") -> str:
        return between.join(word() for _ in range(num_chars))[:num_chars]

    def letters(num: int) -> str:
        return "".join(draw.choices(string.ascii_lowercase, k=num))

    names = {v: [name for entry in lexicon(v).values() for name in entry.names] for v in _VOCABULARIES}
    every = [name for group in names.values() for name in group]
    return {
        **{name: (piece * num_chars)[:num_chars] for name, piece in _REPEATED.items()},
        "random numbers": many(lambda: str(draw.randrange(10_000))),
        "unknown words": many(lambda: letters(draw.randint(5, 12))),
        "misspelt names": many(lambda: "amphora"[: draw.randint(5, 7)] + letters(2)),
        "unknown words beside names": many(lambda: f"{letters(6)} amphora"),
        "unknown hands": many(lambda: f"by the {letters(7).title()} Painter", ", "),
        **{f"names of {v}s": many(lambda v=v: draw.choice(names[v])) for v in _VOCABULARIES},
        "hands after by": many(lambda: f"by {draw.choice(names['artist'])}"),
        "all names": many(lambda: draw.choice(every), ", "),
    }
