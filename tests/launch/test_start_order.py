"""Tests that an engine which shares its GPU with a learner rank starts when the rank has its memory."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import launch.train
from vaserl.planning.bundles import is_gpu_shared
from vaserl.planning.requests import role_requests
from vaserl.settings import TrainSettings


class StartedError(Exception):
    """Raised in place of the loop, which these tests do not run."""


def settings_of(tmp_path: Path, **num_gpus: float) -> TrainSettings:
    sections = {role: {"num_gpus": share} for role, share in num_gpus.items()}
    common = {"run_dir": tmp_path, "num_steps": 1, "model": {"path": tmp_path}, "data": {"path": tmp_path}}
    return TrainSettings.model_validate({**common, **sections})


@pytest.mark.parametrize(
    ("num_gpus", "is_shared"),
    [
        ({"rollout": 0.5, "learner": 0.4, "features": 0.1}, True),
        ({"rollout": 0.9, "learner": 1, "features": 0.1}, False),  # the encoder shares with the engine
        ({"rollout": 0.6, "learner": 0.6}, False),  # too much for one GPU
        ({}, False),
    ],
)
def test_is_gpu_shared_by_both_roles(tmp_path: Path, num_gpus: dict[str, float], is_shared: bool):
    assert is_gpu_shared(role_requests(settings_of(tmp_path, **num_gpus)), "learner", "rollout") is is_shared


@pytest.mark.parametrize(
    ("num_gpus", "order"),
    [
        ({"rollout": 0.5, "learner": 0.4}, ["ranks start", "ranks are ready", "engines start"]),
        ({"rollout": 1, "learner": 1}, ["ranks start", "engines start", "ranks are ready"]),
    ],
)
def test_engine_starts_after_the_rank_on_its_gpu(tmp_path: Path, monkeypatch, num_gpus, order):
    seen: list[str] = []

    def ready() -> int:
        seen.append("ranks are ready")
        return 1

    def engines_ready() -> None:
        raise StartedError

    def started(what: str, actors: Any) -> Any:
        seen.append(what)
        return actors

    nothing = SimpleNamespace(wait_until_ready=lambda: None, prepare=lambda _: None)
    fakes = {
        "connect": lambda *_: nullcontext(),
        "placed": lambda requests, _: nullcontext(dict.fromkeys(requests)),
        "start_encoders": lambda *_: None,
        "start_ranks": lambda *_: started("ranks start", SimpleNamespace(wait_until_ready=ready)),
        "start_engines": lambda *_: started("engines start", SimpleNamespace(wait_until_ready=engines_ready)),
        "RewardPool": lambda *_: nothing,
        "warn_of_little_space": lambda *_: None,
        "continue_from": lambda *_: None,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(launch.train, name, fake)
    begin: Any = SimpleNamespace(metrics=[], after_step=0, status=SimpleNamespace(phase=lambda *_: nullcontext()))
    with pytest.raises(StartedError):
        launch.train._train(settings_of(tmp_path, **num_gpus), None, begin, [], None)  # pyright: ignore
    assert seen == order
