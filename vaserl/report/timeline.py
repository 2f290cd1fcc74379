"""Computes and draws how many seconds of a GRPO step each phase takes, from the time spans of the phases."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.patches import Patch

from vaserl.report import drawing
from vaserl.report.drawing import FAINT
from vaserl.runs.rows import TimelineSpan

PHASE_COLOURS = ("#0072b2", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442", "#8b857c")


def covered_seconds(spans: Iterable[TimelineSpan]) -> float:
    """Returns the length of the union of the time spans in seconds: time in which spans overlap counts once."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted((span.start_s, span.end_s) for span in spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def phases_of(spans: Sequence[TimelineSpan]) -> list[str]:
    """Returns the names of the phases, in the order in which they start within a step."""
    begins: dict[int, float] = {}
    for span in spans:
        begins[span.step] = min(span.start_s, begins.get(span.step, span.start_s))
    first: dict[str, float] = {}
    for span in spans:
        offset = span.start_s - begins[span.step]
        first[span.phase] = min(offset, first.get(span.phase, offset))
    return sorted(first, key=lambda phase: (first[phase], phase))


def seconds_by_phase(spans: Sequence[TimelineSpan]) -> dict[str, dict[int, float]]:
    """Returns the duration of each phase in each step: {phase: {step: seconds}}."""
    by_phase: dict[str, dict[int, list[TimelineSpan]]] = {phase: {} for phase in phases_of(spans)}
    for span in spans:
        by_phase[span.phase].setdefault(span.step, []).append(span)
    return {
        phase: {step: covered_seconds(of_step) for step, of_step in sorted(steps.items())}
        for phase, steps in by_phase.items()
    }


def middle_steps(spans: Sequence[TimelineSpan], num_steps: int) -> list[TimelineSpan]:
    """Returns the time spans of `num_steps` consecutive steps from the middle of the run, when warm-up is over."""
    steps = sorted({span.step for span in spans})
    start = max(0, (len(steps) - num_steps) // 2)
    chosen = set(steps[start : start + num_steps])
    return [span for span in spans if span.step in chosen]


def step_gantt(spans: Sequence[TimelineSpan]) -> str:
    """Draws a Gantt chart of a few steps: a row for each worker, or for each phase if there is only one worker."""
    phases = phases_of(spans)
    workers = list(dict.fromkeys(span.worker for span in sorted(spans, key=lambda span: span.start_s)))
    by_worker = len(workers) > 1
    lanes = workers if by_worker else phases
    zero = min(span.start_s for span in spans)
    with drawing.style():
        figure, axes = drawing.canvas(width=5.2, height=0.9 + 0.34 * len(lanes))
        for span in spans:
            axes.barh(
                lanes.index(span.worker if by_worker else span.phase),
                span.end_s - span.start_s,
                left=span.start_s - zero,
                height=0.62,
                color=_phase_colour(phases, span.phase),
                edgecolor="white",
                linewidth=0.5,
            )
        for step in sorted({span.step for span in spans}):
            start = min(span.start_s for span in spans if span.step == step) - zero
            axes.axvline(start, color=FAINT, linewidth=0.8)
            axes.annotate(
                f"step {step}", (start, -0.62), xytext=(3, 0), textcoords="offset points", va="bottom", fontsize=9
            )
        axes.set(yticks=range(len(lanes)), xlabel="seconds", ylim=(len(lanes) - 0.5, -1.1))
        axes.set_yticklabels([lane if len(lane) <= 18 else lane[:17] + "…" for lane in lanes])
        axes.grid(axis="y", visible=False)
        if by_worker:
            keys = [Patch(color=_phase_colour(phases, phase), label=phase) for phase in phases]
            figure.legend(handles=keys, loc="outside upper left", ncols=5, columnspacing=1.2, handlelength=1)
        return drawing.svg(figure)


def seconds_per_step(spans: Sequence[TimelineSpan]) -> str:
    """Draws a stacked bar for each step with the seconds of each phase; the legend shows the mean of each phase."""
    by_phase = seconds_by_phase(spans)
    steps = sorted({span.step for span in spans})
    width = -(-len(steps) // drawing.MAX_POINTS)
    with drawing.style():
        figure, axes = drawing.canvas(width=5.2, height=2.8)
        floor = np.zeros(-(-len(steps) // width))
        for phase, seconds in by_phase.items():
            heights = drawing.binned(np.array([seconds.get(step, 0.0) for step in steps]), width)
            mean = sum(seconds.values()) / len(steps)
            colour = _phase_colour(list(by_phase), phase)
            axes.bar(
                steps[::width], heights, width=width * 0.85, bottom=floor, color=colour, label=f"{phase} {mean:.2f} s"
            )
            floor += heights
        axes.set(xlabel="GRPO step", ylabel="seconds")
        axes.grid(axis="x", visible=False)
        figure.legend(loc="outside upper left", ncols=4, columnspacing=1.2, handlelength=1)
        return drawing.svg(figure)


def _phase_colour(phases: list[str], phase: str) -> str:
    return PHASE_COLOURS[phases.index(phase) % len(PHASE_COLOURS)]
