"""Functions that several jobs use for encoders: the Ray actors that compute and store vision features.

The functions request resources for the encoders, start the encoders and report how much work the encoders did.
"""

import sys
from typing import Any

from actors.encoder import EncoderPool
from actors.placement import PlacementSlice
from vaserl.runs.job_folder import JobFolder
from vaserl.settings import EvaluateSettings, FeatureSettings, SftSettings, TrainSettings


def report_bypass(settings: FeatureSettings, reason: str | None) -> None:
    """Prints why a job can't use stored features, if it can't and `settings` asks for encoders. reason: None if it
    can."""
    if reason is not None and settings.num_workers:
        print(f"features: the store is bypassed: {reason}", file=sys.stderr)


def start_encoders(
    settings: TrainSettings | SftSettings | EvaluateSettings, place: PlacementSlice
) -> EncoderPool | None:
    """Starts a job's encoders on the resources reserved for them. Returns: the pool of encoders, or None if no encoder
    was requested."""
    if place.request.num_actors == 0:
        return None
    return EncoderPool(settings.model, settings.data, settings.features, place, run_dir=settings.run_dir)


def report_features(encoders: EncoderPool | None, run: JobFolder[Any]) -> None:
    """Writes four counts to features.json in the run folder and prints them: clips encoded, and cache entries found
    damaged, evicted, and refused for lack of space. They are not among the run's metrics, because a second, equal run
    has other counts: it finds the features that the first run stored."""
    if encoders is None:
        return
    counts = encoders.counts()
    run.write_features(counts)
    print("features: " + ", ".join(f"{count} {name}" for name, count in counts.items()), file=sys.stderr)
