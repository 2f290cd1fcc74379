"""The `vaserl` command: what needs no cluster, one module of `vaserl.commands` for each verb."""

import argparse
import sys
from collections.abc import Sequence

from vaserl.commands import audit, caption, export, lathe, render, rescore, score
from vaserl.errors import UserError

USER_ERROR = 2
VERBS = (caption, lathe, render, export, score, audit, rescore)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns: 0, or 2 after printing a user's error."""
    parser = argparse.ArgumentParser(prog="vaserl", description="Greek vases, described by a vision-language model.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    runs = {verb.__name__.rpartition(".")[2]: verb.run for verb in VERBS}
    for verb in VERBS:
        verb.add(verbs)
    arguments = parser.parse_args(argv)
    try:
        runs[arguments.verb](arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    return 0
