"""What the user can correct: errors that end a command, and problems of an input, which are collected and shown."""

from dataclasses import dataclass
from typing import Literal

USER_ERROR_EXIT = 2
"""Exit code of a command that ends with a UserError."""


class UserError(Exception):
    """An input of the user can't be used. The message names the file, the place in it and the remedy.

    Commands print the message without a traceback and exit with code 2.
    """


class ParityError(RuntimeError):
    """Learner and engine disagree about the policy: the sampled policy is not the trained one."""


class RewardError(RuntimeError):
    """A reward function broke; the message names the function and the completion. It stops the run, because training
    would learn from any score put in its place."""


Effect = Literal["stops the run", "drops the row", "keeps the row"]
"""What a problem of an input does to a run over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with an input, at one place in it.

    Example: Problem(kind="not JSON", where="records.jsonl:7", message="not JSON: expected a value")
    """

    kind: str
    """What problems of its kind share, as tables count them."""
    where: str
    """File and line, or row."""
    message: str
    """What is wrong there, and what to do."""
    effect: Effect = "stops the run"
