"""The `vaserl` command. Its subcommands are the modules beside this one; none of them needs a Ray cluster."""

import argparse
import sys
from collections.abc import Sequence

from vaserl.commands import (
    audit,
    caption,
    check,
    export,
    export_hub,
    import_chat,
    import_published,
    lathe,
    render,
    rescore,
    score,
    status,
    table,
    why,
)
from vaserl.commands.closed_pipe import exit_code_of
from vaserl.errors import USER_ERROR_EXIT, UserError

VERBS = (
    *(caption, lathe, render, export, score, audit, rescore, status, table, check, why),
    *(export_hub, import_published, import_chat),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the subcommand given on the command line.

    Returns: the subcommand's exit code, or 0 if the subcommand returns None. 2 after a UserError, whose message is
    printed. 141 when standard output is a pipe whose reading end was closed early, as `| head` does.
    """
    parser = argparse.ArgumentParser(prog="vaserl", description="Greek vases, described by a vision-language model.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="SUBCOMMAND")
    runs = {}
    for verb in VERBS:
        verb.add(verbs)
        runs |= {name: verb.run for name in verbs.choices.keys() - runs.keys()}  # aliases included
    arguments = parser.parse_args(argv)

    def run() -> int:
        try:
            return runs[arguments.verb](arguments) or 0
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return USER_ERROR_EXIT

    return exit_code_of(run)


if __name__ == "__main__":
    sys.exit(main())
