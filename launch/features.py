"""What the jobs share about the feature store: whether a run has one, and what is said of it at the end."""

import json
import sys
from pathlib import Path

from ray.util.placement_group import PlacementGroup

from actors.encoder import EncoderPool
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


def report_features(encoders: EncoderPool | None, run_dir: Path) -> None:
    """Writes what the encoders did to `run_dir`/features.json and says it in a line. It is kept apart from the run's
    metrics, because a second run finds in the store what the first one made."""
    if encoders is None:
        return
    counts = encoders.counts()
    (run_dir / "features.json").write_text(json.dumps(counts, indent=1) + "\n")
    print("features: " + ", ".join(f"{count} {name}" for name, count in counts.items()), file=sys.stderr)
