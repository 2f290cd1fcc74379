"""Tests of the check of `start.weights`, which runs before the first actor starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from vaserl.errors import UserError
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.start import check_start
from vaserl.settings import LANGUAGE_MODEL_LINEARS, LearnerSettings, LoraSettings, StartSettings

LORA = LearnerSettings(lora=LoraSettings(rank=4, alpha=8))
FULL = LearnerSettings(method="full")


def adapter_folder(folder: Path, **changes: Any) -> Path:
    config = {"r": 4, "lora_alpha": 8, "target_modules": LANGUAGE_MODEL_LINEARS} | changes
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def model_weights_folder(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_check_start_accepts_what_the_learner_trains(tmp_path: Path):
    check_start(StartSettings(), LORA)
    check_start(StartSettings(weights=adapter_folder(tmp_path / "a")), LORA)
    check_start(StartSettings(weights=adapter_folder(tmp_path / "a", target_modules=["q_proj"])), LORA)
    check_start(StartSettings(weights=model_weights_folder(tmp_path / "m")), FULL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"r": 8}, r"has r = 8, but learner\.lora\.rank = 4\. Set learner\.lora\.rank"),
        ({"lora_alpha": 9}, r"has lora_alpha = 9, but learner\.lora\.alpha = 8"),
        ({"target_modules": ".*q_proj"}, r"has target_modules = '\.\*q_proj', but learner\.lora\.target_modules = "),
        ({"use_rslora": True}, "uses use_rslora, which the learner does not train"),
    ],
)
def test_check_start_names_both_values_of_another_adapter(tmp_path: Path, changes: dict[str, Any], message: str):
    with pytest.raises(UserError, match=rf"^start\.weights: the adapter in {tmp_path}/a {message}"):
        check_start(StartSettings(weights=adapter_folder(tmp_path / "a", **changes)), LORA)


def test_check_start_names_the_method_that_the_weights_need(tmp_path: Path):
    with pytest.raises(UserError, match=r'only an adapter, which needs learner\.method = "lora"'):
        check_start(StartSettings(weights=adapter_folder(tmp_path / "a")), FULL)
    with pytest.raises(UserError, match=r'a whole model \(model\.safetensors\), which needs learner\.method = "full"'):
        check_start(StartSettings(weights=model_weights_folder(tmp_path / "m")), LORA)
    with pytest.raises(UserError, match=r"does not contain adapter_config\.json"):
        (tmp_path / "empty").mkdir()
        check_start(StartSettings(weights=tmp_path / "empty"), LORA)
    with pytest.raises(UserError, match="does not exist"):
        check_start(StartSettings(weights=tmp_path / "none"), LORA)


def test_model_path_with_published_weights_names_start_weights(tmp_path: Path):
    for folder in (adapter_folder(tmp_path / "v00051"), model_weights_folder(tmp_path / "v00052")):
        with pytest.raises(UserError, match=rf"contains weights that a run .*start\.weights = '{folder}'"):
            check_model_folder(folder)
