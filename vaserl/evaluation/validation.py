"""Validation during a GRPO run: metrics of greedy captions of held-out vases, and the decision to stop early.

The metrics are those of `launch evaluate` for one system. The training loop captions and scores the vases; this module
computes and stores the metrics. A validation draws no random numbers of the training and changes nothing that the
training reads, so a run has the same metrics.jsonl with and without it.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vaserl.dataset import DataSet, Vase
from vaserl.encoders.open_clip import open_clip_text_encoder
from vaserl.errors import UserError
from vaserl.evaluation.caption_metrics import RECALL_RANKS, TextEncoder
from vaserl.evaluation.dimensions import dimension_outcomes, measure_dimension
from vaserl.evaluation.evaluate import EvaluationConfig, Reader, baseline_hits, mean_intervals, vase_metrics
from vaserl.evaluation.text_distances import frechet_distance
from vaserl.runs.run import Run
from vaserl.runs.validation_row import ValidationRow, best_validation
from vaserl.settings import TrainSettings, ValidationSettings, nearest_name
from vaserl.types import DIMENSIONS, ScoredGroup, Task

INTERVAL = "95 % over vases: Student's t for means, Wilson's interval for shares, the bootstrap beside them"
"""Kind of the intervals in a row of validation.jsonl. The vases are the independent units; each has one caption."""

_PLAIN = ("reward", "lexical_paper", "lexical_strict")
_OF_CLIP = (
    "text_cosine",
    "overall_paper",
    *(f"recall_at_{k}_{mode}" for k in RECALL_RANKS for mode in ("paper", "strict")),
)
_OF_DIMENSION = ("accuracy", "accuracy_when_stated", "stated")
_BY_DIMENSION = tuple(f"{name}/{dimension}" for name in _OF_DIMENSION for dimension in DIMENSIONS)


class Validation:
    """The validation of a GRPO run, on a fixed sample of a held-out split.

    Its state is the run's validation.jsonl alone, so a resumed run decides as the uninterrupted one.
    """

    def __init__(
        self,
        settings: TrainSettings,
        run: Run,
        vases: Sequence[Vase],
        train_records: Sequence[Mapping[str, str]],
        reader: Reader,
        encoder: TextEncoder | None = None,
    ):
        """vases: all vases of the split. train_records: records from which the baselines guess. encoder: text encoder
        for the metrics that need one; with None they are left out."""
        self._settings, self._run, self._reader, self._encoder = settings, run, reader, encoder
        self._config = EvaluationConfig(seed=settings.seed)
        self._num_split_vases = len(vases)
        self._vases = drawn_vases(vases, settings.validation.max_vases, settings.seed)
        self._truths = [reader.record(vase.record) for vase in self._vases]
        train = [reader.record(record) for record in train_records]
        smoothing = self._config.smoothing
        references = [vase.reference for vase in self._vases]
        self._reference_vectors = None if encoder is None else encoder(references)
        self._guessed = {d: baseline_hits(d, self._truths, train, reader, smoothing).better for d in DIMENSIONS}
        self._check_metric()

    @property
    def tasks(self) -> list[Task]:
        """The caption task of each vase, in the order of the vases' ids."""
        return [vase.caption_task(self._settings.data.prompt) for vase in self._vases]

    def is_due(self, step: int) -> bool:
        """Tells whether the weights that a step produced are to be validated. Step 0 stands for the weights before the
        first step."""
        every = self._settings.validation.every
        return every > 0 and (step % every == 0 or step == self._settings.num_steps)

    def record(self, step: int, scored: Sequence[ScoredGroup]) -> dict[str, float]:
        """Writes the captions and metrics of one validation to the run folder, and prints its result.

        Returns: the metrics for the trackers: {"validation/reward": 0.81, "validation/accuracy/shape": 0.9, …}.

        scored: the groups of `tasks`, each with one greedy completion.

        Raises: UserError if the reward functions have no part from which `validation.metric` is computed.
        """
        row = self._row(step, scored)
        captions = [_caption(vase, group) for vase, group in zip(self._vases, scored, strict=True)]
        self._run.write_validation(row, captions)
        metric, means = self._settings.validation.metric, row.means()
        shown = "undefined: no caption states the dimension"
        if metric in means:
            measured = row.measured(metric)
            shown = f"{measured['mean']:.3f} [{measured['low']:.3f}, {measured['high']:.3f}]"
        print(f"validation: step {step}, {metric} {shown}, {row.num_vases} vases", file=sys.stderr, flush=True)
        return {f"validation/{name}": mean for name, mean in means.items()}

    @property
    def stop_reason(self) -> str:
        """Reason why the run is to stop early, decided from the rows in validation.jsonl; empty if it goes on."""
        settings = self._settings.validation
        rows = self._run.validations if settings.stop_after else []
        values = [row.means().get(settings.metric, -np.inf) for row in rows]
        if not rows or num_stalled(values, settings.min_gain) < settings.stop_after:
            return ""
        best = best_validation(rows, settings.metric)
        reached = (
            f"the best is {best.means()[settings.metric]:.3f} after step {best.step}" if best else "it is undefined"
        )
        gain = f" by more than {settings.min_gain:g}" if settings.min_gain else ""
        return (
            f"validation/{settings.metric} did not improve{gain} in the last {settings.stop_after} validations; "
            f"{reached} (validation.stop_after = {settings.stop_after})"
        )

    def _row(self, step: int, scored: Sequence[ScoredGroup]) -> ValidationRow:
        completions = [group.group.completions[0] for group in scored]
        captions = [completion.text for completion in completions]
        scores = [group.scores[0] for group in scored]
        references = [vase.reference for vase in self._vases]
        vectors = None
        if self._encoder is not None and self._reference_vectors is not None:
            vectors = (self._encoder(captions), self._reference_vectors)
        values = vase_metrics(captions, references, scores, vectors)
        values["num_tokens"] = np.array([len(completion.token_ids) for completion in completions], dtype=float)
        values["truncated"] = np.array([completion.finish_reason == "length" for completion in completions])
        draw = {"num_resamples": self._config.num_resamples, "seed": self._config.seed}
        metrics: dict[str, Any] = mean_intervals(values, **draw)
        if vectors is not None:
            metrics["text_fid"] = frechet_distance(*vectors)
        stated = [self._reader.caption(caption) for caption in captions]
        dimensions = {}
        for dimension in DIMENSIONS:
            has_target = any(truth.get(dimension) is not None for truth in self._truths)
            # a user's reward need not score the dimensions
            if not has_target or any(dimension in score.parts for score in scores):
                outcomes = dimension_outcomes(dimension, scores, stated, self._truths, self._config.tau)
                dimensions[dimension] = measure_dimension(outcomes, self._guessed[dimension]).as_dict()
        self._check_dimensions(dimensions)
        (version,) = {completion.weights_version for completion in completions}
        return ValidationRow(
            step=step,
            weights_version=version,
            split=self._settings.validation.split,
            num_vases=len(self._vases),
            num_split_vases=self._num_split_vases,
            sample_seed=self._settings.seed if len(self._vases) < self._num_split_vases else None,
            interval=INTERVAL,
            metrics={**metrics, "dimensions": dimensions},
        )

    def _check_metric(self) -> None:
        settings: ValidationSettings = self._settings.validation
        if settings.every == 0:
            return
        known = (*_PLAIN, *_BY_DIMENSION, *(_OF_CLIP if self._encoder is not None else ()))
        if settings.metric in _OF_CLIP and self._encoder is None:
            raise UserError(f"validation.metric = {settings.metric!r} needs validation.clip_model")
        if settings.metric not in known:
            meant = nearest_name(settings.metric, known)
            hint = f"did you mean {meant!r}?" if meant else f"known metrics: {', '.join(known)}"
            raise UserError(f"validation.metric = {settings.metric!r} is unknown; {hint}")
        dimension = settings.metric.partition("/")[2]
        stated = {d for d in DIMENSIONS if any(truth.get(d) is not None for truth in self._truths)}
        if dimension and dimension not in stated:
            raise UserError(
                f"validation.metric = {settings.metric!r}: no record of the {len(self._vases)} vases of split "
                f"{settings.split!r} states the {dimension}; use another metric"
            )

    def _check_dimensions(self, dimensions: Mapping[str, object]) -> None:
        metric = self._settings.validation.metric
        dimension = metric.partition("/")[2]
        if dimension and dimension not in dimensions:
            raise UserError(
                f"validation.metric = {metric!r}: the scores of {', '.join(self._settings.reward.functions)} have no "
                f"part {dimension!r}, which decides whether a caption is right; use another metric"
            )


def make_validation(
    settings: TrainSettings, run: Run, train_records: Sequence[Mapping[str, str]], reader: Reader
) -> Validation:
    """Returns the validation of a run; one that is never due if `validation.every` is 0.

    Raises: UserError if the data set has no vase, or only one, in the split, or if the metric is unknown.
    """
    chosen = settings.validation
    if chosen.every == 0:
        return Validation(settings, run, (), (), reader)
    vases = DataSet.of_settings(settings.data).vases(chosen.split)
    if len(vases) < 2:
        raise UserError(
            f"data set {settings.data.path} has only 1 vase in split {chosen.split!r}; a validation needs at least 2: "
            f"set split.num_{chosen.split} in the config of `launch curate` and curate again, or import published "
            "data with --num-val, or set validation.every = 0"
        )
    encoder = open_clip_text_encoder(chosen.clip_model) if chosen.clip_model else None
    return Validation(settings, run, vases, train_records, reader, encoder)


def drawn_vases(vases: Sequence[Vase], max_vases: int | None, seed: int) -> list[Vase]:
    """Returns a random sample of `max_vases` vases in their order, or all vases if there are no more than that.

    A larger sample by the same seed contains the smaller one.
    """
    if max_vases is None or len(vases) <= max_vases:
        return list(vases)
    chosen = np.random.default_rng(seed).permutation(len(vases))[:max_vases]
    return [vases[index] for index in sorted(chosen)]


def num_stalled(values: Sequence[float], min_gain: float) -> int:
    """Returns the number of values since the last improvement. The first value is the reference; a later one improves
    if it exceeds the reference by more than `min_gain`, and then it is the reference."""
    reference, stalled = values[0], 0
    for value in values[1:]:
        if value > reference + min_gain:
            reference, stalled = value, 0
        else:
            stalled += 1
    return stalled


def _caption(vase: Vase, group: ScoredGroup) -> dict[str, object]:
    """Returns a row of the file with a validation's captions."""
    completion, score = group.group.completions[0], group.scores[0]
    return {
        "id": vase.id,
        "caption": completion.text,
        "score": score.total,
        "parts": dict(score.parts),
        "num_tokens": len(completion.token_ids),
        "finish_reason": completion.finish_reason,
    }
