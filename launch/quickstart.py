"""Runs all jobs in sequence on a small synthetic collection: python -m launch quickstart configs/quickstart.toml

photographs and records -> data set -> SFT -> GRPO -> evaluation -> report, in one Ray session on one machine.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from actors.cluster import connect
from launch import curate, evaluate, sft, train
from launch.main import start_job
from vaserl.curation.settings import CurateSettings
from vaserl.grpo.metrics import mean_of
from vaserl.report import console_summary, write_report
from vaserl.runs.export import export_run
from vaserl.runs.progress import Progress
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.runs.run import Run
from vaserl.runs.versions import versions
from vaserl.settings import EvaluateSettings, QuickstartSettings, SftSettings, TrainSettings
from vaserl.settings.section import load_config
from vaserl.synthetic.world import build_world

_WINDOW = 10
"""Number of GRPO steps, at the beginning and again at the end, over which the summary averages the reward."""


def run(settings: QuickstartSettings) -> dict[str, Any]:
    """Runs every stage from the photographs to the evaluation. Writes a summary (JSON) and a report, and returns the
    summary."""
    folder = QuickstartFolder(settings.run_dir)
    folder.make_room()
    curating, tuning, training, evaluating = stage_settings(settings)
    started = time.monotonic()
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        print(f"\n== {name}", file=sys.stderr, flush=True)
        start = time.monotonic()
        yield
        seconds[name] = round(time.monotonic() - start, 1)

    with stage("world"), Progress("world", settings.world.num_vases) as progress:
        build_world(
            folder.world,
            settings.world.num_vases,
            settings.seed,
            num_workers=settings.world.num_workers,
            progress=lambda done, total: progress.advance(),
        )
    with connect(settings.cluster):
        with stage("curate"):
            curation = curate.run(curating)
        with stage("sft"):
            sft.run(tuning)
        with stage("grpo"):
            train.run(training)
        with stage("evaluate"):
            evaluation = evaluate.run(evaluating)
    with stage("export"):
        export_run(Run(training.run_dir), folder.export)

    rows = Run(training.run_dir).metrics
    summary = {
        "seconds_total": round(time.monotonic() - started, 1),
        "seconds": seconds,
        "num_steps": len(rows),
        "reward_first": mean_of(rows[:_WINDOW], "reward/mean"),
        "reward_last": mean_of(rows[-_WINDOW:], "reward/mean"),
        "eval": evaluation,
        "constant_answer": evaluation["constant_answer"],
        "retention": [dict(entry) for entry in curation.retention],
        "versions": versions(),
    }
    folder.write_summary(summary)
    with stage("report"):
        report = write_report(folder)
    summary["seconds_total"] = round(time.monotonic() - started, 1)
    folder.write_summary(summary)
    print(console_summary(summary))
    print(f"\nreport:  {report}\ncaption: .venv/bin/vaserl caption {folder.dataset.models}/*.glb")
    return summary


def stage_settings(
    settings: QuickstartSettings,
) -> tuple[CurateSettings, SftSettings, TrainSettings, EvaluateSettings]:
    """Returns the settings of the stages curate, SFT, GRPO and evaluation.

    A stage's settings are read from its config file. Then the seed is set, and the paths that connect one stage's
    output to the next stage's input. Last, the quick start's `overrides` for the stage replace any of these values.
    """
    folder, seed = QuickstartFolder(settings.run_dir), ["--seed", str(settings.seed)]
    data, model = ["--data.path", str(folder.dataset.path)], ["--model.path", str(folder.sft.model_folder)]
    clip = str(folder.clip_model)

    def load(kind: type[Any], name: str, *tied: str) -> Any:
        more = settings.overrides.get(name, [])
        return load_config(kind, getattr(settings.stages, name), [*seed, *tied, *more])

    curating = load(
        CurateSettings,
        "curate",
        *("--source.path", str(folder.world), "--dataset", str(folder.dataset.path)),
        *("--quality.path", str(folder.quality_model), "--open_clip.path", clip),
    )
    tuning = load(SftSettings, "sft", *data, "--model.path", str(folder.tiny_model), "--run_dir", str(folder.sft.path))
    training = load(TrainSettings, "train", *data, *model, "--run_dir", str(folder.grpo.path))
    trained = str(folder.grpo.weights_folder(training.num_steps + 1))
    evaluating = load(
        EvaluateSettings,
        "evaluate",
        *data,
        *model,
        *("--run_dir", str(folder.evaluation.path), "--trained", trained, "--clip_model", clip),
    )
    return curating, tuning, training, evaluating


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("quickstart", argv)


if __name__ == "__main__":
    sys.exit(main())
