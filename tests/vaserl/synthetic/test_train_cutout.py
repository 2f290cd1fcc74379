"""Tests of the training of the cut-out network: that it learns, continues to the byte, and refuses to mix."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tests.fakes.scene_bank import scene_bank, scene_props
from vaserl.errors import UserError
from vaserl.meshes.cutout.weights import load_cutout
from vaserl.synthetic.train_cutout import fit
from vaserl.synthetic.train_cutout import train as train_module
from vaserl.synthetic.train_cutout.fit import CutoutTraining
from vaserl.synthetic.train_cutout.settings import TrainCutoutSettings
from vaserl.synthetic.train_cutout.train import train_cutout

CPU = torch.device("cpu")


def settings(out: Path, **changes: object) -> TrainCutoutSettings:
    values = {
        "out": out,
        "widths": (8, 8, 8, 8, 8),
        "depths": (1, 1, 1, 1, 1),
        "num_steps": 3,
        "batch_size": 4,
        "sides": (64,),
        "learning_rate": 5e-3,
        "num_scored": 8,
        "ema": 0.9,
    }
    return TrainCutoutSettings.model_validate(values | changes)


def trained(wanted: TrainCutoutSettings) -> CutoutTraining:
    training = CutoutTraining(wanted, scene_bank(), scene_props())
    training.train(lambda line: None)
    return training


def test_training_continues_to_the_byte_of_an_unbroken_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trained(settings(tmp_path / "whole"))
    clock = itertools.count()
    monkeypatch.setattr(fit, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    slices, steps = 0, []
    while True:  # the clock is read once at the start and once before each step: slices of two steps
        training = CutoutTraining(settings(tmp_path / "broken"), scene_bank(), scene_props())
        slices += 1
        if training.train(steps.append, deadline=next(clock) + 3):
            break
    assert slices == 2 and [line["step"] for line in steps] == [3]
    whole, broken = (tmp_path / name / "checkpoint.safetensors" for name in ("whole", "broken"))
    assert whole.read_bytes() == broken.read_bytes()


def test_training_refuses_a_checkpoint_of_other_settings(tmp_path: Path):
    trained(settings(tmp_path, num_steps=1))
    with pytest.raises(UserError, match="of a training with other settings"):
        CutoutTraining(settings(tmp_path, num_steps=2), scene_bank(), scene_props())


def test_training_learns_a_batch_that_it_sees_again(tmp_path: Path):
    training = CutoutTraining(settings(tmp_path, num_steps=40), scene_bank(), scene_props())
    training.network.train()
    losses = [float(training._step(3)[1]["loss"]) for _ in range(14)]
    assert losses[-1] < 0.8 * losses[0]


def test_train_cutout_writes_weights_that_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train_module, "render_bank", lambda *arguments: scene_bank())
    scores = train_cutout(settings(tmp_path, num_steps=2))
    assert scores is not None and scores["views"]["n"] == 8
    load_cutout(tmp_path)
    recipe = json.loads((tmp_path / "cutout.json").read_text())
    assert recipe["scores"] == scores
    assert recipe["config"]["num_steps"] == 2 and len(recipe["data"]["composer_sha256"]) == 64
    assert (tmp_path / "cutout.png").stat().st_size > 1000
    # finished: the same command scores again and trains no further
    assert train_cutout(settings(tmp_path, num_steps=2)) == scores


def test_training_begins_at_given_weights_and_they_are_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train_module, "render_bank", lambda *arguments: scene_bank())
    train_cutout(settings(tmp_path / "first", num_steps=2))
    stored = load_cutout(tmp_path / "first").state_dict()
    wanted = settings(tmp_path / "second", num_steps=1, seed=9, start_from=tmp_path / "first")
    training = CutoutTraining(wanted, scene_bank(), scene_props())
    for name, tensor in stored.items():
        assert torch.equal(training.network.state_dict()[name], tensor)
        assert torch.equal(training.average[name], tensor)
    train_cutout(wanted)
    recipes = [json.loads((tmp_path / name / "cutout.json").read_text()) for name in ("first", "second")]
    assert recipes[0]["started_from"] is None and recipes[1]["started_from"] == recipes[0]["sha256"]
    with pytest.raises(UserError, match="of a training with other settings"):
        CutoutTraining(settings(tmp_path / "second", num_steps=1, seed=9), scene_bank(), scene_props())


def test_training_result_holds_a_share_of_the_weights_to_begin_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train_module, "render_bank", lambda *arguments: scene_bank())
    train_cutout(settings(tmp_path / "first", num_steps=2))
    begun = load_cutout(tmp_path / "first").state_dict()
    wanted = settings(tmp_path / "second", num_steps=2, start_from=tmp_path / "first", start_share=0.25)
    train_cutout(wanted)
    trained_alone = CutoutTraining(wanted, scene_bank(), scene_props()).average
    found = load_cutout(tmp_path / "second").state_dict()
    name = "head.1.weight"
    assert not torch.equal(begun[name], trained_alone[name])
    torch.testing.assert_close(found[name], 0.25 * begun[name] + 0.75 * trained_alone[name], atol=1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match="start_share needs start_from"):
        settings(tmp_path, start_share=0.25)


def test_training_refuses_to_begin_at_weights_of_another_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train_module, "render_bank", lambda *arguments: scene_bank())
    train_cutout(settings(tmp_path / "first", num_steps=1))
    wanted = settings(tmp_path / "second", start_from=tmp_path / "first", widths=(8, 8, 8, 8, 16))
    with pytest.raises(UserError, match=r"widths \[8, 8, 8, 8, 8\], but the settings say \[8, 8, 8, 8, 16\]"):
        CutoutTraining(wanted, scene_bank(), scene_props())


def test_train_cutout_stops_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train_module, "render_bank", lambda *arguments: scene_bank())
    assert train_cutout(settings(tmp_path, stop_after_s=1e-9)) is None
    assert (tmp_path / "checkpoint.safetensors").exists() and not (tmp_path / "cutout.safetensors").exists()


@pytest.mark.parametrize("sides", [(), (48,), (100,)])
def test_settings_refuse_sides_that_do_not_fit_the_network(tmp_path: Path, sides: tuple[int, ...]):
    with pytest.raises(ValueError, match="multiples of 32"):
        settings(tmp_path, sides=sides)
