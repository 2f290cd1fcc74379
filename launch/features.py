"""Functions that the jobs share to request, start and report the encoders, which fill the store of vision features."""

import dataclasses
import sys
from typing import Any

from actors.encoder import EncoderPool
from actors.placement import ActorRequest, PlacementSlice, actor_request
from vaserl.runs.job_folder import JobFolder
from vaserl.settings import EvaluateSettings, FeatureSettings, SftSettings, TrainSettings


def encoder_request(settings: FeatureSettings, bypass_reason: str | None) -> ActorRequest:
    """Returns the request of resources for a job's encoders, the actors that compute vision features. If
    `bypass_reason` is given, it is printed, and no encoder is requested."""
    request = actor_request(settings)
    if bypass_reason is None:
        return request
    if request.num_actors:
        print(f"features: the store is bypassed: {bypass_reason}", file=sys.stderr)
    return dataclasses.replace(request, num_actors=0)


def start_encoders(
    settings: TrainSettings | SftSettings | EvaluateSettings, place: PlacementSlice
) -> EncoderPool | None:
    """Starts a job's encoders on the resources reserved for them. Returns: their pool, None without encoders."""
    if place.request.num_actors == 0:
        return None
    return EncoderPool(settings.model, settings.data, settings.features, place, run_dir=settings.run_dir)


def report_features(encoders: EncoderPool | None, run: JobFolder[Any]) -> None:
    """Writes the encoders' counts to the run folder and prints them. They are kept apart from the run's metrics,
    because they differ in a second run, which finds the stored features of the first one."""
    if encoders is None:
        return
    counts = encoders.counts()
    run.write_features(counts)
    print("features: " + ", ".join(f"{count} {name}" for name, count in counts.items()), file=sys.stderr)
