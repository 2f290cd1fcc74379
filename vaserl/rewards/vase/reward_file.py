"""Reads the file that `--config` of the scoring commands names.

It has a `[reward]` table like a training config (a run's own config.toml is one), or only constants of the vase reward
(`tau = 0.6`, `[weights] fabric = 0.3`).
"""

import tomllib
from pathlib import Path

import pydantic

from vaserl.errors import UserError
from vaserl.rewards.vase import reward_config
from vaserl.settings import RewardSettings
from vaserl.settings.section import Section, load_config

_DEFAULT = "vaserl.rewards:VaseReward"


class RewardFile(Section):
    """The `[reward]` table of a config; other tables are ignored."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    reward: RewardSettings


def read_reward(path: Path | None) -> RewardSettings:
    """Reads the reward settings of a file; None gives the vase reward with its defaults.

    Raises: UserError naming file and key.
    """
    if path is None:
        return RewardSettings(functions=(_DEFAULT,))
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"config {path}: {error}") from error
    if "reward" in values:
        return load_config(RewardFile, path).reward
    if "functions" in values:
        raise UserError(f"config {path}: put functions and their settings into a [reward] table")
    try:
        reward_config(values)
    except UserError as error:
        raise UserError(f"config {path}: {error}") from error
    return RewardSettings(functions=(_DEFAULT,), arguments={"VaseReward": values})
