"""vaserl score: scores the captions and answers in a file against known targets, without a model or a cluster."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DESCRIPTION = """
Scores predictions against targets. Predictions are JSON lines {"id", "caption"} or {"id", "question", "answer"};
targets are JSON lines {"id", "record"}, with the Beazley Archive's field names, or {"id", "caption"}. Years are
historical: -525 is 525 BCE, and there is no year 0.
"""


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `score` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser("score", help="score captions and answers against records", description=DESCRIPTION)
    parser.add_argument("--predictions", type=Path, required=True, metavar="P.jsonl")
    parser.add_argument("--targets", type=Path, required=True, metavar="T.jsonl")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="REWARD.toml",
        help="file with a [reward] table or with constants of the vase reward",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per prediction: id, total, parts, parsed"
    )
    parser.add_argument("--lenient", action="store_true", help="leave out and count unusable lines instead of stopping")


def run(arguments: argparse.Namespace) -> None:
    """Prints a table of mean scores. With --json, prints the scores of each prediction as one line of JSON instead.

    Raises: UserError with file and line number when a line of an input file can't be used; with --lenient, such lines
    are skipped and counted. UserError also when no prediction has a target with the same id.
    """
    from vaserl.errors import UserError
    from vaserl.evaluation.predictions import read_predictions, read_targets, refuse_lines, unmatched
    from vaserl.rewards import make_scorer
    from vaserl.rewards.vase.reward_file import read_reward

    scorer = make_scorer(read_reward(arguments.config))
    predictions, problems = read_predictions(arguments.predictions)
    targets, more = read_targets(arguments.targets)
    problems += more + unmatched(predictions, arguments.predictions, targets, arguments.targets)
    if not arguments.lenient:
        refuse_lines(problems, "correct these lines, or count and leave them out with --lenient")
    scored = score_predictions([p for p in predictions if p.id in targets], targets, scorer)
    if not scored:
        raise UserError(f"{arguments.predictions}: no line has an id that occurs in {arguments.targets}")
    counts = Counter(problem.kind for problem in problems)
    if arguments.json:
        for line in scored:
            print(json.dumps(line, ensure_ascii=False))
    else:
        print(score_table(scored))
    for kind, count in sorted(counts.items()):
        print(f"left out: {count} x {kind}", file=sys.stderr)


def score_predictions(predictions: Sequence[Any], targets: Any, scorer: Any) -> list[dict[str, Any]]:
    """Scores each prediction (a caption, or an answer to a question).

    Returns: for each prediction a dict with its id, the question if it is an answer, the total reward, the parts of the
    reward, and the facts parsed from the caption or answer.
    """
    from vaserl.evaluation.predictions import completion_of
    from vaserl.rewards.vase import ParserConfig, VaseReward, facts_as_json, parse_caption, parse_value
    from vaserl.types import Group

    # captions are parsed with the reward's own constants, so that the facts shown are those it scored
    vase_rewards = [reward.function for reward in scorer.rewards if isinstance(reward.function, VaseReward)]
    parser = vase_rewards[0].config.parser if vase_rewards else ParserConfig()
    groups = [
        Group(task=targets[p.id].task(p.dimension, p.question), prompt_ids=(), completions=(completion_of(p.text),))
        for p in predictions
    ]
    lines = []
    for prediction, scored in zip(predictions, scorer.score_all(groups), strict=True):
        (score,) = scored.scores
        dimension = prediction.dimension
        text = prediction.text
        facts = parse_value(dimension, text, parser) if dimension else parse_caption(text, parser)
        lines.append(
            {
                "id": prediction.id,
                **({"question": prediction.question} if prediction.question else {}),
                "total": score.total,
                "parts": dict(score.parts),
                "parsed": facts_as_json(facts, (dimension,) if dimension else None),
            }
        )
    return lines


def score_table(scored: Sequence[dict[str, Any]]) -> str:
    """Returns a table of mean scores as text. It has a line for each dimension (property of a vase), for each other
    part of the reward, and for the total reward. A dimension's mean is taken over the predictions whose target has a
    value for the dimension. "stated" is the share of them that state the dimension, "right" the share of these whose
    value passes tau."""
    from vaserl.types import DIMENSIONS

    values: dict[str, list[float]] = {}
    for line in scored:
        for part, value in line["parts"].items():
            values.setdefault(part, []).append(value)
    rows = [f"{'':20} {'targets':>8} {'similarity':>11} {'earned':>8} {'counted':>8} {'stated':>7} {'right':>7}"]
    shown = set()
    for dimension in DIMENSIONS:
        earned = values.get(dimension)
        if earned is None or f"raw/{dimension}" not in values:
            continue
        counted = sum(value > 0 for value in earned) / len(earned)
        raw = _mean(values[f"raw/{dimension}"])
        stated, right = (values.get(f"{part}/{dimension}") for part in ("stated", "right"))
        rows.append(
            f"{dimension:20} {len(earned):8d} {raw:11.3f} {_mean(earned):8.3f} {counted:8.0%} "
            f"{_percent(stated):>7} {_percent(right):>7}"
        )
        shown |= {dimension, f"raw/{dimension}"}
    shown |= {f"{part}/{dimension}" for part in ("has_target", "stated", "right") for dimension in DIMENSIONS}
    rows += [f"{part:20} {len(v):8d} {'':11} {_mean(v):8.3f}" for part, v in values.items() if part not in shown]
    rows.append(f"{'total':20} {len(scored):8d} {'':11} {_mean([line['total'] for line in scored]):8.3f}")
    return "\n".join(rows)


def _percent(values: Sequence[float] | None) -> str:
    return f"{_mean(values):.0%}" if values else "-"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
