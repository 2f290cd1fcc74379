"""3D meshes of vases: generation from photographs, rendering, rejection of bad ones, evaluation.

Import from the modules, because they load trimesh, torch or the renderer: `glb` (load_mesh, write_glb), `turntable`
(TurntableRenderer), `film` (film_fault), `part` (PaintedModel), `gltf`, `gate` (gate, Thresholds), `silhouette`,
`lathe`, `generators`, `compare`.
"""

from vaserl.meshes.mesh_judge import Candidate, Judgement, MeshJudge, file_of_judge, find_judge, load_judge

__all__ = ["Candidate", "Judgement", "MeshJudge", "file_of_judge", "find_judge", "load_judge"]
