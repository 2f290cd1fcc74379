"""Reporting of problems in the input: a function that receives each problem."""

from collections.abc import Callable
from typing import NoReturn

from vaserl.errors import Problem, UserError

Report = Callable[[Problem], None]
"""A function that receives a problem. If it returns, the reader leaves out the faulty row or file and continues."""


def stop(problem: Problem) -> NoReturn:
    """Ends the run with the problem. Raises: UserError, always."""
    raise UserError(f"{problem.where}: {problem.message}")
