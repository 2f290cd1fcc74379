"""Tests that DeepSpeed's keys for what other keys set are refused when the config is loaded."""

from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.settings import SftSettings, TrainSettings
from vaserl.settings.section import load_config

NEEDED = '[model]\npath = "m"\n[data]\npath = "d"\n'


@pytest.mark.parametrize("kind", [TrainSettings, SftSettings])
@pytest.mark.parametrize(
    ("table", "key", "instead"),
    [
        ('optimizer = { type = "Lion" }', "optimizer", "learner.learning_rate"),
        ('scheduler = { type = "WarmupLR" }', "scheduler", "learner.schedule"),
        ("gradient_clipping = 1e-4", "gradient_clipping", "learner.max_grad_norm"),
        ("train_batch_size = 4", "train_batch_size", "tasks_per_step"),
        ("train_micro_batch_size_per_gpu = 4", "train_micro_batch_size_per_gpu", "max_tokens_per_micro_batch"),
        ("gradient_accumulation_steps = 2", "gradient_accumulation_steps", "max_tokens_per_micro_batch"),
        ("bf16 = { enabled = true }", "bf16", "model.dtype"),
        ("fp16 = { enabled = true }", "fp16", "model.dtype"),
        ("torch_autocast = { enabled = true }", "torch_autocast", "model.dtype"),
        ("zero_allow_untested_optimizer = false", "zero_allow_untested_optimizer", "remove it"),
        ("steps_per_print = 1", "steps_per_print", "metrics.jsonl"),
        ("zero_optimization = { stage = 1, compute_grad_norm = false }", "compute_grad_norm", "max_grad_norm"),
        ("zero_optimization = 3", "zero_optimization", "must be a table"),
        ("zero_optimization = { offload_optimizer = 'cpu' }", "offload_optimizer", "must be a table"),
    ],
)
def test_learner_settings_refuse_deepspeed_keys_without_effect(
    tmp_path: Path, kind, table: str, key: str, instead: str
):
    path = tmp_path / "job.toml"
    steps = "num_steps = 1" if kind is TrainSettings else "num_epochs = 1"
    path.write_text(f'run_dir = "r"\n{steps}\n{NEEDED}[learner]\ndeepspeed = {{ {table} }}\n')
    with pytest.raises(UserError) as raised:
        load_config(kind, path)
    missing = [word for word in ("job.toml:8", "learner.deepspeed", key, instead) if word not in str(raised.value)]
    assert not missing, str(raised.value)


def test_learner_settings_pass_other_deepspeed_keys(tmp_path: Path):
    path = tmp_path / "job.toml"
    table = "{ zero_optimization = { stage = 3 }, data_types = { grad_accum_dtype = 'fp32' } }"
    path.write_text(f'run_dir = "r"\nnum_steps = 1\n{NEEDED}[learner]\ndeepspeed = {table}\n')
    assert load_config(TrainSettings, path).learner.deepspeed["zero_optimization"] == {"stage": 3}
