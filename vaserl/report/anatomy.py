"""Draws, to scale, the duration of each phase of a GRPO step and of each timed piece of a phase."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from vaserl.report import drawing
from vaserl.report.drawing import FAINT, GUESS, INK, PERFECT, RL, SFT

COLOURS = {"rollout": SFT, "reward": GUESS, "learn": RL, "publish": PERFECT}
SHADES = (1.0, 0.72, 0.5, 0.34, 0.22)
NARROW_S = 0.025
"""Smallest share of the step's duration at which a phase or piece is labelled in the figure."""


def step_figure(measured: Mapping[str, Any]) -> bytes:
    """Draws a bar for each phase that `launch.bench step` measured, and below it the pieces of that phase.

    Returns: an SVG file.
    """
    phases = {name: seconds["median"] for name, seconds in measured["phases_s"].items()}
    total = sum(phases.values())
    model = measured["model"].removeprefix("shape:").upper()
    with drawing.style():
        figure = Figure(figsize=(8.2, 2.6), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        start = 0.0
        for name, seconds in phases.items():
            axes.barh(1, seconds, left=start, color=COLOURS[name], height=0.62)
            if seconds > NARROW_S * total:
                axes.text(start + seconds / 2, 1, f"{name}\n{seconds:.2f} s", ha="center", va="center", color="white")
            within = start
            for (piece, lasts), shade in zip(_pieces(measured, name, seconds).items(), SHADES * 2, strict=False):
                axes.barh(0.2, lasts, left=within, color=COLOURS[name], alpha=shade, height=0.5)
                if lasts > NARROW_S * total:
                    axes.text(within + lasts / 2, 0.2, f"{piece}\n{lasts:.2f}", ha="center", va="center", color=INK)
                within += lasts
            start += seconds
        axes.set(xlabel="seconds", yticks=(), xlim=(0, total * 1.01), ylim=(-0.15, 1.4))
        axes.grid(axis="y", visible=False)
        axes.set_title(
            f"{model}: {measured['num_tasks']} x {measured['group_size']} answers of {measured['num_new_tokens']} "
            f"tokens, {measured['num_frames']} frames of {measured['size']} px: {total:.1f} s a step"
        )
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="x", colors=FAINT)
        return drawing.svg_file(figure)


def _pieces(measured: Mapping[str, Any], phase: str, seconds: float) -> dict[str, float]:
    """Returns {piece: seconds} for the timed pieces of a phase, longest first; "other" is the phase's untimed rest."""
    known = {name: lasts for name, lasts in measured["pieces_s"].get(phase, {}).items() if name != "total"}
    if not known:
        return {}
    known = dict(sorted(known.items(), key=lambda item: -item[1]))
    return {**known, "other": max(0.0, seconds - sum(known.values()))}
