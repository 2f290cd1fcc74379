"""Reads the reward settings from the config file that is passed with `--config` to commands that score texts.

The file may be the config.toml of a training run or another file with a `[reward]` table. It may also contain only
constants of the vase reward (`tau = 0.6`, `[weights] fabric = 0.3`).
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
    """A config file of which only the `[reward]` table is read; other tables are ignored."""

    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    reward: RewardSettings
    """The `[reward]` table: reward functions with their weights and arguments."""


def read_reward(path: Path | None) -> RewardSettings:
    """Reads the reward settings from a file. If `path` is None, returns the vase reward with its default constants.

    Raises: UserError if the file can't be read or has a wrong key; the message contains the path and the key.
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
        raise UserError(f"config {path}: `functions` and the other reward settings must be in a [reward] table")
    try:
        reward_config(values)
    except UserError as error:
        raise UserError(f"config {path}: {error}") from error
    return RewardSettings(functions=(_DEFAULT,), arguments={"VaseReward": values})
