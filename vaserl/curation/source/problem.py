"""Defines `Report`, the type of functions that are called with each problem of the input, and `stop`, such a function
that raises an error."""

import logging
from collections.abc import Callable

from vaserl.errors import Problem, UserError

Report = Callable[[Problem], None]
"""Function that is called with each problem of the input. If it returns, reading continues without the faulty row or
file; if it raises an error, reading ends."""


_logger = logging.getLogger(__name__)


def stop(problem: Problem) -> None:
    """Raises a UserError with the place and the message of the problem. A problem that neither stops the run nor drops
    a row is logged as a warning instead."""
    if problem.effect != "keeps the row":
        raise UserError(f"{problem.where}: {problem.message}")
    _logger.warning("%s: %s", problem.where, problem.message)
