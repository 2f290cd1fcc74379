"""Tests the defaults of `[loss]` by variant, and the combinations that are rejected because a key would have no
effect."""

from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.settings import LossSettings, TrainSettings
from vaserl.settings.section import dump_config, load_config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "train.toml"
    path.write_text('run_dir = "r"\nnum_steps = 1\n[model]\npath = "m"\n[data]\npath = "d"\n')
    return path


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("grpo", (0.2, 0.2, None, None, True)),
        ("dr_grpo", (0.2, 0.2, None, 77, False)),
        ("dapo", (0.2, 0.28, None, None, True)),
        ("gspo", (3e-4, 4e-4, None, None, True)),
        ("cispo", (None, None, 5.0, None, True)),
    ],
)
def test_loss_settings_take_the_defaults_of_their_variant(config: Path, tmp_path: Path, variant: str, expected: tuple):
    overrides = ["--loss.variant", variant, "--rollout.max_new_tokens", "77"]
    loaded = load_config(TrainSettings, config, overrides)
    loss = loaded.loss
    assert (loss.clip_low, loss.clip_high, loss.ratio_cap, loss.token_budget, loss.normalise_advantages) == expected
    again = tmp_path / "resolved.toml"
    again.write_text(dump_config(loaded))
    assert load_config(TrainSettings, again) == loaded


def test_loss_settings_keep_given_values():
    assert LossSettings(variant="dr_grpo", normalise_advantages=True, clip_high=0.5).normalise_advantages
    assert LossSettings(variant="cispo", ratio_cap=3.0).ratio_cap == 3.0
    assert LossSettings(old_logprobs="learner", importance_cap=4.0).importance_cap == 4.0


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["--loss.variant", "cispo", "--loss.clip_high", "0.3"], "clip_high does nothing with cispo"),
        (
            ["--loss.token_budget", "9"],
            'token_budget needs variant = "dr_grpo"; with variant = "dapo" it has no effect',
        ),
        (["--loss.importance_cap", "2"], 'importance_cap needs old_logprobs = "learner"'),
        (["--loss.old_logprobs", "learner", "--loss.clip_low", "0.1"], "clip_low does nothing with old_logprobs"),
        (["--loss.old_logprobs", "learner", "--loss.ratio_cap", "3"], "ratio_cap does nothing with old_logprobs"),
        (["--loss.ratio_cap", "1.1"], r"ratio_cap 1.1 must be above 1 \+ clip_high = 1.28"),
        (["--loss.variant", "ppo"], "'grpo', 'dr_grpo', 'dapo', 'gspo' or 'cispo'"),
        (["--loss.beta", "0.1", "--learner.method", "full"], 'learner.method = "full" keeps no base model'),
        (["--overlong.num_tokens", "300"], "at most rollout.max_new_tokens = 256"),
        (
            ["--overlong.num_tokens", "9", "--advantage.per_dimension", "true"],
            "add 'penalty/overlong' there with a negative",
        ),
        (["--loss.variant", "dr_grpo", "--advantage.per_dimension", "true"], "needs loss.normalise_advantages = true"),
    ],
)
def test_load_config_refuses_keys_without_effect(config: Path, overrides: list[str], words: str):
    with pytest.raises(UserError, match=words):
        load_config(TrainSettings, config, overrides)


def test_train_settings_allow_an_overlong_penalty_per_dimension_with_a_weight(config: Path):
    overrides = ["--overlong.num_tokens", "9", "--advantage.per_dimension", "true"]
    weights = '{ fabric = 1.0, "penalty/overlong" = -0.5 }'
    loaded = load_config(TrainSettings, config, [*overrides, "--advantage.weights", weights])
    assert loaded.advantage.weights["penalty/overlong"] == -0.5
