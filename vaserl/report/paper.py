"""Figures that VaseVQA-3D (ICLR 2026) reports, printed beside ours."""

from collections.abc import Mapping

PAPER_RETENTION: Mapping[str, tuple[int, int]] = {
    "quality": (30_000, 13_599),
    "intact": (13_599, 6_330),
    "best_view": (6_330, 3_880),
    "lift": (3_880, 664),
}
"""Photographs in and out of the stages that VaseVQA-3D reports; its last one covers the gate and the turntable too."""
