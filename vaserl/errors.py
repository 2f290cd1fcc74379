"""Errors that the user can correct, apart from failures of the program."""

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
