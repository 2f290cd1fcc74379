"""How a reader of the input reports what is wrong with it."""

from collections.abc import Callable
from typing import NoReturn

from vaserl.errors import Problem, UserError

Report = Callable[[Problem], None]
"""Receives a problem. If it returns, the reader continues without what the problem is about."""


def stop(problem: Problem) -> NoReturn:
    """Reports a problem of a run. Raises: UserError, always."""
    raise UserError(f"{problem.where}: {problem.message}")
