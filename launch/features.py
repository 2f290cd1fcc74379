"""What the jobs share about the feature store: whether a run has one, and what it did."""

import sys
from typing import Any

from ray.util.placement_group import PlacementGroup

from actors.encoder import EncoderPool
from vaserl.runs.job_folder import JobFolder
from vaserl.settings import EvaluateSettings, FeatureSettings, SftSettings, TrainSettings


def num_encoders(settings: FeatureSettings, bypass_reason: str | None) -> int:
    """Encoders to place; a reason to do without those that are asked for is said."""
    if bypass_reason and settings.num_workers:
        print(f"features: the store is bypassed: {bypass_reason}", file=sys.stderr)
    return 0 if bypass_reason else settings.num_workers


def start_encoders(
    settings: TrainSettings | SftSettings | EvaluateSettings, placement: PlacementGroup, bundles: range
) -> EncoderPool | None:
    """The job's encoders in these bundles of its placement; None where there are none."""
    if not bundles:
        return None
    return EncoderPool(
        settings.model,
        settings.data,
        settings.features,
        run_dir=settings.run_dir,
        placement=placement,
        first_bundle=bundles.start,
    )


def report_features(encoders: EncoderPool | None, run: JobFolder[Any]) -> None:
    """Writes and prints what the encoders did. It lies apart from the run's metrics, because a second run finds in the
    store what the first one encoded."""
    if encoders is None:
        return
    counts = encoders.counts()
    run.write_features(counts)
    print("features: " + ", ".join(f"{count} {name}" for name, count in counts.items()), file=sys.stderr)
