"""The one way in which the lathe fails."""


class LatheError(Exception):
    """This photograph can't be lifted; the message says why, in words for the person who gave the photograph."""
