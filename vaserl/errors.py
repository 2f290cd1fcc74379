"""Exceptions that end a command or a run, and the type `Problem`, a defect of an input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

USER_ERROR_EXIT = 2
"""Exit code of a command that ends with a UserError."""


class UserError(Exception):
    """A file, setting or argument given by the user can't be used. The message says what can't be used, where the
    defect is and how to correct it.

    Commands print the message without a traceback and exit with code 2.
    """


class ParityError(RuntimeError):
    """The log-probabilities computed by an engine and by the learner differ too much, so completions are sampled from
    another policy than the one being trained."""


class NonFiniteError(RuntimeError):
    """The loss or its gradient was NaN or infinite in several steps in a row, so the run trains nothing. The message
    names the cause in the last of these steps."""


class RewardError(UserError):
    """A reward function failed or returned an invalid score. The message identifies the function and the completion,
    and ends with the function's last frames. The error stops the run, because training would learn from any score
    substituted for the missing one."""


class DamagedCheckpointError(UserError):
    """A file of a checkpoint is missing or differs from what was written."""

    def __init__(self, file: str, reason: str):
        """file: path or URL of the file. reason: what is wrong with it."""
        super().__init__(file, reason)  # both as arguments, so that the error can be pickled
        self.file = file
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


Effect = Literal["stops the run", "drops the row", "keeps the row"]
"""Effect of a problem in an input on the run that uses the input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A defect of an input file or data set, at one place in it.

    Example: Problem(kind="not JSON", where="records.jsonl:7", message="not JSON: expected a value")
    """

    kind: str
    """Short name of the kind of problem; tables show the number of problems of each kind."""
    where: str
    """Place of the problem: file and line number, or the row of a data set."""
    message: str
    """Text that says what is wrong at that place and how to correct it."""
    effect: Effect = "stops the run"


_SHOWN_PROBLEMS = 5


def first_of_each_kind(problems: Sequence[Problem]) -> str:
    """Returns a text with a line for each of the first five problems of each kind, and the number of the others."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    lines = []
    for found in kinds.values():
        lines += [f"{problem.where}: {problem.message}" for problem in found[:_SHOWN_PROBLEMS]]
        if len(found) > _SHOWN_PROBLEMS:
            lines.append(f"… and {len(found) - _SHOWN_PROBLEMS:,} more like it")
    return "\n".join(lines)
