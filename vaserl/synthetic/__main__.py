"""python -m vaserl.synthetic OUT --num-vases N --seed S: writes a synthetic collection."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from vaserl.errors import UserError
from vaserl.synthetic.world import build_world


def main() -> int:
    """Runs the command. Returns: exit code 0, or 2 after a UserError."""
    parser = argparse.ArgumentParser(prog="python -m vaserl.synthetic", description=__doc__)
    parser.add_argument("out", type=Path, help="output folder; must not exist or must be empty")
    parser.add_argument("--num-vases", type=int, default=700, help="number of vases (default: 700)")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the random generator; the same seed gives the same files (default: 0)",
    )
    parser.add_argument(
        "--num-workers", type=int, default=None, help="number of processes (default: one for each core)"
    )
    parser.add_argument(
        "--num-views", type=int, default=None, help="number of photographs of each vase (default: one to five, random)"
    )
    arguments = parser.parse_args()
    try:
        with tqdm(total=arguments.num_vases, unit="vase", leave=False) as bar:

            def advance(num_done: int, num_vases: int) -> None:
                bar.update(num_done - bar.n)

            summary = build_world(
                arguments.out,
                arguments.num_vases,
                arguments.seed,
                arguments.num_workers,
                progress=advance,
                num_views=arguments.num_views,
            )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {summary.num_vases} vases, {summary.num_photographs} photographs, {summary.content_hash}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
