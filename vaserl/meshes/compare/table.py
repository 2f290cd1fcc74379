"""Formats the result of VaseEval as a table: one row for each generator, and one row with published values."""

from collections.abc import Mapping
from typing import Any

from vaserl.meshes.compare.evaluate import METRICS, PAPER

HEADINGS = {
    "psnr": ("PSNR, dB ↑", 2),
    "ssim": ("SSIM ↑", 4),
    "lpips": ("LPIPS ↓", 4),
    "clip_image": ("CLIP image ↑", 4),
    "clip_text": ("CLIP text ↑", 4),
    "chamfer": ("Chamfer, heights ↓", 4),
    "normal_consistency": ("normal consistency ↑", 4),
}
"""Column heading and number of decimals of each metric."""


_LEFT_OUT = {
    "without_true": "generated meshes without a true mesh, not compared",
    "without_generated": "true meshes without a generated mesh, failed",
    "other_files": "files that are no GLBs, not read",
}


def comparison_table(result: Mapping[str, Any]) -> str:
    """Returns a Markdown table of the metrics' means with 95 % intervals; a metric without values has no column.

    Below the table, failed pairs and files without a partner are named.
    """
    names = [name for name in METRICS if any(name in found["metrics"] for found in result.values())]
    lines = [
        "| generator | pairs | failed | " + " | ".join(HEADINGS[name][0] for name in names) + " |",
        "|---" * (3 + len(names)) + "|",
    ]
    for generator, found in result.items():
        cells = [_cell(found["metrics"].get(name, {}), HEADINGS[name][1]) for name in names]
        lines.append(f"| {generator} | {found['num_pairs']} | {found['num_failed']} | {' | '.join(cells)} |")
    for generator, reported in PAPER.items():
        cells = [f"{reported[name]:.{HEADINGS[name][1]}f}" if name in reported else "" for name in names]
        lines.append(f"| {generator}, as VaseVQA-3D reports it | 24 |  | {' | '.join(cells)} |")
    lines += [
        "",
        "The last row is context only: it was measured on other vases, with unpublished cameras, alignment and Chamfer "
        "distance.",
        "Failed pairs have no scores; the means are over the other pairs.",
    ]
    for generator, found in result.items():
        lines += [f"* {generator} {id_}: {reason}" for id_, reason in found["failures"].items()]
        for key, what in _LEFT_OUT.items():
            if names := found.get(key, ()):
                lines.append(f"* {generator}, {len(names)} {what}: {', '.join(names)}")
    return "\n".join(lines) + "\n"


def _cell(metric: Mapping[str, float], digits: int) -> str:
    if "mean" not in metric:
        return "equal" if metric.get("num_equal") else ""
    mean, low, high = (f"{metric[name]:.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]" + (f", {metric['num_equal']} equal" if metric["num_equal"] else "")
