"""Draws the figures of the studies as SVG files with a white background. The report doesn't contain these figures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vaserl.report import drawing
from vaserl.report.drawing import FAINT, GUESS, INK, PERFECT, RL, SFT
from vaserl.report.story import PERFECT_REWARD
from vaserl.types import DIMENSIONS

SMOOTHING_STEPS = 5


def constant_answer_figure(found: Mapping[str, Any]) -> bytes:
    """Draws the policy's reward at each GRPO step, and the reward of one constant caption on the same tasks.

    A second panel shows the share of samples that equal the constant caption. Returns: an SVG file.
    """
    steps = found["steps"]
    with drawing.style():
        figure = Figure(figsize=(6.4, 4.6), layout="constrained", facecolor="white")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        x, rewards = drawing.curve(steps, "reward/mean")
        _, constant = drawing.curve(steps, "constant")
        _, share = drawing.curve(steps, "share_constant")
        above.plot(x, rewards, color=RL, label="policy")
        above.plot(x, constant, color=GUESS, linestyle=(0, (4, 3)), label="constant answer, same tasks")
        above.axhline(PERFECT_REWARD, color=PERFECT, linewidth=1, linestyle=(0, (1, 2)))
        above.annotate(
            "perfect policy", (x[0], PERFECT_REWARD), xytext=(0, 3), textcoords="offset points", color=PERFECT
        )
        above.set(
            ylabel="reward", ylim=(0, PERFECT_REWARD * 1.1), title="GRPO from a policy that gives one answer to all"
        )
        above.legend(loc="lower right")
        below.plot(x, share, color=SFT)
        below.set(xlabel="GRPO step", ylabel="share of samples", ylim=(-0.03, 1.03))
        below.set_title("samples that are that answer, word for word")
        return drawing.svg_file(figure)


def per_dimension_figure(found: Mapping[str, Any]) -> bytes:
    """Draws a panel for each dimension (such as shape or date), with its reward at each GRPO step, raw and smoothed.

    Bars show the means of the first and last ten steps; dots show held-out results before and after training.
    Returns: an SVG file.
    """
    steps = found["steps"]
    lowest = min(step[f"reward/{dimension}"] for step in steps for dimension in DIMENSIONS)
    bounds = (min(0.0, lowest) - 0.02, 1.05)  # where wrong values cost, means may be below 0
    with drawing.style():
        figure = Figure(figsize=(7.4, 4.6), layout="constrained", facecolor="white")
        panels = figure.subplots(2, 3, sharex=True, sharey=True)
        for axes, dimension in zip(panels.flat, DIMENSIONS, strict=True):
            x, values = drawing.curve(steps, f"reward/{dimension}")
            window = found["windows"][dimension]
            axes.plot(x, values, color=FAINT, linewidth=0.8)
            axes.plot(x, _smooth(values), color=RL)
            axes.hlines(window["first"], x[0], x[min(9, len(x) - 1)], color=INK, linewidth=2.4)
            axes.hlines(window["last"], x[max(0, len(x) - 10)], x[-1], color=INK, linewidth=2.4)
            held_out = found["held_out"]["dimensions"][dimension]
            axes.plot([x[0] - 1.5], [held_out["before"]], marker="o", color=SFT, clip_on=False)
            axes.plot([x[-1] + 1.5], [held_out["after"]], marker="o", color=PERFECT, clip_on=False)
            axes.set(ylim=bounds, title=f"{dimension}  {window['first']:.2f} → {window['last']:.2f}")
        for axes in panels[1]:
            axes.set_xlabel("GRPO step")
        for axes in panels[:, 0]:
            axes.set_ylabel("reward")
        figure.suptitle(
            "Advantages by dimension: training samples (lines; bars: first and last ten steps), "
            "held-out greedy before and after (dots)",
            fontsize=9.5,
        )
        return drawing.svg_file(figure)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Returns the moving average over `SMOOTHING_STEPS` values; the window is shorter at both ends."""
    half = SMOOTHING_STEPS // 2
    return np.array([values[max(0, at - half) : at + half + 1].mean() for at in range(len(values))])
