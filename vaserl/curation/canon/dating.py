"""Rewords dates: the era of a date stands behind it, in English."""

import re

_AFTER = (
    r"(?:a\.?\s?d\.?|c\.?\s?e\.?|anno domini|after christ|n\.\s?chr\.?|nach christus"
    r"|ap(?:r[èe]s)?\.?\s?j\.?-?\s?c\.?|d\.\s?c\.|p\.\s?chr\.?(?:\s?n\.)?)"
)
_BEFORE = (
    r"(?:before (?:the )?(?:christ|common era)|vor christus|av(?:ant)?\.?\s?j\.?-?\s?c\.?|a\.\s?c\."
    r"|a\.\s?chr\.?(?:\s?n\.)?|b\.\s?c\.\s?e\.?|b\.\s?c\.?)"
)
_FOREIGN = re.compile(rf"(?<![a-z])(?:(?P<before>{_BEFORE})|(?P<after>{_AFTER}))(?![a-z])", re.IGNORECASE)
_LEADING = re.compile(r"^(?P<circa>(?:c|ca|circa|about)\b\.?\s*)?(?P<era>BCE|CE)\s+(?P<date>.+)$")
_ROMAN = re.compile(
    r"\b(?P<first>[IVX]+)(?:th|st|nd|rd|e|è?me)?(?:\s*(?P<to>[-–/]|to|and|or)\s*(?P<second>[IVX]+)(?:th|st|nd|rd)?)?"
    r"(?=[\s-]*(?:cent(?:ury|uries|\.)?|c\.|sec\.|secolo|s\.|si[eè]cle|jh\.?|BCE|CE)(?![a-z]))"
)
_CENTURY_WORDS = re.compile(
    r"(?<=[\dh])\.?[\s-]*(?:cent(?:uries)?\.?|sec\.|secolo|s\.|si[eè]cle|jahrhundert|jh\.?)(?![a-z])", re.IGNORECASE
)
_VALUES = {"I": 1, "V": 5, "X": 10}
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}


def canonical_date(text: str) -> str:
    """Returns a date with "BCE" or "CE" behind it: "A.D. 50-100" becomes "50-100 CE".

    "after Christ", "n. Chr.", "d.C." and the like are read as CE, and Roman numerals of centuries as ordinals.
    """
    text = " ".join(text.split())
    text = _FOREIGN.sub(lambda match: "BCE" if match["before"] else "CE", text)
    text = _ROMAN.sub(_arabic, text)
    text = _CENTURY_WORDS.sub(" century", text)
    text = re.sub(r"\b(\d{1,2})(?= century)", lambda match: _ordinal(int(match[1])), text)
    text = re.sub(r"(?<=[-–/ ])CE\s+(\d{1,4})(?![\dstnr]|\s*CE)", r"\1 CE", text)  # "50 B.C.–A.D. 50"
    leading = _LEADING.match(text)
    if leading and not re.search(r"\b(?:BCE|CE)\b", leading["date"]):
        return f"{leading['circa'] or ''}{leading['date']} {leading['era']}"
    return text


def _arabic(match: re.Match[str]) -> str:
    first = _ordinal(_number(match["first"]))
    second = f" to {_ordinal(_number(match['second']))}" if match["second"] else ""
    bare = re.match(r"[\s-]*(?:BCE|CE)", match.string[match.end() :])
    return f"{first}{second}" + (" century" if bare else "")


def _number(numeral: str) -> int:
    values = [_VALUES[letter] for letter in numeral]
    return sum(-v if v < max(values[i + 1 :], default=0) else v for i, v in enumerate(values))


def _ordinal(number: int) -> str:
    return f"{number}{_SUFFIXES.get(number, 'th')}"
