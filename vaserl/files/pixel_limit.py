"""The default pixel limit of photographs, in a module that loads no library: settings import it for `--help`."""

MAX_PIXELS = 50_000_000
"""Default limit of a photograph's number of pixels."""
