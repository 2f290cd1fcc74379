"""Results of the VaseVQA-3D paper (ICLR 2026), which the report prints beside the results of the run."""

from collections.abc import Mapping

PAPER_RETENTION: Mapping[str, tuple[int, int]] = {
    "quality": (30_000, 13_599),
    "intact": (13_599, 6_330),
    "best_view": (6_330, 3_880),
    "lift": (3_880, 664),
}
"""Number of photographs before and after each stage of VaseVQA-3D's curation.

The paper's stage "lift" includes vaserl's stages "mesh_gate" and "turntable".
"""
