"""python -m launch.bench NAME [--json]"""

import argparse
import json
import sys
from collections.abc import Sequence

from launch.bench import learner, overlap, publish, reward
from vaserl.errors import UserError

BENCHES = {"learner": learner, "overlap": overlap, "publish": publish, "reward": reward}
USER_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a bench and prints what it measured. Returns: 0, or 2 after printing a user's error."""
    parser = argparse.ArgumentParser(prog="python -m launch.bench", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, bench in BENCHES.items():
        bench_parser = names.add_parser(name, help=bench.HELP)
        bench_parser.add_argument("--json", action="store_true", help="one JSON object")
        bench.add_arguments(bench_parser)
    arguments = parser.parse_args(argv)
    try:
        measured = BENCHES[arguments.name].run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    print(json.dumps(measured) if arguments.json else BENCHES[arguments.name].words(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
