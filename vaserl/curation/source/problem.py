"""Defines `Report`, the type of functions that are called with each problem of the input, and `stop`, such a function
that raises an error."""

from collections.abc import Callable
from typing import NoReturn

from vaserl.errors import Problem, UserError

Report = Callable[[Problem], None]
"""Function that is called with each problem of the input. If it returns, reading continues without the faulty row or
file; if it raises an error, reading ends."""


def stop(problem: Problem) -> NoReturn:
    """Raises a UserError with the place and the message of the problem."""
    raise UserError(f"{problem.where}: {problem.message}")
