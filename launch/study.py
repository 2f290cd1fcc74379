"""Runs an experiment about the reward on the folder RUN of a finished quick start:
python -m launch study NAME RUN --out DIR

NAME is one of these experiments:

constant-answer   does a model that gives the same caption for every vase unlearn this by GRPO?
per-dimension     does the reward of any dimension (fabric, shape, …) fall if each has its own advantages (GDPO)?

Each experiment writes its training runs, its results as NAME.json and a plot as NAME.svg to DIR.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from launch import evaluate, sft, train
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.evaluation.constant_baseline import score_constant_caption
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.grpo import draw_items
from vaserl.report.study import constant_answer_figure, per_dimension_figure
from vaserl.rewards import make_scorer
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.runs.rows import RolloutRow
from vaserl.runs.run import Run
from vaserl.runs.versions import versions
from vaserl.settings import EvaluateSettings, SftSettings, TrainSettings
from vaserl.settings.section import load_config
from vaserl.statistics.intervals import paired_difference
from vaserl.types import DIMENSIONS

CONFIGS = Path("configs")
_WINDOW = 10
"""Number of steps, at the beginning and again at the end of a run, over which the results average the reward."""


def study_constant_answer(
    quickstart: QuickstartFolder, out: QuickstartFolder, overrides: Sequence[str]
) -> dict[str, Any]:
    """Fine-tunes the quick start's model on one caption for all vases, then trains this model by GRPO.

    Returns: "caption": that caption. "steps": for each GRPO step the mean reward of all completions, the mean reward
    that the caption would earn, and the share of completions equal to the caption. "held_out": the evaluation of the
    trained model.
    """
    vases = quickstart.dataset.vases("train")
    caption = constant_caption([vase.record for vase in vases])
    _write_constant_dataset(quickstart.dataset, out.dataset, caption)
    tuning = load_config(
        SftSettings,
        CONFIGS / "sft" / "quickstart.toml",
        [
            *("--run_dir", str(out.sft.path), "--data.path", str(out.dataset.path)),
            *("--model.path", str(quickstart.sft.model_folder), "--num_epochs", "1", "--questions_per_vase", "0"),
            *("--learner.learning_rate", "1e-4", "--learner.warmup_steps", "5"),
        ],
    ).model_copy(update={"tiny_model": None})
    sft.run(tuning)
    training = _training(quickstart, out, out.sft.model_folder, overrides)
    train.run(training)
    evaluation = _evaluation(quickstart, out, training)

    run = Run(training.run_dir)
    rows: list[dict[str, Any]] = [*run.metrics]
    tasks = [vase.caption_task() for vase in vases]
    scorer = make_scorer(training.reward)
    scorer.prepare([task.record for task in tasks])
    for row in rows:
        drawn = draw_items(tasks, num_per_step=training.tasks_per_step, seed=training.seed, step=row["step"])
        row["constant"] = score_constant_caption(caption, drawn, scorer)["reward"]
        row["share_constant"] = _share_of(caption, run.rollouts(row["step"]))
    return {
        "caption": caption,
        "steps": [{key: row[key] for key in ("step", "reward/mean", "constant", "share_constant")} for row in rows],
        "held_out": evaluation,
    }


def study_per_dimension(
    quickstart: QuickstartFolder, out: QuickstartFolder, overrides: Sequence[str]
) -> dict[str, Any]:
    """Trains the quick start's model by GRPO, with advantages computed separately for each part of the reward.

    Returns: "steps": the mean total reward and the reward of each dimension, for each GRPO step. "windows": for each
    dimension the mean reward of the first and of the last `_WINDOW` steps. "held_out": the evaluation of the trained
    model.
    """
    per_dimension = ["--advantage.per_dimension", "true", *overrides]
    training = _training(quickstart, out, quickstart.sft.model_folder, per_dimension)
    train.run(training)
    evaluation = _evaluation(quickstart, out, training)
    rows: list[dict[str, Any]] = [*Run(training.run_dir).metrics]
    names = ["step", "reward/mean", *(f"reward/{dimension}" for dimension in DIMENSIONS)]
    windows = {}
    for dimension in DIMENSIONS:
        values = [row[f"reward/{dimension}"] for row in rows]
        windows[dimension] = {"first": float(np.mean(values[:_WINDOW])), "last": float(np.mean(values[-_WINDOW:]))}
    return {"steps": [{name: row[name] for name in names} for row in rows], "windows": windows, "held_out": evaluation}


def _training(
    quickstart: QuickstartFolder, out: QuickstartFolder, model: Path, overrides: Sequence[str]
) -> TrainSettings:
    tied = ["--run_dir", str(out.grpo.path), "--data.path", str(quickstart.dataset.path), "--model.path", str(model)]
    return load_config(TrainSettings, CONFIGS / "train" / "quickstart.toml", [*tied, *overrides])


def _evaluation(quickstart: QuickstartFolder, out: QuickstartFolder, training: TrainSettings) -> dict[str, Any]:
    """Evaluates the weights trained by a GRPO run on held-out vases.

    Returns: the rewards before and after GRPO, and the paired difference with its confidence interval. "dimensions" has
    the same numbers for each dimension (property of a vase), computed from the dimension's part of the reward.
    """
    trained = Run(training.run_dir).weights_folder(training.num_steps + 1)
    tied = [
        *("--run_dir", str(out.evaluation.path), "--data.path", str(training.data.path), "--trained", str(trained)),
        *("--model.path", str(training.model.path), "--clip_model", str(quickstart.clip_model)),
    ]
    settings = load_config(EvaluateSettings, CONFIGS / "evaluate" / "quickstart.toml", tied)
    summary = evaluate.run(settings)
    vases = out.evaluation.captions
    dimensions = {}
    for dimension in DIMENSIONS:
        before, after = ([vase.scores[system].parts.get(dimension, 0.0) for vase in vases] for system in ("sft", "rl"))
        difference = asdict(paired_difference(after, before, seed=settings.seed))
        dimensions[dimension] = {"before": float(np.mean(before)), "after": float(np.mean(after)), **difference}
    return {
        "num_vases": summary["num_vases"],
        "before": summary["systems"]["sft"]["reward"],
        "after": summary["systems"]["rl"]["reward"],
        "difference": summary["differences"]["rl"]["reward"],
        "constant_answer": summary["constant_answer"],
        "dimensions": dimensions,
    }


def _share_of(caption: str, rows: Sequence[RolloutRow]) -> float:
    """Returns the share of completions, from 0 to 1, whose text is exactly the caption."""
    return float(np.mean([row.completion.strip() == caption for row in rows]))


def _write_constant_dataset(source: DataSet, target: DataSet, caption: str) -> None:
    """Writes a copy of the data set `source` in which every training vase has the same caption. Turntable videos and 3D
    models are linked, not copied."""
    target.write_rows(replace(row, caption=caption) if row.split == "train" else row for row in source.rows)
    target.link_files(source)


STUDIES = {
    "constant-answer": (study_constant_answer, constant_answer_figure),
    "per-dimension": (study_per_dimension, per_dimension_figure),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the experiment given on the command line. Returns: exit code 0, or 2 after a UserError, whose message is
    printed."""
    parser = argparse.ArgumentParser(prog="python -m launch study", description=__doc__)
    parser.add_argument("name", choices=STUDIES)
    parser.add_argument("quickstart", type=Path, metavar="RUN", help="folder of a finished quick start")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    arguments, overrides = parser.parse_known_args(argv)
    study, figure = STUDIES[arguments.name]
    try:
        if not QuickstartFolder(arguments.quickstart).is_finished:
            raise UserError(f"{arguments.quickstart} holds no finished quick start; make one with `make quickstart`")
        arguments.out.mkdir(parents=True, exist_ok=True)
        found = study(
            QuickstartFolder(arguments.quickstart.resolve()), QuickstartFolder(arguments.out.resolve()), overrides
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = {"study": arguments.name, **found, "versions": versions()}
    (arguments.out / f"{arguments.name}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    (arguments.out / f"{arguments.name}.svg").write_bytes(figure(found))
    print(arguments.out / f"{arguments.name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
