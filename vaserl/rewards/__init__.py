"""Reward functions: finding them by name, calling them, and the weighted sum of what they return.

The verifiable reward itself, with its parser, is the room `vaserl.rewards.vase`; its functions are importable here too,
because configs name them as `vaserl.rewards:VaseReward`. Importing this package loads neither torch nor Ray nor
transformers.
"""

from vaserl.rewards.vase import VaseReward, gold_caption, vase_caption, vase_question

__all__ = ["VaseReward", "gold_caption", "vase_caption", "vase_question"]
