"""Reward engine: finds reward functions by name, ships their code to workers, calls them and sums their scores.

`vaserl.rewards.vase` holds the reward of vase descriptions and its parser. Its reward functions are re-exported here
because configs name them as `vaserl.rewards:VaseReward`; no other module of the reward engine imports it. Importing
this package loads neither torch nor Ray nor transformers.
"""

from vaserl.rewards.call import RewardError, Unavailable
from vaserl.rewards.scorer import Scorer, load_scorer, make_scorer, read_sources
from vaserl.rewards.source import RewardSource, check_reward_source, mismatches
from vaserl.rewards.vase import RewardConfig, VaseReward, reference_caption, vase_caption, vase_question

__all__ = [
    "RewardConfig",
    "RewardError",
    "RewardSource",
    "Scorer",
    "Unavailable",
    "VaseReward",
    "check_reward_source",
    "load_scorer",
    "make_scorer",
    "mismatches",
    "read_sources",
    "reference_caption",
    "vase_caption",
    "vase_question",
]
