"""The whole program, small: python -m launch quickstart configs/quickstart.toml

photographs and records -> data set -> SFT -> GRPO -> evaluation -> report, in one Ray session on one machine.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from actors.cluster import connect
from launch import curate, evaluate, sft, train
from launch.main import start_job
from vaserl.curation.settings import CurateSettings
from vaserl.errors import UserError
from vaserl.grpo.metrics import mean_of
from vaserl.report import console_summary, write_report
from vaserl.runs.export import export_run
from vaserl.runs.progress import Progress
from vaserl.runs.recorder import read_jsonl, versions
from vaserl.settings import EvaluateSettings, QuickstartSettings, SftSettings, TrainSettings
from vaserl.settings.section import load_config
from vaserl.synthetic.world import build_world

MARKER = ".quickstart"
_WINDOW = 10
"""Steps over which the first and the last reward are averaged."""


def run(settings: QuickstartSettings) -> dict[str, Any]:
    """Runs all stages and writes summary.json and report.html. Returns: the summary."""
    root = settings.run_dir
    _make_room(root)
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
            root / "world",
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
        export_run(training.run_dir, root / "export")

    rows = read_jsonl(training.run_dir / "metrics.jsonl")
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
    _write_summary(root, summary)
    with stage("report"):
        report = write_report(root)
    summary["seconds_total"] = round(time.monotonic() - started, 1)
    _write_summary(root, summary)
    print(console_summary(summary))
    print(f"\nreport:  {report}\ncaption: .venv/bin/vaserl caption {root / 'dataset' / 'models'}/*.glb")
    return summary


def stage_settings(
    settings: QuickstartSettings,
) -> tuple[CurateSettings, SftSettings, TrainSettings, EvaluateSettings]:
    """Each stage's config with the paths that tie them together, then the quick start's own overrides."""
    root, seed = settings.run_dir, ["--seed", str(settings.seed)]
    data, model = ["--data.path", str(root / "dataset")], ["--model.path", str(root / "sft" / "model")]
    clip = root / "models" / "clip"

    def load(kind: type[Any], name: str, *tied: str) -> Any:
        more = settings.overrides.get(name, [])
        return load_config(kind, getattr(settings.stages, name), [*seed, *tied, *more])

    curating = load(
        CurateSettings,
        "curate",
        *("--source.path", str(root / "world"), "--dataset", str(root / "dataset")),
        *("--quality.path", str(root / "models" / "quality"), "--clip.path", str(clip)),
    )
    tuning = load(
        SftSettings, "sft", *data, *("--model.path", str(root / "models" / "tiny"), "--run_dir", str(root / "sft"))
    )
    training = load(TrainSettings, "train", *data, *model, "--run_dir", str(root / "grpo"))
    trained = root / "grpo" / "weights" / f"v{training.num_steps + 1:05d}"
    evaluating = load(
        EvaluateSettings,
        "evaluate",
        *data,
        *model,
        *("--run_dir", str(root / "evaluation"), "--trained", str(trained), "--clip_model", str(clip)),
    )
    return curating, tuning, training, evaluating


def _make_room(root: Path) -> None:
    if root.exists() and any(root.iterdir()):
        if not (root / MARKER).is_file():
            raise UserError(f"run_dir {root} holds something that no quick start made; name another with --run_dir")
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).touch()


def _write_summary(root: Path, summary: dict[str, Any]) -> None:
    (root / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("quickstart", argv)


if __name__ == "__main__":
    sys.exit(main())
