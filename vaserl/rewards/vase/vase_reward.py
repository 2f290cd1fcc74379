"""The vase reward as a run uses it: its constants from the config, its word weights from the training records."""

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
    """Scores captions and answers to questions. Example, in a config:

    [reward]
    functions = ["vaserl.rewards:VaseReward"]
    [reward.arguments.VaseReward]
    tau = 0.6
    """

    def __init__(self, **constants: Any) -> None:
        """constants: fields of RewardConfig; the rest keep their defaults. Raises: UserError for one that is wrong."""
        self.config = reward_config(constants)
        encode = None
        if self.config.encoder is not None:
            from vaserl.encoders.sentence import SentenceEncoder  # torch, only where it is asked for

            encode = SentenceEncoder(self.config.encoder)
        self.context = RewardContext(encode=encode)

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Weighs words of the decoration by inverse document frequency over these records; until then all weigh 1."""
        weights, unseen = fit_word_weights(records, self.config.parser)
        self.context = replace(self.context, word_weights=weights, unseen_weight=unseen)

    def __call__(self, task: Task, completion: Completion) -> Score:
        """A task that asks for one of the six dimensions is a question, any other a caption."""
        function = vase_question if len(task.dimensions) == 1 else vase_caption
        return function(task, completion, self.config, self.context)


def reward_config(constants: Mapping[str, Any]) -> RewardConfig:
    """The constants of a config. Raises: UserError naming each field that is unknown or has a wrong value."""
    try:
        return RewardConfig.model_validate(constants)
    except ValidationError as error:
        lines = [_explain(".".join(map(str, p["loc"])), p["type"], p["msg"]) for p in error.errors()]
        raise UserError("the constants of the vase reward don't fit:\n  " + "\n  ".join(lines)) from error


def _explain(field: str, kind: str, message: str) -> str:
    if kind != "extra_forbidden":
        return f"{field}: {message}" if field else message
    meant = nearest_name(field, RewardConfig.model_fields)
    return f"{field}: there is no such constant" + (f"; did you mean {meant!r}?" if meant else "")
