"""Errors that a user can correct, apart from errors of the program."""

USER_ERROR_EXIT = 2
"""Exit code of a command that stopped with a UserError."""


class UserError(Exception):
    """An input of the user's can't be used; the message names file, place and remedy.

    Commands print the message alone, without a traceback, and exit with code 2.
    """


class ParityError(RuntimeError):
    """Learner and engine disagree about the policy: what is sampled is not what is trained."""
