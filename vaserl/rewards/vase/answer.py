"""Scores an answer to a question that is about none of the six dimensions, by comparison with the reference answer.

How the two are compared depends on the kind of the reference answer:

* a date: intersection over union of the two intervals, with the rules for dates in captions;
* a number, or a text with a digit or of at most three characters ("B", "yes"): equal or not, after normalisation. One
  character more or less is another answer there;
* any other text: average normalised Levenshtein similarity (ANLS, Biten et al., ICCV 2019, arXiv 1905.13648) of a
  single answer, which is 1 minus the edit distance over the longer length, and 0 below 0.5.
"""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal

from rapidfuzz.distance import Levenshtein

from vaserl.rewards.vase.caption import dimension_reward
from vaserl.rewards.vase.config import RewardConfig
from vaserl.rewards.vase.dates import find_dates
from vaserl.rewards.vase.parse import parse_value
from vaserl.rewards.vase.reasoning import without_reasoning
from vaserl.rewards.vase.similarity import RewardContext
from vaserl.rewards.vase.text import CUT, content_words, normalize, tokens
from vaserl.types import Completion, Score, Task

AnswerKind = Literal["date", "exact", "text"]

MIN_SIMILARITY = 0.5
"""Similarity of texts below which an answer earns nothing (the threshold of ANLS)."""

_MAX_EXACT_CHARS = 3
_DEFAULT = RewardConfig()
_MARKED = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.IGNORECASE | re.DOTALL)
_NO_WORD = re.compile(r"[^\w\s.%-]|(?<!\d)\.|\.(?!\d)|(?<!\w)-(?!\d)")
_ARTICLE = re.compile(r"\b(?:a|an|the)\s+(?=\w)")


def vase_answer(task: Task, completion: Completion, config: RewardConfig = _DEFAULT) -> Score:
    """Scores an answer to a question about none of the dimensions. The total, from 0 to 1, is the part "answer"."""
    given = _answer(completion.text, config)
    kind = answer_kind(task.reference, config)
    if kind == "date":
        target = parse_value("dating", task.reference, config.parser).dating
        found = parse_value("dating", given, config.parser).dating
        _, earned = dimension_reward("dating", found, target, config, RewardContext())
    elif kind == "exact":
        earned = float(_is_same(_plain(given, config), _plain(task.reference, config)))
    else:
        alike = Levenshtein.normalized_similarity(_plain(given, config), _plain(task.reference, config))
        earned = alike if alike >= MIN_SIMILARITY else 0.0
    return Score(total=earned, parts={"answer": earned})


@lru_cache(maxsize=65536)
def answer_kind(reference: str, config: RewardConfig = _DEFAULT) -> AnswerKind:
    """Returns how answers are compared with a reference answer. A date is a text that says nothing else."""
    dates, rest = find_dates(normalize(reference, config.parser.max_chars), config.parser.single_year_margin_years)
    if dates and not content_words([token for token in tokens(rest.replace(CUT, " ")) if token.isalpha()]):
        return "date"
    plain = _plain(reference, config)
    return "exact" if len(plain) <= _MAX_EXACT_CHARS or any(map(str.isdigit, plain)) else "text"


def _answer(text: str, config: RewardConfig) -> str:
    text = without_reasoning(text[: config.parser.max_chars])
    marked = _MARKED.search(text)
    return marked[1] if marked else text


def _plain(text: str, config: RewardConfig) -> str:
    """Returns a text in lower case without accents, articles, punctuation and doubled spaces. Points and signs of
    numbers remain."""
    spaced = _NO_WORD.sub(" ", normalize(text, config.parser.max_chars).replace(",", ""))
    return " ".join(_ARTICLE.sub("", " ".join(spaced.split())).split())


def _is_same(given: str, wanted: str) -> bool:
    if given == wanted:
        return True
    try:
        return Decimal(given) == Decimal(wanted)
    except InvalidOperation:
        return False
