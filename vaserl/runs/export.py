"""Exports the trained model of a GRPO run as an ordinary Hugging Face model folder and checks the result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.policy.adapter import merge_adapter, read_adapter
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.policy import load_model
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.runs.run import Run, SavedWeights
from vaserl.runs.versions import PACKAGES
from vaserl.types import DIMENSIONS

MAX_LOGIT_GAP = 1e-3
"""Largest allowed difference between the logits of the exported and of the trained model, as a fraction of the
standard deviation of the trained model's logits."""

_WINDOW = 10
"""Number of steps in each average of the model card, which compares a run's first steps with its last steps."""


def export_run(run: Run, out_dir: Path) -> Path:
    """Merges a GRPO run's last weights into its base model and writes the model, processor, chat template and model
    card to `out_dir`. Returns: `out_dir`.

    Checks that the exported model has the same logits as the trained one. Also checks that its logits differ from the
    base model's, because a merge can leave the base model unchanged without an error.

    Raises: UserError if the run has no weights or `out_dir` is not empty; RuntimeError if a check fails.
    """
    if not run.weights:
        raise UserError(f"{run.path} has no saved weights: it is not the folder of a finished GRPO run")
    if out_dir.exists() and any(out_dir.iterdir()):
        raise UserError(f"{out_dir} is not empty; give a new folder with --out")
    base, last = run.settings.model.path, run.weights[-1]
    check_model_folder(base)

    from transformers import AutoProcessor

    model = _trained_model(base, last.folder)
    model.save_pretrained(out_dir)
    AutoProcessor.from_pretrained(base).save_pretrained(out_dir)
    _check(base, last.folder, out_dir)
    (out_dir / "README.md").write_text(_card(run, last))
    return out_dir


def _trained_model(base: Path, weights: Path) -> Any:
    if (weights / "adapter_config.json").is_file():
        return merge_adapter(load_model(base), read_adapter(weights))
    from safetensors.torch import load_file

    model = load_model(base)
    model.load_state_dict(load_file(weights / "model.safetensors"), strict=True)
    return model


@torch.no_grad()
def _check(base: Path, weights: Path, out_dir: Path) -> None:
    """Compares the exported model's logits on fixed tokens with the trained model's and the base model's.

    The trained model is loaded anew: the base model with the adapter, which is not merged, or the trained weights.

    Raises: RuntimeError if the exported model's logits differ from the trained model's or equal the base model's.
    """
    original = load_model(base).eval()
    # none of the special tokens at either end of the vocabulary, some of which stand for images and videos
    ids = torch.arange(100, 164)[None] % original.config.text_config.vocab_size
    before = original(input_ids=ids).logits
    if (weights / "adapter_config.json").is_file():
        from peft import PeftModel

        trained: Any = PeftModel.from_pretrained(original, str(weights)).eval()
    else:
        trained = _trained_model(base, weights).eval()
    expected = trained(input_ids=ids).logits
    written = load_model(out_dir).eval()(input_ids=ids).logits
    spread = float(expected.std())
    if float((written - expected).abs().max()) > MAX_LOGIT_GAP * spread:
        raise RuntimeError(f"{out_dir}: the exported model's logits are not those of base + trained weights")
    if torch.equal(written, before):
        raise RuntimeError(f"{out_dir}: the exported model equals its base; the run's weights changed nothing")


def _card(run: Run, weights: SavedWeights) -> str:
    settings, packages = run.settings, run.versions.packages
    rows = run.metrics
    made_with = ", ".join(f"{name} {value}" for name, value in packages.items() if name in PACKAGES)
    return f"""---
library_name: transformers
pipeline_tag: video-text-to-text
base_model: {settings.model.path.name}
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
    reward = result["difference"].get("reward")
    if not reward:
        return ""
    return (
        f"\nOn {result['num_vases']} held-out vases the reward rose by {reward['mean']:.3f} "
        f"(95 % interval {reward['low']:.3f} to {reward['high']:.3f}, paired bootstrap).\n"
    )
