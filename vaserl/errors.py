"""Errors that are the user's to mend, told apart from ours."""

USER_ERROR_EXIT = 2
"""Exit code of a command that a user's mistake stopped."""


class UserError(Exception):
    """Something the user gave can't be used; the message names the file, the place in it and the way out.

    Commands print the message alone, without a traceback, and exit with code 2.
    """


class ParityError(RuntimeError):
    """Learner and engine disagree about the policy: what is sampled is not what is trained."""
