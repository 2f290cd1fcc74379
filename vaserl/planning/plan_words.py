"""A plan as text on one screen, and as a JSON object."""

from collections.abc import Sequence
from typing import Any

from vaserl.planning.hardware import GIB
from vaserl.planning.job_plan import JobPlan
from vaserl.planning.learner_cost import total
from vaserl.planning.remedies import PlannedJob, Remedy
from vaserl.planning.requests import COUNT_KEYS, role_requests
from vaserl.planning.seat_table import seat_table

_MOST_KNOBS = 6


def plan_words(job: PlannedJob, plan: JobPlan, problems: Sequence[str], remedies: Sequence[Remedy]) -> str:
    """Returns the plan as text. problems: what does not fit. remedies: changes with which it fits, the fastest
    first."""
    load, group = plan.load, plan.load.group
    lines = [
        "PREDICTION, not a measurement (docs/planning.md: errors up to 15 % of a step and of the memory)",
        f"{load.num_steps} steps of {load.num_groups} groups: {group.num_prompt} prompt tokens ({group.num_clip} of "
        f"the clip), {len(group.branches)} branches with {group.num_answer} tokens in all",
        "",
        seat_table(plan.seating, job.cluster.nodes),
        "",
    ]
    for gpu in plan.gpus:
        parts = ", ".join(f"{name} {size / GIB:.1f}" for name, size in gpu.bytes.items() if size > 0.05 * GIB)
        share = total(gpu.bytes) / plan.memory
        lines.append(f"memory  {total(gpu.bytes) / GIB:6.1f} GiB ({share:.0%}) on {gpu.num_gpus} GPU: {gpu.actors}")
        lines.append(f"        {parts}")
    for name, parts in plan.phases.items():
        of = ", ".join(f"{part} {_seconds(seconds)}" for part, seconds in parts.items()) if len(parts) > 1 else ""
        lines.append(f"{name:8}{total(parts):6.1f} s  {of}")
    lines.append(f"step    {plan.step_s:6.1f} s  {_step_note(job, plan)}")
    lines.append(f"run     {plan.run_s / 3600:6.1f} h  with 2.5 min to start; without validation and evaluation")
    lines.append("disk    " + ", ".join(f"{name} {_bytes(size)}" for name, size in plan.disk.items()))
    if plan.publish_bytes:
        lines.append(f"network {_bytes(plan.publish_bytes)} at each publication")
    if plan.cache_share < 1:
        lines.append(f"note    the engine's cache holds {plan.cache_share:.0%} of its tokens of a step; the rest waits")
    lines += [f"note    {words}" for words in _idle_notes(job, plan)]
    if problems:
        lines += ["", *[f"WARNING {problem}" for problem in problems]]
        lines += [f"  fits with {change.words}: a step of {change.plan.step_s:.1f} s" for change in remedies[:3]]
    else:
        lines += ["", f"{'what a setting would change':74} step, s  GiB of the fullest GPU"]
        lines += [_knob(change) for change in job.knobs()[:_MOST_KNOBS]]
    return "\n".join(lines)


def plan_json(plan: JobPlan, problems: Sequence[str], remedies: Sequence[Remedy]) -> dict[str, Any]:
    """Returns the plan as a JSON object, with sizes in bytes and durations in seconds."""
    group = plan.load.group
    return {
        "is_prediction": True,
        "num_steps": plan.load.num_steps,
        "num_groups": plan.load.num_groups,
        "num_prompt_tokens": group.num_prompt,
        "num_clip_tokens": group.num_clip,
        "num_answer_tokens": group.num_answer,
        "gpus": [{"actors": gpu.actors, "num_gpus": gpu.num_gpus, "bytes": dict(gpu.bytes)} for gpu in plan.gpus],
        "gpu_memory_bytes": plan.memory,
        "phases_s": {name: dict(parts) for name, parts in plan.phases.items()},
        "step_s": plan.step_s,
        "encode_s": plan.encode_s,
        "first_s": plan.first_s,
        "run_s": plan.run_s,
        "disk_bytes": dict(plan.disk),
        "publish_bytes": plan.publish_bytes,
        "cache_share": plan.cache_share,
        "problems": list(problems),
        "remedies": [{"change": change.words, "step_s": change.plan.step_s} for change in remedies],
    }


def _idle_notes(job: PlannedJob, plan: JobPlan) -> list[str]:
    """Returns which actors no group of a step is left for."""
    counts = {role: request.num_actors for role, request in role_requests(job.settings).items()}
    groups = plan.load.num_groups
    return [
        f"{COUNT_KEYS[role]} = {counts[role]}, but a step has {groups} groups: {counts[role] - groups} have "
        "nothing to do"
        for role in ("rollout", "learner")
        if counts.get(role, 0) > groups
    ]


def _step_note(job: PlannedJob, plan: JobPlan) -> str:
    if plan.first_s > plan.step_s:
        return f"{plan.first_s:.1f} s while the encoders see a clip for the first time"
    return ""


def _knob(change: Remedy) -> str:
    note = "" if change.fits else "   does not fit"
    return f"  {change.words:74} {change.plan.step_s:6.1f} {change.plan.fullest / GIB:7.1f}{note}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"


def _bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
