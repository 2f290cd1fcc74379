"""Compares folders of generated GLBs with a folder of ground-truth GLBs, matched by the files' names (`names`).

A pair fails when the generated mesh is missing or either mesh can't be read or rendered. Failed pairs have no scores;
their number is reported with the means, since a generator that skips hard vases would look better otherwise. Files
without a partner are named, on both sides.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vaserl.errors import UserError
from vaserl.meshes.compare.align import align
from vaserl.meshes.compare.geometry import chamfer_distance, normal_consistency
from vaserl.meshes.compare.names import glbs_of, match_names
from vaserl.meshes.compare.pictures import OpenClipScores, Pictures, load_lpips, psnr, ssim
from vaserl.meshes.compare.settings import VaseEvalSettings
from vaserl.meshes.compare.surface import sample_surface
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.part import PaintedModel
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.runs.progress import Progress
from vaserl.statistics.intervals import bootstrap_mean_interval

METRICS = ("psnr", "ssim", "lpips", "clip_image", "clip_text", "chamfer", "normal_consistency")
"""Names of the metrics, in the order of the table's columns. A metric that needs a network or captions is omitted from
the results if the settings don't specify them."""
BACKGROUND = (1.0, 1.0, 1.0)
PAPER = {"TripoSG": {"ssim": 0.8676, "lpips": 0.1308, "chamfer": 0.1490}}
"""Metrics that the VaseVQA-3D paper reports for its generator (TripoSG) on 24 scans. The paper doesn't publish its
cameras, alignment or unit of the Chamfer distance, so these values are context only and aren't comparable with
VaseEval's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Comparison of one generator's mesh of one vase with the ground-truth mesh.

    Example: Pair(id="v00012", generated="v00012_textured", failure="", turn_deg=5.0, misfit=0.03, scores={"psnr": 24.1,
    "ssim": 0.91, …})
    """

    id: str
    """Name of the vase's true GLB without the suffix."""
    generated: str
    """Name of the generated GLB without the suffix; empty if there is none."""
    failure: str
    """Why the pair has no scores; empty when it has scores."""
    turn_deg: float
    """Turn of the generated mesh about its axis, in degrees (`Alignment.turn_deg`); NaN after a failure."""
    misfit: float
    """Misfit after alignment (`Alignment.misfit`); NaN after a failure."""
    scores: Mapping[str, float]
    """Scores by metric name; empty after a failure."""


class PairMeter:
    """Callable that compares two meshes of one vase, using a turntable renderer and the networks from the settings."""

    def __init__(self, settings: VaseEvalSettings, turntable: TurntableRenderer) -> None:
        self._settings, self._turntable = settings, turntable
        self._lpips = load_lpips(settings.lpips) if settings.lpips.path else None
        self._clip = OpenClipScores(settings.open_clip) if settings.open_clip.path else None
        self._texts = _read_texts(settings.texts) if settings.texts else {}

    def __call__(self, id_: str, generated: Path, true: Path) -> Pair:
        """Compares the generated and the true mesh of one vase. Raises: UserError with the path of a file that can't be
        used."""
        models = load_mesh(generated), load_mesh(true)
        solids = [model.to_mesh() for model in models]
        found = align(*solids)
        transforms = found.to_frame, found.true_to_frame
        here, there = (model.transformed(transform) for model, transform in zip(models, transforms, strict=True))
        surfaces = [
            sample_surface(solid.apply_transform(transform), self._settings.num_points)
            for solid, transform in zip(solids, transforms, strict=True)
        ]
        pictures = self._render(here, framed_by=there), self._render(there, framed_by=there)
        return Pair(
            id=id_,
            generated=generated.stem,
            failure="",
            turn_deg=found.turn_deg,
            misfit=found.misfit,
            scores={
                "psnr": psnr(*pictures),
                "ssim": ssim(*pictures),
                **({"lpips": self._lpips(*pictures)} if self._lpips else {}),
                **self._clip_scores(id_, *pictures),
                "chamfer": chamfer_distance(*surfaces),
                "normal_consistency": normal_consistency(*surfaces),
            },
        )

    def _render(self, mesh: PaintedModel, framed_by: PaintedModel) -> Pictures:
        num_views = self._settings.num_views
        views = [(360.0 * view / num_views, self._turntable.camera.elevation_deg) for view in range(num_views)]
        return self._turntable.render_views(mesh, views, background=BACKGROUND, framed_by=framed_by)

    def _clip_scores(self, id_: str, generated: Pictures, true: Pictures) -> dict[str, float]:
        if self._clip is None:
            return {}
        features = self._clip.features(generated)
        scores = {"clip_image": self._clip.image_score(features, self._clip.features(true))}
        if id_ in self._texts:
            scores["clip_text"] = self._clip.text_score(features, self._texts[id_])
        return scores


def evaluate(settings: VaseEvalSettings) -> dict[str, Any]:
    """Compares every generator's meshes with the ground-truth meshes.

    Returns: a dictionary from each generator's name to its results: the entries of `comparison_summary`, all pairs
    ("pairs"), the names of the generated meshes without a true one ("without_true") and of the true meshes without a
    generated one ("without_generated"), and the files of both folders that are no GLBs ("other_files").

    Raises: UserError for folders without GLBs, for names that match none or several meshes, and for weights or captions
    that can't be read.
    """
    true, other_true = glbs_of(settings.true, "true")
    folders = {}
    for name, folder in settings.generated.items():
        models, other = glbs_of(folder, f"generated.{name}")
        matched = match_names(list(models), list(true), settings.endings, f"generated.{name} {folder}")
        folders[name] = models, matched, (*other_true, *other)
    result: dict[str, Any] = {}
    with (
        TurntableRenderer(resolution=settings.resolution) as turntable,
        Progress("vaseeval", len(true) * len(folders)) as progress,
    ):
        meter = PairMeter(settings, turntable)
        for name, (models, matched, other) in folders.items():
            pairs = []
            for id_, path in true.items():
                pairs.append(_measured(meter, id_, models.get(matched.pairs.get(id_, "")), path))
                progress.advance(1)
            result[name] = {
                **comparison_summary(pairs, settings.seed),
                "without_true": list(matched.without_true),
                "without_generated": list(matched.without_generated),
                "other_files": list(other),
                "pairs": [asdict(p) for p in pairs],
            }
    return result


def comparison_summary(pairs: Sequence[Pair], seed: int) -> dict[str, Any]:
    """Returns a summary of one generator's pairs: each metric's mean with a 95 % bootstrap interval, and the failed
    pairs.

    The mean is over the pairs that have the metric. A pair with equal images has an infinite PSNR: it is counted in
    `num_equal` and excluded from the mean.
    """
    scored = [pair for pair in pairs if not pair.failure]
    metrics = {}
    for name in METRICS:
        values = np.array([pair.scores[name] for pair in scored if name in pair.scores])
        finite = values[np.isfinite(values)]
        if len(values):
            metrics[name] = {"num": len(values), "num_equal": len(values) - len(finite)}
        if len(finite):
            metrics[name] |= bootstrap_mean_interval(finite, seed=seed).as_dict()
    return {
        "num_pairs": len(pairs),
        "num_failed": len(pairs) - len(scored),
        "failures": {pair.id: pair.failure for pair in pairs if pair.failure},
        "metrics": metrics,
    }


def _measured(meter: Callable[[str, Path, Path], Pair], id_: str, generated: Path | None, true: Path) -> Pair:
    try:
        if generated is None:
            raise UserError("the generator made no mesh")
        return meter(id_, generated, true)
    except UserError as error:
        nan, stem = float("nan"), "" if generated is None else generated.stem
        return Pair(id=id_, generated=stem, failure=str(error), turn_deg=nan, misfit=nan, scores={})


def _read_texts(path: Path) -> dict[str, str]:
    try:
        texts = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"texts {path}: {error}") from error
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise UserError(f"texts {path}: expected a JSON object that maps names of GLBs to captions")
    return texts
