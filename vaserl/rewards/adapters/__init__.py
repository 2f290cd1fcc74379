"""Adapters that run reward functions written for other trainers unchanged: `trl+my_rewards.py:length_reward`.

An adapter takes the foreign function and returns one with a signature of vaserl's own. A class, or a function that
makes a reward function, becomes a `Factory`. `reward.arguments` of the config are passed to the foreign function as
keyword arguments. The foreign signatures are those of TRL 1.16, verl 0.9 and OpenRLHF 0.11.
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
"""Adapters by the prefix before the `+` in a reward's name."""
