"""python -m launch.bench NAME [--json]"""

import argparse
import contextlib
import importlib
import json
import sys
from collections.abc import Sequence

from vaserl.errors import USER_ERROR_EXIT, UserError

BENCHES = {
    "curate": "rows a second of each curation stage, its overhead, and the driver's memory over rows",
    "curate_kills": "the curation job killed at random moments, and what the same command makes of it",
    "lathe": "a photograph's model against the vase's true one: silhouettes, Chamfer distance, profile in mm",
    "learner": "forward and backward of a group: padded against shared prefix",
    "overlap": "wall time of a step of the overlapped loop, over the longer of its halves",
    "parity": "logprobs of learner and engine, and of the layouts, against each other",
    "precision": "what bfloat16 costs, engine against learner, while a policy is taught",
    "publish": "seconds from an optimizer step to all engines serving it, merged and as an adapter",
    "reward": "captions a second, on one core and through the pool",
    "rollout": "seconds of prefill and decode, from stored features",
    "step": "seconds of a whole GRPO step, by phase",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a bench and prints what it measured. Returns: 0, or 2 after printing a user's error."""
    listed = "\n".join(f"  {name:12} {what}" for name, what in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m launch.bench",
        description=f"{__doc__}\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("name", choices=BENCHES, metavar="NAME")
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help"):
        parser.print_help()
        return 0
    name = parser.parse_args(given[:1]).name
    # only this one, because an engine in this process must not meet what the other benches import
    bench = importlib.import_module(f"launch.bench.{name}")
    bench_parser = argparse.ArgumentParser(prog=f"python -m launch.bench {name}", description=bench.__doc__)
    bench_parser.add_argument("--json", action="store_true", help="one JSON object")
    bench.add_arguments(bench_parser)
    arguments = bench_parser.parse_args(given[1:])
    try:
        # libraries say on standard output what they find; there, only the measurement is wanted
        with contextlib.redirect_stdout(sys.stderr):
            measured = bench.run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    print(json.dumps(measured) if arguments.json else bench.words(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
