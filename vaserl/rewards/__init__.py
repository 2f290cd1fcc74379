"""Reward engine: finds reward functions by name, ships their code to workers, calls them and sums their scores.

The subpackage `vaserl.rewards.vase` contains the reward of vase descriptions and the parser that this reward uses. Its
reward functions are re-exported here, so that a config can refer to them as `vaserl.rewards:VaseReward`. No other
module of the reward engine imports the subpackage. Importing this package loads neither torch nor Ray nor transformers.
"""

from vaserl.rewards.call import RewardError, Unavailable
from vaserl.rewards.scorer import Scorer, load_scorer, make_scorer, read_sources
from vaserl.rewards.source import RewardSource, check_reward_source, import_source, mismatches
from vaserl.rewards.vase import RewardConfig, VaseReward, reference_caption, vase_caption, vase_question

__all__ = [
    "RewardConfig",
    "RewardError",
    "RewardSource",
    "Scorer",
    "Unavailable",
    "VaseReward",
    "check_reward_source",
    "import_source",
    "load_scorer",
    "make_scorer",
    "mismatches",
    "read_sources",
    "reference_caption",
    "vase_caption",
    "vase_question",
]
