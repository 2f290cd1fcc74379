"""The feature store as the jobs share it: room for its encoders, starting them, and what they did."""

import dataclasses
import sys
from typing import Any

from actors.encoder import EncoderPool
from actors.placement import ActorRequest, PlacementSlice, actor_request
from vaserl.runs.job_folder import JobFolder
from vaserl.settings import EvaluateSettings, FeatureSettings, SftSettings, TrainSettings


def encoder_request(settings: FeatureSettings, bypass_reason: str | None) -> ActorRequest:
    """Returns the room for a job's encoders: none when there is a reason to keep no features, which is printed."""
    request = actor_request(settings)
    if bypass_reason is None:
        return request
    if request.num_actors:
        print(f"features: the store is bypassed: {bypass_reason}", file=sys.stderr)
    return dataclasses.replace(request, num_actors=0)


def start_encoders(
    settings: TrainSettings | SftSettings | EvaluateSettings, place: PlacementSlice
) -> EncoderPool | None:
    """Starts a job's encoders in their slice of its placement. Returns: None where the slice has no room."""
    if place.request.num_actors == 0:
        return None
    return EncoderPool(settings.model, settings.data, settings.features, place, run_dir=settings.run_dir)


def report_features(encoders: EncoderPool | None, run: JobFolder[Any]) -> None:
    """Writes and prints the encoders' counts. They lie apart from the run's metrics, because a second run finds in the
    store what the first one encoded."""
    if encoders is None:
        return
    counts = encoders.counts()
    run.write_features(counts)
    print("features: " + ", ".join(f"{count} {name}" for name, count in counts.items()), file=sys.stderr)
