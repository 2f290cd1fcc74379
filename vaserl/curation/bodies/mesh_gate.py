"""Checks the 3D model of each photograph: compares measures with thresholds, then runs the mesh judge if any."""

from pathlib import Path

import numpy as np

from vaserl.curation.settings import MeshGateSettings
from vaserl.curation.stage import Kept, Photograph, Rejected, Verdict
from vaserl.curation.stages.lift import FAULT, MESH, SILHOUETTE
from vaserl.curation.stages.mesh_gate import IS_COMPARED, JUDGE, OPEN_EDGES, SYMMETRY
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph
from vaserl.meshes import Candidate, load_judge
from vaserl.meshes.gate import Thresholds, gate
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.second_cutout import CUTOUT_SIDE

_MEASURES = {column.name for column in (SILHOUETTE, SYMMETRY, OPEN_EDGES, IS_COMPARED)}
"""Measures of the mesh gate that are stored as columns."""
MAX_OVERRATED = 0.11
"""Largest accepted difference between the silhouettes' IoU that the generator measured with its own cut-out, and that
of the gate's. The camera, which the gate estimates anew, costs up to 0.09."""


class MeshGate:
    """Adds the columns `symmetry`, `open_edges` and `compared`, and rejects 3D models that `vaserl.meshes.gate`
    rejects, and those that their own generator doesn't believe.

    `silhouette_iou` becomes that of cut-outs which the generator has not seen. It is NaN, and `compared` 0, if the
    photograph can't be cut out. If a mesh judge is configured, it judges the models that passed, and its score is the
    column `judge`.
    """

    def __init__(self, settings: MeshGateSettings, dataset: Path) -> None:
        self._dataset = dataset
        self._thresholds = Thresholds(**settings.model_dump(exclude={"enabled", "judge"}))
        self._judge = load_judge(settings.judge) if settings.judge else None

    def judge(self, photograph: Photograph) -> Verdict:
        """Returns the verdict on the 3D model that was made from the photograph."""
        path = self._dataset / photograph.columns[MESH.name]
        try:
            mesh = load_mesh(path).to_mesh()
        except UserError as error:
            # the row names the model's file already, and a reason must not depend on the data set's path
            return Rejected(reason=str(error).removeprefix(f"{path}: "))
        uses_photo = self._thresholds.min_iou > 0
        verdict = gate(mesh, _small(photograph.photo) if uses_photo else None, self._thresholds)
        nan = {SILHOUETTE.name: float("nan")}
        measures = nan | {name: value for name, value in verdict.measures.items() if name in _MEASURES}
        # a generator's own doubt comes first: it says what is wrong with the photograph
        reason = (str(photograph.columns.get(FAULT.name) or "") if uses_photo else "") or verdict.reason
        # cut-outs that differ from each other don't show that the generator's is wrong
        if not reason and verdict.measures.get("cutouts_alike"):
            reason = _overrated(float(photograph.columns[SILHOUETTE.name]), measures[SILHOUETTE.name])
        if reason:
            return Rejected(reason=reason, columns=measures)
        if self._judge is None:
            return Kept(columns=measures)
        judgement = self._judge(Candidate(vase_id=photograph.vase_id, photo=photograph.photo, mesh=path))
        measures[JUDGE.name] = judgement.score
        if not judgement.accepted:
            return Rejected(reason=f"the mesh judge rejects it: {judgement.reason}", columns=measures)
        return Kept(columns=measures)


def _overrated(claimed: float, found: float) -> str:
    """Returns why a model is rejected whose generator claimed a better fit than there is; "" if it didn't, or if one of
    the two isn't known (NaN)."""
    if not claimed - found > MAX_OVERRATED:
        return ""
    return f"unlike its photograph: its generator's own cut-out fits by {claimed:.2f}, another one by only {found:.2f}"


def _small(photo: str) -> np.ndarray:
    """Returns the photograph, uint8 [H, W, 3 or 4], at twice the size to which the gate reduces it."""
    image = read_photograph(photo, keep_alpha=True)
    image.thumbnail((2 * CUTOUT_SIDE, 2 * CUTOUT_SIDE))
    return np.asarray(image)
