"""python -m launch bench NAME [--json]"""

import argparse
import contextlib
import importlib
import json
import sys
from collections.abc import Sequence

from vaserl.errors import USER_ERROR_EXIT, UserError

BENCHES = {
    "curate": "rows per second of each curation stage, its overhead, and the driver's memory over rows",
    "curate_kills": "a curation job killed at random moments and restarted: its manifest against an undisturbed one",
    "lathe": "the lathe's mesh of a photograph against the true one: silhouettes, Chamfer distance, profile in mm",
    "learner": "forward and backward pass of a group: padded layout against shared prefix",
    "overlap": "wall time of a step of the overlapped loop, relative to the longer of its halves",
    "parity": "logprobs of the learner against the engine's, and of the layouts against each other",
    "precision": "logprob gap between engine and learner in bfloat16, while a policy is trained",
    "publish": "seconds from an optimizer step to all engines serving it, merged and as an adapter",
    "reward": "captions scored per second, on one core and through the pool",
    "rollout": "seconds of prefill and decode from stored features",
    "step": "seconds of a whole GRPO step, by phase",
}
"""Each bench, a module of this folder, with what it measures."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a bench and prints its measurement. Returns: 0, or 2 after printing a UserError."""
    listed = "\n".join(f"  {name:12} {what}" for name, what in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m launch bench",
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
    # imports this bench only: what the others import would disturb an engine in this process
    bench = importlib.import_module(f"launch.bench.{name}")
    bench_parser = argparse.ArgumentParser(prog=f"python -m launch bench {name}", description=bench.__doc__)
    bench_parser.add_argument("--json", action="store_true", help="one JSON object")
    bench.add_arguments(bench_parser)
    arguments = bench_parser.parse_args(given[1:])
    try:
        # libraries print on standard output, which is reserved for the measurement
        with contextlib.redirect_stdout(sys.stderr):
            measured = bench.run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    print(json.dumps(measured) if arguments.json else bench.words(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
