"""GRPO: the two training loops and the arithmetic between sampling and the optimizer step.

Importing this package loads neither torch nor Ray. The losses need torch, so they are imported from their modules,
`vaserl.grpo.loss` and `vaserl.grpo.variants`. `vaserl.grpo.parts` defines the interfaces (Protocols) that the loops
call: engines, rewards, learner and recorder.
"""

from vaserl.grpo.advantage import advantages, group_advantages
from vaserl.grpo.baseline import ConstantBaseline
from vaserl.grpo.batch import assemble
from vaserl.grpo.draw import Draw
from vaserl.grpo.grpo import Grpo
from vaserl.grpo.loop import train
from vaserl.grpo.loop_ahead import train_ahead
from vaserl.grpo.overlong import punish_overlong
from vaserl.grpo.tasks import draw_items

__all__ = [
    "ConstantBaseline",
    "Draw",
    "Grpo",
    "advantages",
    "assemble",
    "draw_items",
    "group_advantages",
    "punish_overlong",
    "train",
    "train_ahead",
]
