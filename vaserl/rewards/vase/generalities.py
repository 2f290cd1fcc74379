"""Finds the sentences of a text that tell of vases in general or of another vase, and so state nothing of this one.

"Lekythoi were made in Athens in the 5th century BC" tells of a class: a plural or an article begins the sentence, and
its verb tells what is or was usual. "A similar example is in the Louvre" tells of another vase. A sentence that points
to the vase ("this", "here", "our") is kept, whatever else it tells.
"""

import re

from vaserl.rewards.vase.text import CUT, with_marks, word_group

GENERAL_WORDS = with_marks(word_group("generalities"))
"""A text without any of these words has no general sentence."""


def without_generalities(normal: str) -> str:
    """Returns a normalised text without its general sentences; the text itself if it has none, or nothing else."""
    pieces = _SENTENCE_END.split(normal)
    if len(pieces) < _FEWEST_SENTENCES:
        return normal
    kept = [piece for piece in pieces if not _is_general(piece)]
    return normal if len(kept) in (0, len(pieces)) else f". {CUT} ".join(kept)


_FEWEST_SENTENCES = 2
# The point is searched first, because a search that begins with what stands before it takes far longer.
_SENTENCE_END = re.compile(
    r"\.(?<=[a-z)\d?]{2}\.)(?<!\b(?:ca|cf|no|st|pl|in|cm|dr|mr)\.)(?<!\bfig\.)"
    rf"(?: {CUT})? (?=\D)|\.(?:(?<=\bb\.c\.)|(?<=\bb\.c\.e\.)) (?={CUT})| {CUT} "
)
_POINTS = re.compile(
    r"\b(?:this|our|here|the present|shown|on (?:one|the other|each|either|both|side)|obverse|reverse|side [ab]"
    r"|the (?:front|back|vase|vessel|painting|scene|picture|image|decoration|figure|lot|piece)s?)\b"
)
_CLASSES = (
    r"(?:vases|vessels|pots|wares|pottery|ceramics|examples|pieces|scenes|depictions|representations|painters|potters"
    r"|artists|workshops|craftsmen|artisans|greeks|athenians|corinthians|etruscans|romans|types?|form|shape"
    r"|amphorae|amphoras|kraters|craters|cups|kylikes|lekythoi|oinochoai|hydriai|hydriae|skyphoi|pelikai|stamnoi"
    r"|kantharoi|aryballoi|alabastra|pyxides|plates|jugs|jars|bowls|rhyta|olpai|askoi|lekanides|phialai|lebetes"
    r"|(?:black|red|white)[ -](?:figured?|ground|glazed?) (?:pottery|technique|style|ware|(?:vase[ -])?painting)"
    r"|(?:technique|style|shape|form|production|popularity|period) of [\w -]{1,40}?)"
)
_HABIT = (
    r"(?:were|was|became|began|developed|originated|emerged|appeared|imitated|adopted|continued|replaced|spread"
    r"|flourished|included|produced|used|served|held|are|is (?:one of|a type|the name|thought|often)|have been|has been"
    r"|had|reached|declined|ceased|contained|could|would|can|often|usually|typically|commonly|frequently)"
)
_OF_A_CLASS = re.compile(
    rf"^[\W_]*(?:in [\w ]{{3,24}}, ?)?(?:(?:the|these|such|many|most|some|all|large|small|ancient|early|late) )*"
    rf"(?:[\w'-]+ ){{0,3}}?{_CLASSES}(?: [\w'-]+){{0,6}}? {_HABIT}\b"
)
_OF_THE_ARTIST = re.compile(
    r"^[\W_]*(?:he|she|his|her) (?:[\w'-]+ ){0,4}?(?:is|was|were|had|has|worked|signed|named)\b"
)
_OF_ANOTHER = re.compile(
    r"\b(?:another|other|similar|comparable|related|parallel|closely related) "
    r"(?:[\w'-]+ ){0,3}?(?:vases?|examples?|pieces?|kraters?|cups?|amphora\w*|hydria\w*|lekyth\w+|kylix|kylikes"
    r"|vessels?|works?|plates?|pelik\w+|skyph\w+|oinocho\w+)\b(?!-| (?:side|half|painter|potter))"
    r"|^[\W_]*(?:for|cf\b|compare|see) (?:a|an|the|other|similar|further|more|also|for)\b"
)


def _is_general(sentence: str) -> bool:
    if _POINTS.search(sentence):
        return False
    return bool(_OF_A_CLASS.match(sentence) or _OF_THE_ARTIST.match(sentence) or _OF_ANOTHER.search(sentence))
