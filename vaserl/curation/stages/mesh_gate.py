"""The mesh gate: the stage that rejects 3D models that are bad or differ from their photograph.

It runs before the turntable video is rendered. Its judging class is in `bodies.mesh_gate`, the measures are in
`vaserl.meshes.gate`.
"""

from vaserl.curation.settings import MeshGateSettings
from vaserl.curation.stage import Column, KeptPhotograph, Measure, Recipe, Stage, StageContext, tell_measures
from vaserl.curation.stages.lift import SILHOUETTE
from vaserl.curation.stamps import file_stamps
from vaserl.meshes import file_of_judge, find_judge

SYMMETRY, OPEN_EDGES = Column(name="symmetry"), Column(name="open_edges")
IS_COMPARED = Column(name="compared")
"""1 if the 3D model's silhouette was compared with the photograph's, 0 if the photograph can't be cut out."""
JUDGE = Column(name="judge")
"""Score that the mesh judge gave the 3D model; NaN if no judge is configured."""


def _recipe(context: StageContext) -> Recipe:
    from vaserl.curation.bodies.mesh_gate import MeshGate

    settings = context.settings.mesh_gate
    judge = file_stamps(file_of_judge(settings.judge) if settings.judge else None)
    return Recipe(make=MeshGate, arguments=(settings, context.settings.dataset), depends={"judge": judge})


def _check(context: StageContext) -> None:
    settings: MeshGateSettings = context.settings.mesh_gate
    if settings.judge:
        find_judge(settings.judge)


def _tell(kept: KeptPhotograph) -> str:
    told = tell_measures(kept)
    if kept.row.scores.get(IS_COMPARED.name) == 0.0:
        told += "; uncompared with its photograph, which can't be cut out, and judged by its shape alone"
    return told


MESH_GATE = Stage(
    name="mesh_gate",
    section="mesh_gate",
    can_be_off=True,
    recipe=_recipe,
    check=_check,
    columns=(SYMMETRY, OPEN_EDGES, SILHOUETTE, IS_COMPARED, JUDGE),
    measures=(
        Measure(name=SILHOUETTE.name, limit="min_iou"),
        Measure(name=SYMMETRY.name, limit="min_symmetry"),
        Measure(name=OPEN_EDGES.name, limit="max_open_edges", is_least=False),
    ),
    hint="mesh_gate.min_iou, .min_symmetry, .max_open_edges and .needs_texture, and at its judge",
    tell=_tell,
)
