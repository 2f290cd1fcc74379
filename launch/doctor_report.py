"""What `launch doctor` says about several machines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from launch.doctor_probe import NodeFindings

_MOST_SKEW_S = 2.0
_LEAST_FREE = {"/dev/shm": 2e9}
"""Free bytes below which a folder is a problem, if not the default."""
_LEAST_FREE_ELSEWHERE = 10e9
_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One machine's findings, and what was measured between it and this machine."""

    host: str
    """The machine's name, or its address if it could not be looked at."""
    findings: NodeFindings | None = None
    """None if it could not be looked at."""
    problems: tuple[str, ...] = ()
    """What is wrong with the machine on its own, without a comparison."""
    rate: float = 0.0
    """Bytes per second at which the machine received an object from this one through Ray; 0 if it is this machine."""
    skew_s: float = 0.0
    """Seconds by which its clock differs from this machine's, at least."""


def report(answers: Sequence[Answer]) -> tuple[str, bool]:
    """Returns the text for all machines, and whether none has a problem."""
    everything = [answer.findings for answer in answers if answer.findings]
    lines: list[str] = []
    is_sound = True
    for answer in answers:
        problems = list(answer.problems)
        if answer.findings:
            problems += [*_problems(answer.findings, answer.skew_s), *_differences(answer.findings, everything)]
        is_sound = is_sound and not problems
        lines.append(f"{answer.host}: {_verdict(len(problems))}")
        lines += _found(answer.findings, answer.rate) if answer.findings else []
        lines += [f"  PROBLEM   {problem}" for problem in problems]
    return "\n".join(lines), is_sound


def _verdict(num_problems: int) -> str:
    return f"{num_problems} problem{'s' if num_problems > 1 else ''}" if num_problems else "ok"


def _found(found: NodeFindings, rate: float) -> list[str]:
    free = ", ".join(f"{folder} {size / 1e9:.0f} GB" for folder, size in found.free.items())
    return [
        f"  python    {found.python}; {'all packages as locked' if not found.differing else 'packages differ'}",
        f"  GPUs      {_counted(found.gpus)}",
        f"  renderer  {found.renderer or 'none'}",
        f"  free      {free or 'unknown'}",
        *([f"  network   {rate / 1e9:.2f} GB/s from this node, through Ray"] if rate else []),
        *([f"  model     {found.model[:12]}"] if found.model else []),
        *([f"  rewards   {_short(found.rewards)}"] if found.rewards else []),
    ]


def _problems(found: NodeFindings, skew_s: float) -> list[str]:
    problems = []
    if found.differing:
        more = f" and {len(found.differing) - _SHOWN} more" if len(found.differing) > _SHOWN else ""
        problems.append(f"{'; '.join(found.differing[:_SHOWN])}{more}: run launch/setup.sh there")
    for folder, size in found.free.items():
        least = _LEAST_FREE.get(folder, _LEAST_FREE_ELSEWHERE)
        if size < least:
            problems.append(f"{folder} has {size / 1e9:.1f} GB free, less than {least / 1e9:.0f}")
    if skew_s > _MOST_SKEW_S:
        problems.append(f"the clock is off by {skew_s:.0f} s or more; set it by NTP")
    return problems


def _differences(found: NodeFindings, everything: Sequence[NodeFindings]) -> list[str]:
    """Returns what a machine has otherwise than the first one that has it at all. A machine without GPUs differs in
    nothing from those with GPUs: it may be the head node."""
    words = []
    theirs_of = [(each, _comparable(each)) for each in everything]
    here_of = _comparable(found)
    for what in dict.fromkeys(name for _, theirs in theirs_of for name in theirs):
        first, there = next((each, theirs[what]) for each, theirs in theirs_of if theirs.get(what))
        here = here_of.get(what, "")
        if here != there and (here or what != "GPUs"):
            words.append(f"{what}: {here or 'missing'}, but {there} on {first.host}")
    return words


def _comparable(found: NodeFindings) -> dict[str, str]:
    """Returns what must be the same on all machines, without what was not found."""
    every = {
        "python": found.python,
        "GPUs": _counted(found.gpus) if found.gpus else "",
        "model": found.model[:12],
        **{f"reward {name}": sha[:12] for name, sha in found.rewards.items()},
    }
    return {what: words for what, words in every.items() if words}


def _counted(gpus: Sequence[str]) -> str:
    return "; ".join(f"{gpus.count(kind)} x {kind}" for kind in sorted(set(gpus))) or "none"


def _short(digests: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {sha[:12]}" for name, sha in digests.items())
