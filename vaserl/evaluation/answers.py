"""Metrics of an answer to a question about one dimension, against the answer of the museum's record.

Answers may be sentences ("The fabric of the vase is Athenian."), so the words that repeat the question are removed from
both before they are compared. A similarity of whole sentences would be high for every wrong answer.
"""

import re
from math import exp

from rapidfuzz.distance import Levenshtein

from vaserl.rewards.vase import YearInterval, parse_value
from vaserl.rewards.vase.similarity import interval_similarity

ANLS_THRESHOLD = 0.5
"""Share of differing characters from which an answer has ANLS 0."""

_OPENING = re.compile(
    r"^(?:the )?(?:of )?(?:fabric|technique|shape(?: name)?|date|dating|decoration|attribution|provenance)"
    r"(?: of (?:the|this) (?:vase|vessel))?(?: the vase)?(?: is|:)\s+"
)
_NO_WORD = re.compile(r"[^\w\-]+")


def answer_metrics(dimension: str, answer: str, truth: str) -> dict[str, float]:
    """Returns "exact" and "anls" of an answer, and "date_iou" if the dimension is "dating"; each from 0 to 1.

    "exact": the answers are equal but for case, punctuation and the words that repeat the question. "anls": 1 - d / n
    with the edit distance d and the length n of the longer answer, and 0 from d / n = 0.5 on (Biten et al. 2019).
    "date_iou": years in both intervals over years in either; 0 unless the answer states exactly one date.
    """
    stated, true = _value(answer), _value(truth)
    distance = Levenshtein.normalized_distance(stated, true) if stated and true else 1.0
    metrics = {
        "exact": float(bool(stated) and stated == true),
        "anls": 1.0 - distance if distance < ANLS_THRESHOLD else 0.0,
    }
    if dimension == "dating":
        metrics["date_iou"] = date_overlap(answer, truth)
    return metrics


def date_overlap(answer: str, truth: str) -> float:
    """Returns the intersection over union of the dates that two texts state; 0 unless each states exactly one."""
    stated, true = (_dates(text) for text in (answer, truth))
    return interval_similarity(stated[0], true[0]) if len(stated) == len(true) == 1 else 0.0


def answer_confidence(logprobs: tuple[float, ...]) -> float | None:
    """Returns the probability of an answer, the product of its tokens' probabilities; None without log-probabilities.

    It is the model's own probability that this is the answer, and is compared with the share of right answers.
    """
    if not logprobs or any(value != value for value in logprobs):
        return None
    return min(1.0, exp(sum(logprobs)))


def _value(text: str) -> str:
    words = _NO_WORD.sub(" ", _OPENING.sub("", text.lower().strip())).split()
    return " ".join(word.strip("-_") for word in words).strip()


def _dates(text: str) -> tuple[YearInterval, ...]:
    return parse_value("dating", text)["dating"]
