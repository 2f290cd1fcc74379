"""Looks for faults of English in a caption, with a lexicon of its own.

Names and verbs were written down for it, without the lexicons of the code that words the captions.
"""

import re
from pathlib import Path

_NAMES = frozenset(
    word
    for line in Path(__file__).with_name("proper_names.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for word in line.split()
)
_VERBS = frozenset(("is", "are", "was", "depicting", "attributed", "signed", "shows", "stands", "holds"))
_WEAK = frozenset(
    (
        *(
            "a",
            "an",
            "the",
            "of",
            "with",
            "and",
            "or",
            "in",
            "on",
            "at",
            "to",
            "between",
            "by",
            "over",
            "from",
            "under",
        ),
        *("behind", "perhaps", "one", "two", "three"),
    )
)
_LONGEST_RUN = 6


def faults_of(caption: str) -> list[str]:
    """Returns the faults of a caption in words; empty for a caption without any.

    Faults are: no verb phrase, a proper name in lower case, two articles side by side, an article that doesn't fit the
    next sound, a word twice, and a run of more than six words without an article, a comma, a preposition or a verb.
    """
    words = re.findall(r"[^\W\d_]+(?:'s)?", caption)
    found = [] if _VERBS & {word.lower() for word in words} else ["no verb phrase"]
    found += [f"name in lower case: {word}" for word in words if word.removesuffix("'s") in _NAMES]
    found += [f"articles: {match[0]}" for match in re.finditer(r"\b(?:an?|the) (?:an?|the)\b", caption)]
    found += [
        f"article: {match[0]}" for match in re.finditer(r"\ba [AEIOaeio]\w+|\ban (?![AEIOUaeiouhH8])\w+", caption)
    ]
    found += [f"twice: {match[0]}" for match in re.finditer(r"\b(\w+) \1\b", caption)]
    run: list[str] = []
    for token in re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[^\w\s]", caption):
        if token[0].isalpha() and token.lower() not in _WEAK and not token.endswith("ing"):
            run.append(token)
            continue
        if len(run) > _LONGEST_RUN:
            found.append(f"run: {' '.join(run)}")
        run = []
    return found
