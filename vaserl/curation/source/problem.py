"""What can be wrong with an input, said by place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from vaserl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceProblem:
    """Something in the input's files that stops a run."""

    where: str
    """File and line, or row: "records.csv:7"."""
    kind: str
    """What problems of its kind share: "not JSON"."""
    message: str
    """What is wrong there, and the way out."""


Report = Callable[[SourceProblem], None]
"""Takes a problem; a reader whose report returns goes on without what it was about."""


def stop(problem: SourceProblem) -> NoReturn:
    """The report of a run. Raises: UserError."""
    raise UserError(f"{problem.where}: {problem.message}")
