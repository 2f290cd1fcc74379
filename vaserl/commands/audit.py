"""vaserl audit: computes, before training, the reward of captions that ignore the picture."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `audit` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser(
        "audit",
        help="compute the reward of captions that ignore the picture",
        description="Scores one constant caption of the commonest values, shuffled reference captions and every known "
        "attack on the reward against the targets, and prints for each dimension its entropy and what a guess earns. "
        "A policy could earn these rewards without using the picture.",
    )
    parser.add_argument(
        "--targets",
        type=Path,
        required=True,
        metavar="T.jsonl|DATASET",
        help='JSON lines {"id", "record"} or {"id", "caption"}, or the folder of a data set',
    )
    parser.add_argument("--split", default="train", help="split of the data set (%(default)s)")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="REWARD.toml",
        help="file with a [reward] table or with constants of the vase reward",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed for shuffling captions and drawing attacked targets (%(default)s)"
    )
    parser.add_argument(
        "--max-attacked", type=int, default=500, help="number of targets that the attacks are tried on (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints the rewards of reference captions, of one constant caption, of other vases' captions and of adversarial
    captions (attacks). Also prints the entropy of each dimension (property of a vase) over the target records.

    Raises: UserError when the file or data set of targets can't be used.
    """
    from vaserl.errors import UserError
    from vaserl.evaluation.audit import audit
    from vaserl.evaluation.predictions import read_targets, refuse_lines
    from vaserl.rewards import make_scorer
    from vaserl.rewards.vase.reward_file import read_reward

    if arguments.targets.is_dir():
        from vaserl.dataset import DataSet

        tasks = [vase.caption_task() for vase in DataSet(arguments.targets).vases(arguments.split)]
    else:
        targets, problems = read_targets(arguments.targets)
        refuse_lines(problems)
        tasks = [target.task() for target in targets.values()]
    if len(tasks) < 2 or arguments.max_attacked < 1:
        raise UserError(
            f"an audit of {arguments.targets} needs at least two targets, and --max-attacked must be at least 1"
        )
    scorer = make_scorer(read_reward(arguments.config))
    scorer.prepare([task.record for task in tasks])
    result = asdict(audit(tasks, scorer, seed=arguments.seed, max_attacked=arguments.max_attacked))
    print(json.dumps(result, ensure_ascii=False) if arguments.json else audit_table(result))


def audit_table(result: dict[str, Any]) -> str:
    """Returns three tables as text. The first has the rewards of each kind of caption (reference, constant, shuffled,
    attacks). The second has, for each dimension (property of a vase), the number of its values and their entropy. The
    third has what a right value, a wrong one and guesses earn there."""
    rows = [f"{'caption':30} {'targets':>7} {'mean':>7} {'highest':>8} {'0.05 below reference on':>24}"]
    captions = {
        "the reference": result["honest"],
        "the constant answer": result["constant"],
        "another vase's reference": result["shuffled"],
        **result["attacks"],
    }
    for name, earned in captions.items():
        rows.append(
            f"{name:30} {earned['num_targets']:7d} {earned['mean']:7.3f} {earned['highest']:8.3f} "
            f"{earned['share_below']:24.1%}"
        )
    rows += [
        f"{result['num_targets']} targets, attacks on {result['num_attacked']}",
        f"constant answer: {result['constant_caption']}",
        "",
        f"{'dimension':30} {'targets':>7} {'values':>8} {'entropy':>10} {'commonest':>10}",
    ]
    for name, spread in result["spread"].items():
        rows.append(
            f"{name:30} {spread['num_targets']:7d} {spread['num_values']:8d} {spread['bits']:5.2f} bits "
            f"{spread['share_of_commonest']:10.1%}"
        )
    if result["guesses"]:
        columns = ("right", "wrong", "commonest", "drawn", "from others", "half right", "pays from")
        rows += ["", f"{'a guess earns (silence: 0)':30} " + " ".join(f"{column:>11}" for column in columns)]
    for name, guess in result["guesses"].items():
        earned = " ".join(f"{guess[column.replace(' ', '_')]:11.3f}" for column in columns[:-1])
        rows.append(f"{name:30} {earned} {guess['pays_from']:11.1%}")
    return "\n".join(rows)
