"""The mesh gate: the stage that rejects 3D models that are bad or differ from their photograph.

It runs before the turntable video is rendered. Its judging class is in `bodies.mesh_gate`, the measures are in
`vaserl.meshes.gate`.
"""

from vaserl.curation.settings import MeshGateSettings
from vaserl.curation.stage import Column, Measure, Recipe, Stage, StageContext
from vaserl.curation.stages.lift import SILHOUETTE
from vaserl.curation.stamps import file_stamps
from vaserl.meshes import file_of_judge, find_judge

SYMMETRY, OPEN_EDGES = Column(name="symmetry"), Column(name="open_edges")
JUDGE = Column(name="judge")
"""Score that the mesh judge gave the 3D model; NaN if no judge is configured."""


def _recipe(context: StageContext) -> Recipe:
    from vaserl.curation.bodies.mesh_gate import MeshGate
    from vaserl.meshes.cutout.method import files_of_method  # imports scipy

    settings = context.settings.mesh_gate
    judge = file_stamps(file_of_judge(settings.judge) if settings.judge else None)
    cutout = context.settings.lift.arguments.cutout
    weights = [file_stamps(path) for path in files_of_method(cutout)]
    return Recipe(
        make=MeshGate,
        arguments=(settings, context.settings.dataset, cutout),
        depends={"judge": judge} | ({"cutout": weights} if weights else {}),
    )


def _check(context: StageContext) -> None:
    settings: MeshGateSettings = context.settings.mesh_gate
    if settings.judge:
        find_judge(settings.judge)


MESH_GATE = Stage(
    name="mesh_gate",
    section="mesh_gate",
    can_be_off=True,
    recipe=_recipe,
    check=_check,
    columns=(SYMMETRY, OPEN_EDGES, SILHOUETTE, JUDGE),
    measures=(
        Measure(name=SILHOUETTE.name, limit="min_iou"),
        Measure(name=SYMMETRY.name, limit="min_symmetry"),
        Measure(name=OPEN_EDGES.name, limit="max_open_edges", is_least=False),
    ),
    hint="mesh_gate.min_iou, .min_symmetry, .max_open_edges and .needs_texture, and at its judge",
)
