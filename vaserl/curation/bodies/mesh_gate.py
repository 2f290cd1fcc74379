"""Checks the 3D model of each photograph: compares measures with thresholds, then runs the mesh judge if any."""

import math
from pathlib import Path

import numpy as np

from vaserl.curation.settings import MeshGateSettings
from vaserl.curation.stage import Kept, Photograph, Rejected, Verdict
from vaserl.curation.stages.lift import MESH, SILHOUETTE
from vaserl.curation.stages.mesh_gate import JUDGE, OPEN_EDGES, SYMMETRY
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph
from vaserl.meshes import Candidate, load_judge
from vaserl.meshes.cutout.cutout import CutoutError
from vaserl.meshes.cutout.method import CutoutMethod, cut_out, load_method
from vaserl.meshes.gate import Thresholds, gate
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.lathe import WORKING_SIDE

_MEASURES = {column.name for column in (SILHOUETTE, SYMMETRY, OPEN_EDGES)}
"""Measures of the mesh gate that are stored as columns."""


class MeshGate:
    """Adds the columns `symmetry` and `open_edges`, and rejects 3D models that `vaserl.meshes.gate` rejects.

    Computes `silhouette_iou` if the generator has not measured it. A generator's value takes precedence, because the
    generator knew the photograph's camera, which the gate must estimate. Silhouettes are not compared if the vase can't
    be segmented from its background. If a mesh judge is configured, it judges the models that passed, and its score is
    the column `judge`.
    """

    def __init__(self, settings: MeshGateSettings, dataset: Path, cutout: str = "rules") -> None:
        """`cutout` is the setting lift.generator_args.cutout."""
        self._dataset = dataset
        self._method = load_method(cutout)
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
        known = float(photograph.columns[SILHOUETTE.name])
        mask = _mask(photograph.photo, self._method) if math.isnan(known) else None
        verdict = gate(mesh, mask, self._thresholds)
        measures = {SILHOUETTE.name: known, **{name: v for name, v in verdict.measures.items() if name in _MEASURES}}
        if not verdict.accepted:
            return Rejected(reason=verdict.reason, columns=measures)
        if self._judge is None:
            return Kept(columns=measures)
        judgement = self._judge(Candidate(vase_id=photograph.vase_id, photo=photograph.photo, mesh=path))
        measures[JUDGE.name] = judgement.score
        if not judgement.accepted:
            return Rejected(reason=f"the mesh judge rejects it: {judgement.reason}", columns=measures)
        return Kept(columns=measures)


def _mask(photo: str, method: CutoutMethod) -> np.ndarray | None:
    """Returns the vase's mask in its photograph, bool [height, width]; None if the vase can't be segmented."""
    image = read_photograph(photo, keep_alpha=True)
    image.thumbnail((WORKING_SIDE, WORKING_SIDE))
    try:
        return cut_out(image, method).mask
    except CutoutError:
        return None
