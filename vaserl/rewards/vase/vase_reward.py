"""The class `VaseReward`: the vase reward as a reward function for a config.

Its constants come from the config. The weights of words are computed from the training records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from vaserl.errors import UserError
from vaserl.rewards.vase.answer import vase_answer
from vaserl.rewards.vase.caption import vase_caption, vase_question
from vaserl.rewards.vase.config import EARLIER_VERSIONS, REWARD_VERSION, RewardConfig
from vaserl.rewards.vase.similarity import RewardContext, fit_word_weights
from vaserl.types import Completion, Score, Task


class VaseReward:
    """The reward function for captions of vases and for answers to questions about them. Example of a config:

    [reward]
    functions = ["vaserl.rewards:VaseReward"]
    [reward.arguments.VaseReward]
    tau = 0.6
    """

    def __init__(self, **constants: Any) -> None:
        """Validates the constants and, if `encoder` is one of them, loads the sentence encoder.

        constants: fields of RewardConfig; the other fields keep their defaults.

        Raises: UserError if a constant is unknown or has a wrong value.
        """
        self.config = reward_config(constants)
        encode = None
        if self.config.encoder is not None:
            from vaserl.encoders.sentence import SentenceEncoder  # imports torch

            encode = SentenceEncoder(self.config.encoder)
        self.context = RewardContext(encode=encode)

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Computes the weights of words in decorations, their inverse document frequencies in `records`.

        Until this method is called, all words have the weight 1.
        """
        weights, unseen = fit_word_weights(records, self.config.parser)
        self.context = replace(self.context, word_weights=weights, unseen_weight=unseen)

    def __call__(self, task: Task, completion: Completion) -> Score:
        """Scores a completion: as an answer to a question if the task has one dimension or none, else as a caption."""
        if not task.dimensions:
            return vase_answer(task, completion, self.config)
        function = vase_question if len(task.dimensions) == 1 else vase_caption
        return function(task, completion, self.config, self.context)


def reward_config(constants: Mapping[str, Any]) -> RewardConfig:
    """Validates the constants of the vase reward in a config and returns them as a RewardConfig.

    Raises: UserError that lists each unknown constant and each wrong value.
    """
    try:
        return RewardConfig.model_validate(constants)
    except ValidationError as error:
        lines = [_explain(".".join(map(str, p["loc"])), p["type"], p["msg"], p["input"]) for p in error.errors()]
        raise UserError("wrong constants of the vase reward:\n  " + "\n  ".join(lines)) from error


def _explain(field: str, kind: str, message: str, given: object) -> str:
    if field == "version" and given in EARLIER_VERSIONS:
        return (
            f"version: these constants are of {given}, and this vaserl scores with {REWARD_VERSION}; delete `version`"
        )
    if kind != "extra_forbidden":
        return f"{field}: {message}" if field else message
    from vaserl.settings.nearest import nearest_name  # its package loads the settings of all jobs

    meant = nearest_name(field, RewardConfig.model_fields)
    return f"{field}: unknown constant" + (f"; did you mean {meant!r}?" if meant else "")
