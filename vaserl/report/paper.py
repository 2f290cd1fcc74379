"""Numbers that VaseVQA-3D (ICLR 2026) reports, printed beside ours."""

from collections.abc import Mapping

PAPER_RETENTION: Mapping[str, tuple[int, int]] = {
    "quality": (30_000, 13_599),
    "intact": (13_599, 6_330),
    "best_view": (6_330, 3_880),
    "lift": (3_880, 664),
}
"""Photographs into and out of each stage of VaseVQA-3D's curation; its "lift" includes our gate and turntable."""
