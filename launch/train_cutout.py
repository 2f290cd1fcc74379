"""Trains the cut-out network: python -m launch train-cutout CONFIG [--section.key value …]"""

import sys
from collections.abc import Sequence
from typing import Any

from launch.main import start_job
from vaserl.meshes.cutout.weights import CUTOUT_RECIPE
from vaserl.synthetic.train_cutout.settings import TrainCutoutSettings
from vaserl.synthetic.train_cutout.train import train_cutout


def run(settings: TrainCutoutSettings) -> dict[str, Any] | None:
    """Trains the network or continues to, and prints its scores on held-out scenes when the last step is done."""
    scores = train_cutout(settings)
    if scores is not None:
        overlap, views = scores["iou"]["all"], scores["views"]
        print(
            f"held-out scenes: IoU median {overlap['median']:.3f}, 5th percentile {overlap['p5']:.3f} (n = "
            f"{overlap['n']}); views right {views['accuracy']:.1%} (n = {views['n']}); recipe: "
            f"{settings.out / CUTOUT_RECIPE}",
            file=sys.stderr,
        )
    return scores


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("train-cutout", argv)


if __name__ == "__main__":
    sys.exit(main())
