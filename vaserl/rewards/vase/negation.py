"""Removes what a text denies ("no warriors", "not red-figure but …") and what it only compares with ("unlike …").

A scope begins with its word and ends with the clause: at a punctuation mark, at "but", or where a new clause begins
("no lid and shows a siren"). What lies in it states nothing: neither a right fact nor a wrong one.
"""

import re

from vaserl.rewards.vase.text import with_marks, word_group

NEGATION_WORDS = with_marks(word_group("negation"))
"""A text without any of these words denies nothing, so that the expressions need not be tried."""
COMPARISON_WORDS = with_marks(word_group("comparison"))
"""A text without any of these words compares nothing."""


def without_denied(normal: str) -> str:
    """Returns a normalised text in which each negated phrase and each "unlike …" is replaced by a comma."""
    return _NEGATED.sub(_comma, normal)


def without_compared(normal: str) -> str:
    """Returns a normalised text in which each comparison is replaced by a comma: "similar to Corinthian cups"."""
    return _COMPARED.sub(_comma, normal)


def _comma(match: re.Match[str]) -> str:
    return " , "


_ABBREVIATED = r"(?<=\bc)\.|(?<=\bca)\.|(?<=\bb\.c)\.|(?<=\bb)\.(?=c)|(?<=\be)\.|\.(?=\w)"
_VERBS = "is|are|was|were|shows?|depicts?|has|have|features?|bears?|carries|represents?"
_NEW_CLAUSE = (
    rf"\b(?:but|with|although|though|however|and (?:{_VERBS}|it|its|this|the scene|dates?|instead|rather)"
    r"|it (?:is|shows|depicts|was)|which|that (?:is|shows|depicts)|showing|depicting|it's)\b"
)
_CLAUSE = rf"(?:(?!{_NEW_CLAUSE})(?:[^,;.:()|¦]|{_ABBREVIATED}))*"
_LIST = r"(?:,(?: (?!but\b)[\w'-]+){1,3}(?=,? (?:or|nor) )|,(?= (?:or|nor)\b))"  # "not A, B, or C"
_NEGATORS = (
    r"(?<!if )\b(?:not(?! (?:only|just|merely|later|earlier|before|after|far|certain|unlike|yet)\b)"
    r"|no(?![.:]|,? \d| (?:later|earlier|less|more|doubt|longer|known|one)\b)|neither|nor|never|without|lacks?|lacking"
    r"|rather than|instead of|as opposed to|in contrast (?:to|with)|unlike|differs? from|different from"
    r"|except(?! for the (?:red|black)-figure)(?: for)?"
    r"|cannot|isn't|wasn't|aren't|doesn't|don't|can't|couldn't)\b"
)
_NEGATED = re.compile(rf"{_NEGATORS}{_CLAUSE}(?:{_LIST}{_CLAUSE})*")
_VESSELS = r"(?:cups?|vases?|pottery|[\w-]{3,}(?:s|oi|ai|ae)\b)"
_COMPARISONS = (
    r"\b(?:compar(?:e|es|ed|able)(?: (?:to|with))?|cf\b\.?|similar(?:ly)? to"
    r"|(?:(?<=^)|(?<=[.,;:(|¦] ))see (?:also )?(?=the |a |an )"
    rf"|(?<!-)\b(?:much |just )?like(?= (?:the |some )?[\w-]+ {_VESSELS})"
    r"|(?:shaped|looks?|formed) like(?= an? )|inspiration (?:(?:is|was|came) )?(?:drawn )?from"
    r"|reminiscent of|recall(?:s|ing)|derive[sd]?(?: \w+)? from|deriving from"
    r"|inspired by|influenced by|influence of|based on|(?:closely )?model+ed (?:on|after)|adapted from"
    r"|depend(?:s|ing|ent)? (?:up)?on"
    r"|imitat(?:es?|ed|ing|ions? of)|cop(?:y|ies|ied|ying)(?: of| from)?"
    r"|resembl(?:es?|ing)|export(?:ed|s)? to|import(?:ed|s)? (?:in)?to|parallels? (?:in|with|to|from|is|are|include)"
    r"|(?:counterparts?|prototypes?) (?:is|are|in)|close(?:r|st)? to (?:that|those) of|akin to|than"
    r"|familiar from|known from|(?:common|typical|frequent) (?:on|in|of)(?= (?:later|earlier|other|many))"
    r"|in the (?:manner|style) of(?= [\w-]+ (?:cups?|vases?|ware|pottery)))\b"
)
_COMPARED = re.compile(rf"{_COMPARISONS}{_CLAUSE}")
