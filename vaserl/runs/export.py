"""Exports the trained model of a GRPO run as an ordinary Hugging Face model folder and checks the result."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.files.storage import is_url
from vaserl.policy.adapter import ADAPTER_CONFIG, read_adapter
from vaserl.policy.fingerprint import mean_gap, probe_ids, probe_layout
from vaserl.policy.merge import merge_in_place
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.policy import Policy, load_model, replace_weights
from vaserl.policy.weights import FINGERPRINT_FILE, read_fingerprint
from vaserl.runs.checkpoint_weights import weights_name
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.runs.run import Run, SavedWeights
from vaserl.runs.training_origin import origin_of_data, write_origin
from vaserl.runs.versions import PACKAGES
from vaserl.types import DIMENSIONS, Fingerprint

MAX_RUN_GAP = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
"""Largest mean |Δ log-probability| of the probe text between the run's learner and the exported model before merging,
by precision. On one machine the two are equal. The limit leaves room for the kernels of another machine, which in
bfloat16 differ by up to 0.04 for a model with random weights (docs/performance.md); other base models differ by whole
nats."""
MAX_MERGE_GAP = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
"""The same, between the model with the adapter beside the base and the model with the adapter merged into it. For the
tests' small models they differ by 2e-7 in float32 and by 1.3e-3 in bfloat16."""
MAX_WRITTEN_GAP = 1e-6
"""The same, between the merged model and the written one, which has the same weights to the bit."""

_WINDOW = 10
"""Number of steps in each average of the model card, which compares a run's first steps with its last steps."""


def export_run(run: Run, out_dir: Path, version: int | None = None) -> Path:
    """Merges saved weights of a GRPO run into its base model and writes the model, processor, chat template, model
    card and what it was trained on to `out_dir`, in the run's precision (model.dtype). Returns: `out_dir`.

    version: version of the weights; None for the last one that is saved, in weights/ or in a checkpoint.

    Before anything is written, checks the model by its log-probabilities of the probe text. Base and adapter, not yet
    merged, must have those that the run stored with the weights; another model at model.path does not. Merging must
    neither change them nor leave those of the base. The model that is written must have those of the merged one. One
    copy of the model is in memory at a time.

    Raises: UserError if the run has no such weights, `out_dir` is not empty, or model.path contains another model than
    the run's; RuntimeError if another check fails.
    """
    saved = _saved_weights(run, version)
    if out_dir.exists() and any(out_dir.iterdir()):
        raise UserError(f"{out_dir} is not empty; give a new folder with --out")
    settings = run.settings.model
    base, dtype = settings.path, getattr(torch, settings.dtype)
    check_model_folder(base)

    from transformers import AutoProcessor

    stored = read_fingerprint(saved.folder)
    processor = AutoProcessor.from_pretrained(base)
    token_ids = stored.token_ids or probe_ids(
        lambda text: processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    )
    model, expected = _trained_model(base, saved.folder, dtype, stored, token_ids)
    model.save_pretrained(out_dir)
    del model
    processor.save_pretrained(out_dir)
    written = _logprobs(load_model(out_dir, dtype), token_ids)
    if not mean_gap(written, expected) <= MAX_WRITTEN_GAP:
        raise RuntimeError(
            f"{out_dir}: the written model is not the trained one: its mean log-probability of the probe text is "
            f"{_mean(written):.6f} instead of {_mean(expected):.6f}"
        )
    (out_dir / "README.md").write_text(_card(run, saved))
    if origin := origin_of_data(run.settings.data):
        write_origin(out_dir, origin)
    return out_dir


def _saved_weights(run: Run, version: int | None) -> SavedWeights:
    found = {saved.version: saved for saved in (*_weights_in_checkpoints(run), *run.weights)}
    if not found:
        raise UserError(f"{run.path} has no saved weights: it is not the folder of a GRPO run with a finished step")
    if version is not None and version not in found:
        raise UserError(
            f"{run.path} has no saved weights of version {version}; saved are {', '.join(map(str, sorted(found)))} "
            "(step k makes version k + 1; save_every and checkpoint.keep_every set which are saved)"
        )
    return found[max(found) if version is None else version]


def _weights_in_checkpoints(run: Run) -> list[SavedWeights]:
    """Returns the published adapters in the run's checkpoints, from which a run that was stopped can be exported too.
    Checkpoints behind a URL are left out."""
    place = run.settings.checkpoint.path or str(run.checkpoints_folder)
    prefix = weights_name(0).rstrip("0")
    folders = [] if is_url(place) else sorted(Path(place).glob(f"step=*/{prefix}*"))
    return [SavedWeights(version=int(folder.name.removeprefix(prefix)), folder=folder) for folder in folders]


def _trained_model(
    base: Path, weights: Path, dtype: torch.dtype, stored: Fingerprint, token_ids: Sequence[int]
) -> tuple[Any, tuple[float, ...]]:
    """Returns the trained model, with an adapter merged into it, and its log-probabilities of the probe text."""
    if not (weights / ADAPTER_CONFIG).is_file():
        model = _whole_model(base, weights, dtype)
        expected = _logprobs(model, token_ids)
        _check_run(base, weights, dtype, stored, expected)
        return model, expected
    from peft import PeftModel

    model = load_model(base, dtype)
    before = _logprobs(model, token_ids)
    adapted = PeftModel.from_pretrained(model, str(weights))
    unmerged = _logprobs(model, token_ids)
    model = adapted.unload()
    _check_run(base, weights, dtype, stored, unmerged)
    merge_in_place(model, read_adapter(weights))
    merged = _logprobs(model, token_ids)
    if not mean_gap(merged, unmerged) <= MAX_MERGE_GAP[dtype]:
        raise RuntimeError(
            f"{weights}: merging the adapter changed the model: its mean log-probability of the probe text is "
            f"{_mean(merged):.6f} with the adapter merged and {_mean(unmerged):.6f} with the adapter beside the base"
        )
    if merged == before:
        raise RuntimeError(
            f"{weights}: the merged model equals its base: the run's weights changed nothing, or less than a rounding "
            f"step of {dtype}"
        )
    return model, merged


def _whole_model(base: Path, weights: Path, dtype: torch.dtype) -> Any:
    if (weights / "config.json").is_file():  # a complete folder, saved by a learner that sent its tensors by NCCL
        return load_model(weights, dtype)
    from safetensors.torch import load_file

    model = load_model(base, dtype)
    replace_weights(model, load_file(weights / "model.safetensors"))  # mapped, not read into memory
    return model


def _check_run(base: Path, weights: Path, dtype: torch.dtype, stored: Fingerprint, found: tuple[float, ...]) -> None:
    if not stored.logprobs:
        print(
            f"{weights} has no {FINGERPRINT_FILE}, so the export can't tell whether {base} is still the model that the "
            "run trained",
            file=sys.stderr,
        )
        return
    gap = mean_gap(found, stored.logprobs)
    if not gap <= MAX_RUN_GAP[dtype]:
        raise UserError(
            f"{base} (model.path) is not the model that the run trained: with the run's weights {weights.name}, its "
            f"mean log-probability of the probe text is {_mean(found):.6f}, but it was {_mean(stored.logprobs):.6f} in "
            f"the run. Per token they differ by {gap:.2e}; the limit is {MAX_RUN_GAP[dtype]:.0e}. Put the run's base "
            "model back"
        )


@torch.no_grad()
def _logprobs(model: Any, token_ids: Sequence[int]) -> tuple[float, ...]:
    return tuple(Policy(model).eval()([], probe_layout(token_ids))[0].tolist())


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _card(run: Run, weights: SavedWeights) -> str:
    settings, packages = run.settings, run.versions.packages
    rows = run.metrics
    made_with = ", ".join(f"{name} {value}" for name, value in packages.items() if name in PACKAGES)
    return f"""---
library_name: transformers
pipeline_tag: video-text-to-text
base_model: {settings.model.hub.partition("@")[0] or settings.model.path.name}
base_model_relation: finetune
tags: [grpo, vaserl, archaeology, greek-vases]
---
# {settings.run_dir.parent.name}/{settings.run_dir.name}

Qwen2.5-VL trained with GRPO to describe turntable videos of ancient Greek vases: {len(rows)} steps of
{settings.tasks_per_step} tasks, weights {weights.folder.name}, method {settings.learner.method}.

| per step | first {len(rows[:_WINDOW])} steps | last {len(rows[-_WINDOW:])} steps |
|---|---|---|
{_metrics_table(rows)}
{_held_out(QuickstartFolder(run.path.parent))}
Training put the text after a clip at the positions that vLLM computes. The `generate()` of transformers puts it
elsewhere if the clip's temporal positions go beyond its height and width: serve the model with vLLM or
`vaserl caption`, or pass `position_ids` of your own.

Made with {made_with}.
"""


def _metrics_table(rows: Sequence[Mapping[str, float]]) -> str:
    def mean(part: Sequence[Mapping[str, float]], name: str) -> str:
        values = [row[name] for row in part if name in row]
        return f"{sum(values) / len(values):.3f}" if values else "–"

    names = ("reward/mean", *(f"reward/{d}" for d in DIMENSIONS), "length/mean", "kl", "entropy", "logprob_gap")
    return "\n".join(
        f"| {name} | {mean(rows[:_WINDOW], name)} | {mean(rows[-_WINDOW:], name)} |"
        for name in names
        if any(name in row for row in rows)
    )


def _held_out(folder: QuickstartFolder) -> str:
    """Returns the model card's sentence about the evaluation in `folder`; empty if there is no evaluation."""
    if not folder.evaluation.summary_file.is_file():
        return ""
    result = folder.evaluation.summary
    reward = result.get("differences", {}).get("rl", {}).get("reward")
    if not reward:
        return ""
    return (
        f"\nOn {result['num_vases']} held-out vases the reward rose by {reward['mean']:.3f} "
        f"(95 % interval {reward['low']:.3f} to {reward['high']:.3f}, paired by vase).\n"
    )
