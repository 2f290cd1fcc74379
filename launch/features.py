"""Functions that several jobs use for encoders: the Ray actors that compute and store vision features.

The functions request resources for the encoders, start the encoders and report how much work the encoders did.
"""

import dataclasses
import sys
from typing import Any

from actors.encoder import EncoderPool
from actors.placement import ActorRequest, PlacementSlice, actor_request
from vaserl.runs.job_folder import JobFolder
from vaserl.settings import EvaluateSettings, FeatureSettings, SftSettings, TrainSettings


def encoder_request(settings: FeatureSettings, bypass_reason: str | None) -> ActorRequest:
    """Returns the request for the resources of a job's encoders, the Ray actors that compute vision features.

    bypass_reason: why the job can't use stored features, or None if it can. If a reason is given, no encoder is
    requested, and the reason is printed if `settings` asks for encoders.
    """
    request = actor_request(settings)
    if bypass_reason is None:
        return request
    if request.num_actors:
        print(f"features: the store is bypassed: {bypass_reason}", file=sys.stderr)
    return dataclasses.replace(request, num_actors=0)


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
