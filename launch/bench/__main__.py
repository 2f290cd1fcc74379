"""python -m launch bench NAME [--json]"""

import argparse
import contextlib
import importlib
import json
import sys
from collections.abc import Sequence

from vaserl.errors import USER_ERROR_EXIT, UserError

BENCHES = {
    "coverage": "coverage of the evaluation's intervals and size of its tests, on simulated benchmarks",
    "curate": "rows per second of each curation stage, the job's overhead, and the driver's memory",
    "curate_kills": "whether a curation job that is killed and restarted writes an uninterrupted job's manifest",
    "earned": "what labelled texts earn against records made from their labels",
    "filters": "precision and recall of the filters quality and intact, and the best view, on labelled photographs",
    "judge": "flips and wrong verdicts of the geometric judge, by the true gap between the meshes",
    "lathe": "accuracy of the lathe's mesh of a photograph: silhouettes, Chamfer distance, profile in mm",
    "learner": "seconds of the learner's pass over a group, in the padded and the shared-prefix layout",
    "metrics": "seconds of the metrics and intervals of an evaluation, and texts per second of its encoders",
    "overlap": "wall time of a step of the overlapped loop, relative to the longer of sampling and learning",
    "parity": "differences of log-probabilities between learner and engine, and between the layouts",
    "plan": "seconds of a step and GPU memory of a job, beside the prediction of launch plan",
    "precision": "differences of log-probabilities in bfloat16 between engine and learner during training",
    "publish": "seconds from an optimizer step until all engines serve its weights, merged or as an adapter",
    "reader": "shares of labelled texts of which the parser reads each dimension right, with intervals",
    "resume": "whether training jobs that are killed and started again give an uninterrupted job's files",
    "reward": "captions scored per second, on one core and through the pool",
    "rollout": "seconds of the engine's prefill and decode from stored vision features",
    "scans": "accuracy of the lathe on photographs that are rendered from scans of real vessels",
    "step": "seconds of a whole GRPO step, by phase",
}
"""What each bench measures, by the bench's name, which is also the name of its module in this folder."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a bench and prints its measurement. Returns: exit code 0, or 2 after a UserError, which is printed."""
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
    # imports this bench only: the imports of other benches would disturb an engine in this process
    bench = importlib.import_module(f"launch.bench.{name}")
    bench_parser = argparse.ArgumentParser(prog=f"python -m launch bench {name}", description=bench.__doc__)
    bench_parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
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
