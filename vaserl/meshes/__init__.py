"""Meshes: image-to-3D generators, rendering, the mesh gate, the interface of a mesh judge, comparison with true meshes.

What loads trimesh, torch or the renderer is imported from its module: `glb` (load_mesh, write_glb), `turntable`
(TurntableRenderer), `gate` (gate, Thresholds), `silhouette`, `lathe`, `generators`, `compare`.
"""

from vaserl.meshes.judge import Candidate, Judgement, MeshJudge, file_of_judge, find_judge, load_judge

__all__ = ["Candidate", "Judgement", "MeshJudge", "file_of_judge", "find_judge", "load_judge"]
