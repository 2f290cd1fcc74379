"""Regular expressions of the phrases in which a text, returned by `normalize`, attributes a vase to an artist.

The group "names" of a match is for `read_names`; the group "kept", where there is one, stays in the text.
"""

import re
from functools import cache

from vaserl.rewards.vase.hands import ROLES, plain_names
from vaserl.rewards.vase.lexicon import lexicon
from vaserl.rewards.vase.text import CUT, any_name, at_word

_ROLE = f"(?:{'|'.join(ROLES)})"
# Words that are never part of a name: in "by a woman near the group" no "woman near the group" is found.
_WORD = (
    r"(?!(?:by|near|and|with|of|in|on|from|the|an?|is|are|was|at|who|his|her|its|this|that|to|for|or|as|not|but|while"
    r"|which|whose|attributed|signed|painted|made|potted)\b)[\w'-]+(?:\.[\w'-]+)*"
)
MADE = "painted|signed|made|potted|drawn|decorated|executed|crafted|created|thrown|fashioned"
"""Participles before "by" and a name, as alternatives of a regular expression."""
_RELATION = (
    rf"(?:(?:{MADE}) )?"
    r"(?:by(?: or near)?|near(?: to)?|(?:very )?close (?:in (?:style|manner) )?to|"
    r"compar(?:ed|able|e)(?: (?:with|to))?|cf\.?"
    r"|reminiscent of|recall(?:s|ing)?|resembl(?:es?|ing)|akin to|related to|connected (?:with|to)"
    r"|(?:given|credited) to|(?:made|manufactured|produced|painted|potted) in(?= the (?:[\w-]+ ){1,3}workshop)"
    r"|(?:in |from )?(?:the )?(?:manner|style|circle|school|(?:work)?shop|following) of"
    r"|(?:an? |the )?(?:follower|imitator|imitation|pupil|student|companion|associate)s? of)"
)
_HIS_HAND = (
    r"(?:(?:his|her|the|an?) (?:circle|school|workshop|manner|follower|pupil|imitator|group)"
    r"|(?:near|close to) (?:him|her))"
)
HIS = re.compile(rf"(?:by )?{_HIS_HAND}")
"""What follows a name and "or": "his workshop"."""
_OR_HIS = rf"(?: (?:or|and) (?:by )?{_HIS_HAND})?"
_BELONGING = r"(?:belong(?:s|ing|ed) to|of|from) the (?!same\b|this\b)"
MARKS = re.compile(rf"([.,;:()|{CUT}](?:(?<!\.)|(?<=\w\w\w\.)(?=\s|$)))")
"""Punctuation marks that no phrase crosses; the point of "St. Valentin" is none."""
_MARK = rf"[,;:()|?{CUT}]|\.(?:\s|$)|$"
_END = (
    rf"(?=\s*(?:{_MARK})|\s+(?:depicting|showing|with|dated|dating|datable|who|which|that|decorated|active"
    r"|(?:around|about)(?! the (?:painter|artist|potter)\b)|circa|ca?\. ?\d+"
    r"|at|on|during|is|was|has|takes|took|worked|liked|because|whose"
    r"|and (?:\w+ed|made|from|in|shows?|depicts?|showing|depicting|dating|dates?|is|was|has|to|can|may)"
    r"|(?:from|in)(?! (?:the )?(?:(?:manner|style|circle|school|workshop|following)|[\w'-]+ (?:group|cluster))\b)"
    r"|as (?:both |the |a )*(?:painter|potter))\b)"
)
_BOTH = r"(?: as (?:both |the |a )*(?:painter|potter)(?: and (?:the |a )?(?:painter|potter))?)?"

ATTRIBUTED = re.compile(
    rf"{at_word('attribut(?:ed|able|ions?)', 'ascribed', 'assigned')}"
    r"(?: \w+)?(?: by (?:[\w.]+ ){1,4}?to| to| as|:)\s+"
    # by whole words, because no name ends within one
    rf"(?P<names>(?:[\w'-]++|[^\w'\-,;{CUT}]){{1,48}}?){_END}{_BOTH}"
)
"""A phrase such as "attributed by Beazley to the Pan Painter"."""

ROLE_WORD = re.compile(_ROLE)
"""A word that states a role. It is in every phrase of `role_phrases`."""
_WITHOUT_NUMBER = (
    re.compile(
        rf"\b(?P<names>(?:(?:{_RELATION} (?:an? (?!group|class))?){{1,3}}(?:the )?{_ROLE}"
        r"|(?:the |(?<![\w'-] ))painter(?! of (?:this|the (?:vase|vessel|pot|cup))\b)"
        r"|(?:belong(?:s|ing) to|of) the (?:group|class|workshop)|class) of "
        rf"[^,;()|{CUT}]{{1,60}}?){_END}"
    ),
    re.compile(
        rf"\b(?P<names>(?:(?:{_RELATION} (?:an? |the )?){{1,3}}(?:{_WORD} ){{1,4}}?{_ROLE}"
        rf"|the (?:{_WORD} ){{1,4}}?painter|{_BELONGING}(?:{_WORD} ){{1,3}}?(?:group|class|workshop))"
        rf"{_OR_HIS})(?!\w)"
    ),
)
_WITH_NUMBER = (
    re.compile(
        rf"\b(?P<names>(?:{_RELATION} )*?(?:the )?(?:(?:{_WORD} )?painter (?:[a-z]{{1,3}} ?)?"
        rf"|(?:group|class) of (?:{_WORD} ){{1,4}}?(?:[a-z]{{1,3}} ?)?)\d[\d.]*(?<!\.))(?!\w)"
    ),
    *_WITHOUT_NUMBER,
)
_DIGIT = re.compile(r"\d")


BEFORE_DOUBT = re.compile(
    at_word(
        *("probably", "possibly", "perhaps", "tentatively", "maybe", "likely", "may(?: well)? (?:be|have been)"),
        *("might be", "could be"),
    )
    + r"(?: (?:be|been|it|the|a|an|is|was|work|hand|of|by|in|attributed|attributable|assigned|ascribed|to)\b)* ?$"
)
"""Words of doubt directly before an attribution: "probably attributed to"."""
AFTER_DOUBT = re.compile(r"\s*(?:\(\?\)|\?)")
NEGATED = re.compile(
    r"(?:\b(?:not|nor|neither|never|unlike|rather than|instead of|influenced|inspired|similar|comparable)|n't)"
    r"(?: (?:be|been|the|a|an|work|works|hand|of|by|in|attributed|attributable|assigned|ascribed|to|that|those)\b)* ?$"
    r"|\b(?:recalls?|recalling|resembl\w+|similar to|comparable to|compare|see|like) [^,.;:()]*"
    r"\b(?:cups?|amphorae?|kraters?|vases?|lekythoi|lekythos|hydria|pelike|skyphos|stamnos|plate|kylix) $"
)
"""Words directly before a name that is no attribution: "not by"."""


def role_phrases(text: str) -> tuple[re.Pattern[str], ...]:
    """Returns the expressions of phrases with a role word that the text can contain.

    Examples: "by the Painter of Berlin 1686", "the Painter VG 43969", "near the Antimenes Painter".
    """
    return _WITH_NUMBER if _DIGIT.search(text) else _WITHOUT_NUMBER


_NO_YEAR = r"(?![\w-]|\.\d|(?: ?[-/] ?\d+)? ?(?:b\.? ?c|a\.? ?d|c\.? ?e)\b)"
_NUMBER_AFTER = re.compile(
    rf"{at_word('painter', 'group', 'class')} (?:of )?(?:the )?"
    rf"(?:{_WORD} ){{0,4}}?(?:[a-z]{{1,3}} ?)?\d[\d.]*{_NO_YEAR}"
)
_NUMBER_BEFORE = re.compile(r"[0-9.](?<![0-9.]{2})[0-9.]*(?= painter\b)")
_HIDDEN = {ord("0") + digit: chr(0xE000 + digit) for digit in range(10)}
_SHOWN = {ord(hidden): chr(digit) for digit, hidden in _HIDDEN.items()}
_HIDDEN_DIGIT = re.compile(f"[{''.join(_HIDDEN.values())}]")


def hide_numbers(normal: str) -> str:
    """Replaces the digits of museum numbers in names ("Painter of Berlin 1686") by characters that are no digits.

    Then such a number isn't taken for a year. `find_attributions` restores them.
    """
    normal = _NUMBER_AFTER.sub(_hidden, normal)
    return _NUMBER_BEFORE.sub(_hidden, normal) if " painter" in normal else normal


def _hidden(number: re.Match[str]) -> str:
    return number[0].translate(_HIDDEN)


def show_numbers(normal: str) -> str:
    """Restores the digits that `hide_numbers` replaced."""
    return normal if normal.isascii() else _HIDDEN_DIGIT.sub(lambda digit: digit[0].translate(_SHOWN), normal)


@cache
def inverted() -> re.Pattern[str]:
    """Returns the expression of a name before its qualifier: "Lydos, circle of", "Pan Painter (manner of)"."""
    return re.compile(
        rf"\b((?:[\w'-]+ ){{1,2}}painter|{_known()}\b),? \(?"
        rf"(manner|style|circle|school|workshop|follower|pupil|imitator) of\)?(?=\s*(?:{_MARK}))"
    )


APPOSITION = re.compile(
    r", (?:one of the|an?|the) [^,;.:()]{0,40}?(?:potter|painter|artist)s?\b[^,;.:()]{0,40}, "
    r"((?:has )?(?:made|painted|decorated|potted|drew|signed) (?:this|the|it|our)\b)"
)
"""What a text says of an artist between his name and his work: "Pamphaios, one of the potters of Athens, made this"."""
OF_END = re.compile(rf" of\)?\s*(?:[,;:.()|{CUT}]|$)")
"""A cheap test for what `inverted` may find."""


LETTERS = re.compile(r"\b([a-z])\.? (and|&) ([a-z])\.? group\b")
"""A group named with two letters: "V. and A. Group"."""
INITIALS = re.compile(r"\b([a-z])\. ?([a-z])\. group\b")
"""A group named with initials: "A.V. Group"."""
HYPHENATED = re.compile(r"(?<!\bvase)(?<!\bpot)(?<!\bcup)(?<=[a-z])-(painter|group)\b(?!')")
"""A role that a hyphen joins to the name: "Cuttlefish-Painter"."""
SHARED_ROLE = re.compile(r"\b([a-z]{4,}) and (?:the )?([a-z]{4,}) painters\b(?<!vase painters)")
"""Two names with one role: "the Darius and Underworld Painters"."""
NAME_VASE = re.compile(r"\b((?:the )?(?:[\w-]+ ){1,3}?painter)'s (?:name[ -]?)(?:vase|piece|cup|amphora)\b")
POINT_OF_NUMBER = re.compile(r"( of [a-z]+ [a-z]{1,2})\. ?(?=[\d\ue000-\ue009])")
"""The point in "Group of Vatican G. 57"."""
POSSESSIVE = re.compile(r"\b(the (?:[\w-]+ ){1,3}?painter)'s (workshop|circle|school|style|manner)\b")


def without_relatives(normal: str) -> str:
    """Returns the text without artists that are only named to describe another: "a pupil of Myson", "son of Nearchos".

    "Pupil of Myson" alone is an attribution; it is none behind "is" or another name.
    """
    if not any(f"{word} of " in normal for word in _RELATIVES):
        return normal
    return _relative().sub(" ", normal)


_RELATIVES = ("teacher", "master", "brother", "son", "father", "colleague", "contemporary", "successor")
_RELATIVES += ("predecessor", "rival", "partner", "pupil", "student", "follower")


@cache
def _relative() -> re.Pattern[str]:
    name = rf"(?:the )?(?:{_known()}\b|(?:{_WORD} ){{1,3}}?painter\b|painter of [^,;.()|{CUT}]{{1,30}})"
    always, behind = "|".join(_RELATIVES[:-3]), "|".join(_RELATIVES[-3:])
    return re.compile(
        rf"\b(?:(?:an?|the) )?(?:{always}) of {name}"
        rf"|\b(?:was|is|were|been) (?:probably |perhaps |possibly )?(?:an?|the) (?:{behind}) of {name}"
        rf"|(?<=painter), (?:an?|the) (?:{behind}) of {name}(?=,)"
    )


@cache
def known_name() -> re.Pattern[str]:
    """Returns the expression of a known name without a role word."""
    return re.compile(rf"\b{_known()}\b")


@cache
def known_phrases() -> tuple[re.Pattern[str], ...]:
    """Returns the expressions for artists without a role word: "by Lydos", "Lydos painted", "krater of Python"."""
    name = rf"{_known()}\b{_OR_HIS}"
    return (
        re.compile(
            rf"\b(?P<names>(?:{_RELATION} ){{1,3}}(?:the )?(?:(?:[\w-]+ )?(?:painter|potter|artist) )?{name}){_BOTH}"
        ),
        re.compile(
            r"\b(?:(?:vase[ -])?(?:painter|potter)|the (?:[\w-]+ ){0,2}artist"
            r"|(?:work|hand) (?:of|by|is that of|was that of)|whose name (?:is|was)|attributes? (?:\w+ )?to|"
            rf"(?:painter|potter|artist|hand)(?: of (?:this|the) [\w-]+)? ?"
            r"(?:(?:is|was)(?: \w+ to be)?|may be|could be|:)) "
            rf"(?P<names>(?:{_RELATION} )?{name})"
        ),
        re.compile(
            rf"\b(?P<names>{name})"
            r"(?= (?:(?:has )?(?:painted|decorated|potted|made|drew|signed|egrapsen|epoiesen|epoisen)"
            r"|(?:is|was|has been|may be) (?:(?:suggested|proposed|identified) as )?"
            r"(?:the|its) (?:painter|potter|artist)"
            r"|as (?:both )?(?:the )?(?:painter|potter))\b)"
            rf"{_BOTH}"
        ),
        re.compile(rf"\b(?P<kept>{_vessel()} )(?P<names>of {name}|{name}(?=\s*$))"),
    )


@cache
def vessel_phrases() -> tuple[re.Pattern[str], ...]:
    """Returns the expressions of a group before a vessel: "a Leagros Group amphora", "Group E amphora"."""
    return (
        re.compile(rf"\b(?P<names>group [egr])(?= {_vessel()}\b)"),
        re.compile(r"^\s*(?P<names>workshop of [a-z]+ (?:[a-z]{1,3} ?)?\d[\d.]*)(?!\w)"),
        re.compile(
            rf"(?:^\s*|(?<=\ba )|(?<=\ban )|(?<=\bthis ))"
            rf"(?P<names>(?:{_WORD} ){{1,3}}?(?:group|class|workshop|painter))(?= {_vessel()}\b)"
        ),
    )


@cache
def alone() -> re.Pattern[str]:
    """Returns the expression of a name between two of `MARKS`, "red-figure, cup, Lydos", or after "Maker"."""
    common = "vase|pot|cup|this|same|unknown|unnamed|greek|attic|athenian|early|late|one|another"
    scene = (
        r"\w+ing|\w+iac|figure|animal|battle|combat|fight|statue|family|central|erotic|two|three|large|small|first"
        "|middle"
    )
    return re.compile(
        r"^\s*(?:(?:maker|artist|creator|vase-painter|autore) )?"
        rf"(?P<names>(?:(?:probably|possibly|perhaps) )?(?:(?:the )?(?!(?:{common})\b)(?:{_WORD} ){{1,4}}?painter"
        rf"(?: (?:or|and) (?:the )?(?:{_WORD} ){{1,4}}?painter)?"
        rf"|(?:group|class) of (?:the )?(?:{_known()}|(?:{_WORD} ){{1,3}}?(?:[a-z]{{1,2}} ?)?\d[\d.]*)|"
        rf"(?!(?:{common}|{scene})\b)(?:{_WORD} ){{1,3}}?(?:group|workshop|class)|{_known()}\b)"
        rf"{_OR_HIS}(?: \(?\?\)?)?)(?=\s*(?:{_MARK}|\?|(?:beazley|trendall|haspels|bothmer|fl)\b))"
    )


@cache
def _vessel() -> str:
    names = {n.lower() for e in lexicon("shape").values() for n in e.names if n.replace("-", "").isalpha()}
    return rf"(?:{any_name(names | {'vase', 'pot', 'vessel', 'fragment'})})s?"


@cache
def _known() -> str:
    return any_name(plain_names())
