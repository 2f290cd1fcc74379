"""vaserl rescore RUN: scores the stored completions of a GRPO run with another reward function."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaserl.runs.rescore import Rescored

_WIDTH = 100
"""Maximum number of characters printed of a completion; a longer completion is cut off."""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `rescore` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser(
        "rescore",
        help="score the stored completions of a run with another reward",
        description="Scores every stored completion of a run again and prints the rank correlation with the old "
        "reward, the share of advantages that change sign, and the completions whose advantage changes most. Needs "
        "neither model nor GPU.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a GRPO run")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--reward", metavar="NAME", help="package.module:function or path/to/file.py:function")
    which.add_argument(
        "--config",
        type=Path,
        metavar="REWARD.toml",
        help="file with a [reward] table or with constants of the vase reward",
    )
    parser.add_argument("--biggest", type=int, default=20, help="number of completions to show (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> None:
    """Scores a GRPO run's stored completions with another reward function, and prints a comparison of these rewards
    with the rewards that the run used.

    Raises: UserError when the run or the other reward function can't be used.
    """
    from vaserl.rewards import load_scorer, make_scorer
    from vaserl.rewards.vase.reward_file import read_reward
    from vaserl.runs.rescore import rescore
    from vaserl.runs.run import Run

    scorer = load_scorer([arguments.reward]) if arguments.reward else make_scorer(read_reward(arguments.config))
    result = rescore(Run.open(arguments.run), scorer, num_biggest=arguments.biggest)
    print(json.dumps(asdict(result), ensure_ascii=False) if arguments.json else rescore_table(result))


def rescore_table(result: "Rescored") -> str:
    """Returns a text that compares the rewards that a run used with those of another reward function: means, rank
    correlation, changes of advantages, and the completions whose advantage changes most."""
    other = "another reward"
    rows = [
        f"{result.num_completions} completions in {result.num_groups} groups",
        f"version                   {result.old_version or other} -> {result.new_version or other}",
        f"mean reward               {result.old_mean:.3f} -> {result.new_mean:.3f}",
        f"rank correlation          {_number(result.rank_correlation)} over all, "
        f"{_number(result.rank_correlation_in_group)} within groups",
        f"advantages                {result.sign_changes:.1%} change sign, {result.lost:.1%} become 0, "
        f"{result.gained:.1%} are no longer 0",
        "",
        f"{'step':>5} {'task':24} {'':>3} {'reward':>16} {'advantage':>16}  completion",
    ]
    for change in result.biggest:
        text = " ".join(change.text.split())
        rows.append(
            f"{change.step:5d} {change.task:24} {change.member:3d} "
            f"{change.old_reward:6.3f} -> {change.new_reward:6.3f} "
            f"{change.old_advantage:6.2f} -> {change.new_advantage:6.2f}  "
            f"{text if len(text) <= _WIDTH else text[: _WIDTH - 1] + '…'}"
        )
    return "\n".join(rows)


def _number(value: float | None) -> str:
    return "none (one reward does not vary)" if value is None else f"{value:.3f}"
