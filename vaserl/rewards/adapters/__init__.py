"""Adapters for reward functions written for another trainer (TRL, verl, OpenRLHF), which run without changes.

In a config, the adapter is a prefix of the function's name: `trl+my_rewards.py:length_reward`. An adapter wraps the
other trainer's function in a reward function that vaserl can call. A class, or a function that creates a reward
function, is wrapped in a `Factory`. The table `reward.arguments` of the config is passed to the wrapped function as
keyword arguments. Supported signatures: TRL 1.16, verl 0.9 and OpenRLHF 0.11.
"""

from collections.abc import Callable, Mapping
from typing import Any

from vaserl.rewards.adapters.openrlhf import openrlhf
from vaserl.rewards.adapters.trl import trl, trl_text
from vaserl.rewards.adapters.verl import verl, verl_batch

ADAPTERS: Mapping[str, Callable[[Any], Any]] = {
    "trl": trl,
    "trl-text": trl_text,
    "verl": verl,
    "verl-batch": verl_batch,
    "openrlhf": openrlhf,
}
"""Adapter for each prefix that may stand before the `+` in a reward function's name."""
