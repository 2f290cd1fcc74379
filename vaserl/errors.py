"""Exceptions that end a command or a run, and `Problem`: a defect of an input."""

from dataclasses import dataclass
from typing import Literal

USER_ERROR_EXIT = 2
"""Exit code of a command that ends with a UserError."""


class UserError(Exception):
    """A file, setting or argument given by the user can't be used. The message names it, the place in it and the
    remedy.

    Commands print the message without a traceback and exit with code 2.
    """


class ParityError(RuntimeError):
    """The log-probabilities of engine and learner differ too much: completions are sampled from another policy than the
    trained one."""


class RewardError(RuntimeError):
    """A reward function failed or returned an invalid score; the message names the function and the completion. The
    error stops the run, because training would learn from any score put in its place."""


Effect = Literal["stops the run", "drops the row", "keeps the row"]
"""What a run does because of a problem in its input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A defect of an input file or data set, at one place in it.

    Example: Problem(kind="not JSON", where="records.jsonl:7", message="not JSON: expected a value")
    """

    kind: str
    """Short name of the kind of problem; tables count problems by it."""
    where: str
    """Place of the problem: file and line, or row."""
    message: str
    """Text that tells what is wrong at that place and what to do."""
    effect: Effect = "stops the run"
