"""The `vaserl` command: what needs no cluster, one module of `vaserl.commands` for each verb."""

import argparse
import sys
from collections.abc import Sequence

from vaserl.commands import audit, caption, check, export, import_published, lathe, publish, render, rescore, score, why
from vaserl.errors import UserError

USER_ERROR = 2
VERBS = (caption, lathe, render, export, score, audit, rescore, check, why, publish, import_published)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns: its exit code, 0 for those that return none, or 2 after printing a user's error."""
    parser = argparse.ArgumentParser(prog="vaserl", description="Greek vases, described by a vision-language model.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    runs = {verb.__name__.rpartition(".")[2].replace("_", "-"): verb.run for verb in VERBS}
    for verb in VERBS:
        verb.add(verbs)
    arguments = parser.parse_args(argv)
    try:
        return runs[arguments.verb](arguments) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
