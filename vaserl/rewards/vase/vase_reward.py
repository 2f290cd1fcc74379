"""The vase reward as a class that a config can name; it takes its constants from the config and the weights of words
from the training records."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from vaserl.errors import UserError
from vaserl.rewards.vase.caption import vase_caption, vase_question
from vaserl.rewards.vase.config import RewardConfig
from vaserl.rewards.vase.similarity import RewardContext, fit_word_weights
from vaserl.settings.nearest import nearest_name
from vaserl.types import Completion, Score, Task


class VaseReward:
    """The vase reward of captions and of answers to questions. Example of a config:

    [reward]
    functions = ["vaserl.rewards:VaseReward"]
    [reward.arguments.VaseReward]
    tau = 0.6
    """

    def __init__(self, **constants: Any) -> None:
        """Validates the constants and loads the sentence encoder, if one is set.

        constants: fields of RewardConfig; the others keep their defaults. Raises: UserError for a wrong constant.
        """
        self.config = reward_config(constants)
        encode = None
        if self.config.encoder is not None:
            from vaserl.encoders.sentence import SentenceEncoder  # imports torch

            encode = SentenceEncoder(self.config.encoder)
        self.context = RewardContext(encode=encode)

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Weighs the words of decorations by inverse document frequency over these records; until then all are 1."""
        weights, unseen = fit_word_weights(records, self.config.parser)
        self.context = replace(self.context, word_weights=weights, unseen_weight=unseen)

    def __call__(self, task: Task, completion: Completion) -> Score:
        """Scores a completion; a task that asks for one dimension is a question, any other a caption."""
        function = vase_question if len(task.dimensions) == 1 else vase_caption
        return function(task, completion, self.config, self.context)


def reward_config(constants: Mapping[str, Any]) -> RewardConfig:
    """Validates the constants of the vase reward that a config sets.

    Raises: UserError naming each unknown constant and each wrong value.
    """
    try:
        return RewardConfig.model_validate(constants)
    except ValidationError as error:
        lines = [_explain(".".join(map(str, p["loc"])), p["type"], p["msg"]) for p in error.errors()]
        raise UserError("wrong constants of the vase reward:\n  " + "\n  ".join(lines)) from error


def _explain(field: str, kind: str, message: str) -> str:
    if kind != "extra_forbidden":
        return f"{field}: {message}" if field else message
    meant = nearest_name(field, RewardConfig.model_fields)
    return f"{field}: there is no such constant" + (f"; did you mean {meant!r}?" if meant else "")
