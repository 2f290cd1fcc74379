"""A trained run as an ordinary Hugging Face folder, checked before it is called done."""

import json
import tomllib
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.policy.adapter import merge_adapter, read_adapter
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.policy import load_model
from vaserl.runs.recorder import PACKAGES, read_jsonl

MAX_LOGIT_GAP = 1e-3
"""Largest difference between the export's logits and base + adapter's, relative to their spread."""


def export_run(run_dir: Path, out_dir: Path) -> Path:
    """Merges a GRPO run's last weights into its base and writes model, processor, chat template and model card.

    Refuses to finish unless the exported folder's logits are those of base + adapter and differ from the base's:
    merged exports that silently equal their base are a known trap.

    Raises: UserError when `run_dir` is no finished run or `out_dir` is in the way; RuntimeError when a check fails.
    """
    config_file, weights_dir = run_dir / "config.toml", run_dir / "weights"
    versions = sorted(weights_dir.glob("v*")) if weights_dir.is_dir() else []
    if not config_file.is_file() or not versions:
        raise UserError(f"{run_dir} is no finished GRPO run: it needs config.toml and weights/v…")
    if out_dir.exists() and any(out_dir.iterdir()):
        raise UserError(f"{out_dir} is not empty; give a new folder with --out")
    config = tomllib.loads(config_file.read_text())
    base = Path(config["model"]["path"])
    check_model_folder(base)

    from transformers import AutoProcessor

    model = _trained_model(base, versions[-1])
    model.save_pretrained(out_dir)
    AutoProcessor.from_pretrained(base).save_pretrained(out_dir)
    _check(base, versions[-1], out_dir)
    (out_dir / "README.md").write_text(_card(run_dir, config, versions[-1].name))
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
    """Compares logits on a fixed text: export against base + adapter computed separately, and against the base."""
    original = load_model(base).eval()
    # without the special tokens, which stand for media at the end of the vocabulary or its beginning
    ids = torch.arange(100, 164)[None] % original.config.text_config.vocab_size
    before = original(input_ids=ids).logits
    if (weights / "adapter_config.json").is_file():
        from peft import PeftModel

        trained: Any = PeftModel.from_pretrained(original, str(weights)).eval()
    else:
        trained = _trained_model(base, weights).eval()
    wanted = trained(input_ids=ids).logits
    written = load_model(out_dir).eval()(input_ids=ids).logits
    spread = float(wanted.std())
    if float((written - wanted).abs().max()) > MAX_LOGIT_GAP * spread:
        raise RuntimeError(f"{out_dir}: the exported model's logits are not those of base + trained weights")
    if torch.equal(written, before):
        raise RuntimeError(f"{out_dir}: the exported model equals its base; the run's weights changed nothing")


def _card(run_dir: Path, config: dict[str, Any], version: str) -> str:
    rows = read_jsonl(run_dir / "metrics.jsonl")
    packages = json.loads((run_dir / "versions.json").read_text())
    first, last = rows[:10], rows[-10:]

    def mean(part: list[dict[str, Any]], name: str) -> str:
        values = [row[name] for row in part if name in row]
        return f"{sum(values) / len(values):.3f}" if values else "–"

    names = ["reward/mean", *(f"reward/{d}" for d in ("fabric", "technique", "shape", "dating", "decoration"))]
    names += ["reward/attribution", "length/mean", "kl", "entropy", "logprob_gap"]
    table = "\n".join(f"| {n} | {mean(first, n)} | {mean(last, n)} |" for n in names if any(n in r for r in rows))
    evaluation = run_dir.parent / "evaluation" / "evaluation.json"
    held_out = ""
    if evaluation.is_file():
        result = json.loads(evaluation.read_text())
        reward = result["difference"].get("reward")
        if reward:
            held_out = (
                f"\nOn {result['num_vases']} held-out vases the reward rose by {reward['mean']:.3f} "
                f"(95 % interval {reward['low']:.3f} to {reward['high']:.3f}, paired bootstrap).\n"
            )
    return f"""---
library_name: transformers
pipeline_tag: video-text-to-text
base_model: {Path(config["model"]["path"]).name}
base_model_relation: finetune
tags: [grpo, vaserl, archaeology, greek-vases]
---
# {out_title(config)}

Qwen2.5-VL trained with GRPO to describe turntable videos of ancient Greek vases: {len(rows)} steps of
{config.get("tasks_per_step", 16)} tasks, weights {version}, method {config.get("learner", {}).get("method", "lora")}.

| per step | first {len(first)} steps | last {len(last)} steps |
|---|---|---|
{table}
{held_out}
Made with {", ".join(f"{name} {value}" for name, value in packages.items() if name in PACKAGES)}.
"""


def out_title(config: dict[str, Any]) -> str:
    """The card's title: the run's name and its parent's, which is how runs are told apart."""
    run_dir = Path(config["run_dir"])
    return f"{run_dir.parent.name}/{run_dir.name}"
