"""Draws the report's figures about training and evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from vaserl.report import drawing
from vaserl.report.drawing import GUESS, INK, PERFECT, RL, SFT
from vaserl.report.story import PERFECT_REWARD
from vaserl.report.words import dig
from vaserl.runs.validation_row import ValidationRow, best_validation
from vaserl.types import DIMENSIONS, Dimension


def reward_curve(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """Draws the mean reward of each GRPO step, and the means of the first ten and the last ten steps.

    Two horizontal lines show the rewards of a perfect policy and of the best constant answer (one caption for all
    vases).
    """
    with drawing.style():
        figure, axes = drawing.canvas(width=5.2, height=3.0)
        steps, values = drawing.curve(rows, "reward/mean")
        _, spread = drawing.curve(rows, "reward/std")
        if len(spread) == len(values):
            axes.fill_between(steps, values - spread, values + spread, color=RL, alpha=0.12, linewidth=0)
        axes.plot(steps, values, color=RL, marker="o" if len(steps) <= 60 else None, markersize=3)
        drawing.level(axes, PERFECT_REWARD, f"perfect policy {PERFECT_REWARD}", PERFECT)
        constant = dig(summary, "constant_answer", "reward")
        if constant is not None:
            drawing.level(axes, constant, f"best constant answer {constant:.2f}", GUESS)
        for name, members in (("reward_first", steps[:10]), ("reward_last", steps[-10:])):
            if summary.get(name) is not None and len(steps) <= drawing.MAX_POINTS:
                axes.hlines(summary[name], members[0], members[-1], color=INK, linewidth=2.6)
                axes.annotate(
                    f"{summary[name]:.3f}",
                    (float(np.mean(members)), summary[name]),
                    xytext=(0, 7),
                    textcoords="offset points",
                    ha="center",
                    fontweight="bold",
                )
        axes.set(xlabel="GRPO step", ylabel="reward", ylim=(min(0.0, float(values.min())), PERFECT_REWARD * 1.13))
        return drawing.svg(figure)


def validation_curve(
    validations: Sequence[ValidationRow], metric: str, rows: Sequence[Mapping[str, Any]]
) -> str | None:
    """Draws the validation metric with its 95 % interval, and marks the best validated weights.

    If the metric is the reward, the mean reward of the GRPO steps, the mean of `rows`, is drawn for comparison. Returns
    None if no validation has the metric.
    """
    best = best_validation(validations, metric)
    if best is None:
        return None
    known = [row for row in validations if metric in row.means()]
    intervals = [row.measured(metric) for row in known]
    steps = [row.step for row in known]
    means = [interval["mean"] for interval in intervals]
    with drawing.style():
        figure, axes = drawing.canvas(width=5.2, height=3.0)
        if metric == "reward":
            axes.plot(*drawing.curve(rows, "reward/mean"), color=RL, linewidth=1.2, alpha=0.75)
        lows, highs = ([interval[bound] for interval in intervals] for bound in ("low", "high"))
        axes.fill_between(steps, lows, highs, color=INK, alpha=0.12, linewidth=0)
        axes.plot(steps, means, color=INK, marker="o", markersize=4)
        value = best.means()[metric]
        ring: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "linestyle": ""}
        ring |= {"markeredgecolor": PERFECT, "markeredgewidth": 2}
        axes.plot(best.step, value, **ring)
        keys = [Line2D([], [], color=INK, marker="o", markersize=4, label="validation, greedy")]
        if metric == "reward":
            keys.append(Line2D([], [], color=RL, linewidth=1.2, label="training, sampled"))
        keys.append(Line2D([], [], **ring, label=f"best: {value:.3f}, step {best.step}"))
        figure.legend(handles=keys, loc="outside upper left", ncols=3, columnspacing=1.2, handletextpad=0.5)
        axes.set(xlabel="GRPO step", ylabel=metric, xlim=(-0.02 * steps[-1], 1.02 * steps[-1]))
        return drawing.svg(figure)


def dimension_curves(rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> dict[Dimension, str]:
    """Draws a small figure of the reward of each dimension (such as shape or date); all have the same axis limits.

    Dimensions without a metric are left out.
    """
    figures: dict[Dimension, str] = {}
    with drawing.style():
        for dimension in DIMENSIONS:
            steps, values = drawing.curve(rows, f"reward/{dimension}")
            if not len(steps):
                continue
            figure, axes = drawing.canvas(width=2.6, height=1.9)
            axes.plot(steps, values, color=RL)
            axes.axhline(1.0, color=PERFECT, linewidth=1, linestyle=(0, (4, 3)))
            constant = dig(summary, "constant_answer", dimension)
            if constant is not None:
                axes.axhline(constant, color=GUESS, linewidth=1, linestyle=(0, (1, 2)))
            axes.set(title=dimension, ylim=(-0.02, 1.06), yticks=(0, 0.5, 1), xlim=(0, rows[-1]["step"] * 1.02))
            axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10], integer=True))
            figures[dimension] = drawing.svg(figure)
    return figures


def supervised_loss(rows: Sequence[Mapping[str, Any]]) -> str:
    """Draws the loss of supervised fine-tuning on a logarithmic axis, since it falls by orders of magnitude."""
    with drawing.style():
        figure, axes = drawing.canvas(width=5.2, height=2.2)
        steps, values = drawing.curve(rows, "loss")
        axes.plot(steps, values, color=SFT)
        if len(values) and values.min() > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
        axes.set(xlabel="SFT step", ylabel="loss per token")
        return drawing.svg(figure)


HEALTH = {
    "kl": ("KL to the SFT policy", "nats per token"),
    "entropy": ("entropy", "nats per token"),
    "length/mean": ("answer length", "tokens"),
    "grad_norm": ("gradient norm", ""),
    "zero_variance_share": ("groups with equal rewards", "share"),
    "truncated_share": ("answers cut off", "share"),
    "logprob_gap": ("learner against engine", "mean |Δ logprob|"),
}
"""Title and unit of each metric that can show that a training run went wrong."""


def health_curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Draws a small figure for each metric of `HEALTH` that the run recorded."""
    figures = {}
    with drawing.style():
        for name, (title, unit) in HEALTH.items():
            steps, values = drawing.curve(rows, name)
            if not len(steps):
                continue
            figure, axes = drawing.canvas(width=2.6, height=1.9)
            axes.plot(steps, values, color=INK, linewidth=1.4)
            if unit == "share":
                axes.set_ylim(-0.02, 1.02)
            elif values.min() >= 0:
                axes.set_ylim(0, max(float(values.max()) * 1.1, 1e-9))
            axes.set(title=title, ylabel=unit, xlim=(0, rows[-1]["step"] * 1.02))
            axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
            axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10], integer=True))
            figures[name] = drawing.svg(figure)
    return figures


def accuracy_dots(evaluation: Mapping[str, Any]) -> str:
    """Draws the accuracy of SFT and RL with its confidence interval, for each dimension (such as shape or date).

    Two baselines that don't look at the picture are drawn for comparison.
    """
    with drawing.style():
        figure, axes = drawing.canvas(width=5.2, height=3.6)
        for row, dimension in enumerate(DIMENSIONS):
            for name, marker in (("majority", "|"), ("guess_from_others", "D")):
                measured = dig(evaluation, "baselines", dimension, name)
                if measured is not None:
                    face = "none" if marker == "D" else GUESS
                    axes.plot(measured["mean"], row, marker, color=GUESS, markerfacecolor=face, markersize=7, zorder=3)
            for system, colour, marker, offset in (("sft", SFT, "s", -0.17), ("rl", RL, "o", 0.17)):
                measured = dig(evaluation, "systems", system, "dimensions", dimension, "accuracy")
                if measured is None:
                    continue
                axes.plot([measured["low"], measured["high"]], [row + offset] * 2, color=colour, linewidth=2)
                axes.plot(measured["mean"], row + offset, marker, color=colour, markersize=6)
        axes.set(yticks=range(len(DIMENSIONS)), xlim=(-0.02, 1.02), ylim=(len(DIMENSIONS) - 0.5, -0.5))
        axes.set_yticklabels(DIMENSIONS)
        axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "25", "50", "75", "100 %"))
        axes.grid(axis="y", visible=False)
        keys = [
            Line2D([], [], color=SFT, marker="s", label="SFT"),
            Line2D([], [], color=RL, marker="o", label="RL"),
            Line2D([], [], color=GUESS, marker="D", markerfacecolor="none", linestyle="", label="guess from others"),
            Line2D([], [], color=GUESS, marker="|", markersize=9, linestyle="", label="majority"),
        ]
        figure.legend(handles=keys, loc="outside upper left", ncols=4, columnspacing=1.2, handletextpad=0.4)
        return drawing.svg(figure)
