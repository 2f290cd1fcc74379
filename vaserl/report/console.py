"""Summarises the result of a quick start as lines for the terminal."""

from collections.abc import Mapping
from typing import Any

from vaserl.report.story import PERFECT_REWARD, dimension_story, gap_share, headline
from vaserl.report.tables import COMPARED_KEYS
from vaserl.report.words import count, difference, dig, duration, enumeration, number, percent
from vaserl.types import DIMENSIONS


def console_summary(summary: Mapping[str, Any]) -> str:
    """Returns ten lines of text: photographs kept, rewards, accuracies, duration and verdict of a quick start.

    summary: content of summary.json.
    """
    lines = [
        ("photographs", _retention(summary)),
        ("training reward", _training(summary)),
        ("held-out reward", _metric(summary, "reward")),
        ("lexical similarity", _metric(summary, "lexical_paper")),
        *_dimensions(summary),
        ("time", _time(summary)),
        ("verdict", headline(summary)),
    ]
    return "\n".join(f"{name:<20}{text}" for name, text in lines)


def _retention(summary: Mapping[str, Any]) -> str:
    stages = summary.get("retention") or []
    if not stages:
        return "no retention table in this run"
    rejecting = [stage for stage in stages if stage["out"] < stage["in"]]
    counts = [count(stages[0]["in"]), *(count(stage["out"]) for stage in rejecting)]
    names = ", ".join(str(stage["stage"]).replace("_", " ") for stage in rejecting)
    return " → ".join(counts) + f" ({names or 'nothing rejected'})"


def _training(summary: Mapping[str, Any]) -> str:
    share = gap_share(summary)
    if share is None:
        return "no GRPO rewards in this run"
    first, last = number(summary["reward_first"]), number(summary["reward_last"])
    steps = count(summary["num_steps"])
    return f"{first} → {last} over {steps} steps, {percent(share)} of the gap to a perfect {PERFECT_REWARD}"


def _metric(summary: Mapping[str, Any], name: str) -> str:
    sft, rl, change = (dig(summary, "eval", *part, name) for part in COMPARED_KEYS)
    if sft is None or rl is None or change is None:
        return "not evaluated"
    vases = count(summary["eval"]["num_vases"])
    return f"SFT {number(sft['mean'])}, RL {number(rl['mean'])}: {difference(change)} over {vases} vases"


def _dimensions(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    evaluation = summary.get("eval") or {}
    names = ("accuracy SFT → RL", "SFT reads", "SFT guesses", "RL raised")
    if not all("dimensions" in (dig(evaluation, *part) or {}) for part in COMPARED_KEYS):
        return [(name, "not evaluated") for name in names]
    stories = [dimension_story(dimension, evaluation) for dimension in DIMENSIONS]
    accuracies = []
    for dimension in DIMENSIONS:
        sft, rl = (dig(evaluation, *part, "dimensions", dimension, "accuracy", "mean") for part in COMPARED_KEYS[:2])
        if sft is not None and rl is not None:
            accuracies.append(f"{dimension} {100 * sft:.0f} → {100 * rl:.0f} %")
    read = [story.dimension for story in stories if story.sft_reading == "read"]
    guessed = [story.dimension for story in stories if story.sft_reading in ("guessed", "below guess")]
    raised = [story.dimension for story in stories if story.rl_gain > 0]
    lists = [enumeration(list(found)) or "no dimension" for found in (read, guessed, raised)]
    return list(zip(names, [", ".join(accuracies), *lists], strict=True))


def _time(summary: Mapping[str, Any]) -> str:
    total = summary.get("seconds_total")
    stages = [f"{stage.replace('_', ' ')} {duration(taken)}" for stage, taken in (summary.get("seconds") or {}).items()]
    return (duration(total) if total is not None else "not measured") + (f" ({', '.join(stages)})" if stages else "")
