"""A reward as a file: what `--config` of the scoring commands reads.

Either a `[reward]` table as in a training config (a run's own config.toml will do), or nothing but constants of the
vase reward (`tau = 0.6`, `[weights] fabric = 0.3`).
"""

import tomllib
from pathlib import Path

import pydantic

from vaserl.errors import UserError
from vaserl.rewards.vase import reward_config
from vaserl.settings import RewardSettings
from vaserl.settings.section import Section, load_config

DEFAULT = "vaserl.rewards:VaseReward"


class RewardFile(Section):
    """The part of a config that says what is rewarded; other tables are not looked at."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    reward: RewardSettings
    """What is rewarded."""


def read_reward(path: Path | None) -> RewardSettings:
    """The reward of a file, the vase reward with its defaults without one. Raises: UserError naming file and key."""
    if path is None:
        return RewardSettings(functions=(DEFAULT,))
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"config {path}: {error}") from error
    if "reward" in values:
        return load_config(RewardFile, path).reward
    if "functions" in values:
        raise UserError(f"config {path}: put functions and what goes with them under a [reward] table")
    try:
        reward_config(values)
    except UserError as error:
        raise UserError(f"config {path}: {error}") from error
    return RewardSettings(functions=(DEFAULT,), arguments={"VaseReward": values})
