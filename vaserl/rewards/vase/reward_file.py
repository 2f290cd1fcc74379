"""Reads the reward settings from the config file that is passed with `--config` to commands that score texts.

The file may be the config.toml of a training run or another file with a `[reward]` table. It may also contain only
constants of the vase reward (`tau = 0.6`, `[weights] fabric = 0.3`).
"""

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from vaserl.errors import UserError
from vaserl.rewards.vase import reward_config
from vaserl.rewards.vase.config import EARLIER_VERSIONS, REWARD_VERSION
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

    Constants of an earlier version are used with the present version, and a line on standard error says so.

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
        reward = load_config(RewardFile, path).reward
        arguments = {name: _of_this_version(constants, path) for name, constants in reward.arguments.items()}
        return reward.model_copy(update={"arguments": arguments})
    if "functions" in values:
        raise UserError(f"config {path}: `functions` and the other reward settings must be in a [reward] table")
    values = _of_this_version(values, path)
    try:
        reward_config(values)
    except UserError as error:
        raise UserError(f"config {path}: {error}") from error
    return RewardSettings(functions=(_DEFAULT,), arguments={"VaseReward": values})


def _of_this_version(constants: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Returns the constants without their version if it is an earlier one."""
    if constants.get("version") not in EARLIER_VERSIONS:
        return dict(constants)
    print(
        f"{path}: these constants are of {constants['version']}; the scores computed here are of {REWARD_VERSION}",
        file=sys.stderr,
    )
    return {name: value for name, value in constants.items() if name != "version"}
