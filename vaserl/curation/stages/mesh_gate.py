"""The mesh gate as a stage: each lifted model against its photograph, before anybody films it."""

import math
from pathlib import Path

import numpy as np

from vaserl.curation.job.batch import RowBatch, rejecting, remaining, with_column
from vaserl.curation.settings import MeshGateSettings
from vaserl.curation.stages.lift import SILHOUETTE
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph
from vaserl.meshes import Candidate, load_judge
from vaserl.meshes.gate import Thresholds, gate
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.lathe import WORKING_SIDE, LatheError, segment

STAGE = "mesh_gate"
MEASURES = ("symmetry", "open_edges")
"""What the gate measures, beside the silhouette, that is worth a column."""
JUDGE = "judge"
"""The judge's score, where there is a judge."""


class MeshGate:
    """Adds `symmetry` and `open_edges`, and rejects models that `vaserl.meshes.gate` refuses.

    The silhouette is compared where the generator has not done so, and `silhouette_iou` filled in; the generator knew
    the photograph's camera, which the gate must guess. Where the vase can't be cut out of its photograph, it isn't
    judged. Where the settings name a judge, it has the last word and its score a column, `judge`.
    """

    def __init__(self, settings: MeshGateSettings, dataset: Path) -> None:
        self._dataset = dataset
        self._thresholds = Thresholds(**settings.model_dump(exclude={"enabled", "judge"}))
        self._judge = load_judge(settings.judge) if settings.judge else None

    def __call__(self, batch: RowBatch) -> RowBatch:
        measures: dict[int, dict[str, float]] = {}
        reasons: dict[int, str] = {}
        for index in remaining(batch):
            path = self._dataset / batch["mesh"][index]
            try:
                mesh = load_mesh(path).to_mesh()
            except UserError as error:
                # the row names its model already, and a reason must not depend on where the data set lies
                reasons[index] = str(error).removeprefix(f"{path}: ")
                continue
            known = float(batch[SILHOUETTE][index])
            mask = _mask(batch["photo"][index]) if math.isnan(known) else None
            verdict = gate(mesh, mask, self._thresholds)
            measures[index] = {SILHOUETTE: known, **verdict.measures}
            if not verdict.accepted:
                reasons[index] = verdict.reason
            elif self._judge is not None:
                judgement = self._judge(_candidate(batch, index, self._dataset))
                measures[index][JUDGE] = judgement.score
                if not judgement.accepted:
                    reasons[index] = f"the judge refuses it: {judgement.reason}"
        for name in (*MEASURES, SILHOUETTE, *([JUDGE] if self._judge is not None else [])):
            values = {index: found[name] for index, found in measures.items() if name in found}
            batch = with_column(batch, name, values, float("nan"))
        return rejecting(batch, STAGE, reasons)


def _candidate(batch: RowBatch, index: int, dataset: Path) -> Candidate:
    return Candidate(vase_id=batch["vase_id"][index], photo=batch["photo"][index], mesh=dataset / batch["mesh"][index])


def _mask(photo: str) -> np.ndarray | None:
    """bool [h, w], the vase in its photograph; None where it can't be told from the background."""
    image = read_photograph(photo, keep_alpha=True)
    image.thumbnail((WORKING_SIDE, WORKING_SIDE))
    try:
        return segment(np.asarray(image))
    except LatheError:
        return None
