"""What every job's command line shares: CONFIG and overrides in, exit code out."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vaserl.errors import USER_ERROR_EXIT, UserError
from vaserl.settings.section import Section, dump_config, load_config

_SectionT = TypeVar("_SectionT", bound=Section)


def command(
    kind: type[_SectionT], job: Callable[[_SectionT], Any], description: str, argv: Sequence[str] | None = None
) -> int:
    """Loads CONFIG as `kind` with the `--section.key value` overrides and runs `job` on it.

    Returns: 0, or 2 after printing a user's error without a traceback. Any other exception travels.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog="Any setting is overridden with --section.key VALUE, for example --seed 1 --learner.num_ranks 2.",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="TOML file, see configs/")
    parser.add_argument("--dry-run", action="store_true", help="print the resolved config and stop")
    arguments, overrides = parser.parse_known_args(argv)
    try:
        settings = load_config(kind, arguments.config, overrides)
        if arguments.dry_run:
            print(dump_config(settings), end="")
        else:
            job(settings)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    return 0
