"""A judge's answer to one query, and how it is parsed."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a judge answered to one query.

    Example: Reply(text="2", probability=0.91)
    """

    text: str
    """Answer as the judge gave it."""
    probability: float | None
    """Probability from 0 to 1 that the judge gives to its answer, among the answers "1" and "2"; None if the judge
    states none. It is a confidence of the judge, not the probability that the answer is right."""


def parse_reply(text: str) -> Literal[1, 2] | None:
    """Returns the number of the image that an answer names, None for every other text.

    The answer must be the digit alone; only white space may surround it. An explanation, a tie or a quoted digit is
    unparsable: a lenient parser would find a digit in any text, and its errors would look like verdicts.
    """
    answer = text.strip()
    if answer == "1":
        return 1
    return 2 if answer == "2" else None
