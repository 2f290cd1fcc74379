"""Reward functions written for other trainers, run unchanged: `trl+my_rewards.py:length_reward`.

Each adapter takes the foreign function and returns one in this system's own form. A class, or a function that makes a
reward function, becomes a `Factory`. `arguments` of the config reach the foreign function as keywords. The forms are
those of TRL 1.16, verl 0.9 and OpenRLHF 0.11.
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
"""Prefix before the `+` of a reward's name to adapter."""
