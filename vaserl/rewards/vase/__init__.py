"""The verifiable reward: scores how well a text states the facts of a museum's record of a vase.

The facts have six dimensions: fabric, technique, shape, dating, decoration and attribution.

    from vaserl.rewards.vase import reference_caption, vase_caption
    score = vase_caption(task, completion)

The functions are pure: they use no model, no clock, no randomness and no files other than the lexicons. They import
neither torch nor Ray nor transformers, unless the config sets a sentence encoder.

Three terms are used throughout. The record is the museum's row for a vase: a dict of text fields. The reference is the
complete caption that a perfect policy would write. The target is the set of values that a completion is compared with:
those of the record or, if the record states none of the six dimensions, those of the reference.
"""

from vaserl.rewards.vase.answer import answer_kind, vase_answer
from vaserl.rewards.vase.attribution import Attribution
from vaserl.rewards.vase.caption import target_facts, vase_caption, vase_question
from vaserl.rewards.vase.config import (
    EARLIER_VERSIONS,
    REWARD_VERSION,
    DimensionWeights,
    ParserConfig,
    RewardConfig,
    WrongCosts,
)
from vaserl.rewards.vase.dates import YearInterval
from vaserl.rewards.vase.facts import Facts, Term
from vaserl.rewards.vase.facts_json import facts_as_json
from vaserl.rewards.vase.lexicon import Entry, lexicon
from vaserl.rewards.vase.parse import parse_caption, parse_record, parse_value
from vaserl.rewards.vase.reference import caption_from_facts, lists_keywords, reference_caption
from vaserl.rewards.vase.similarity import RewardContext, fit_word_weights
from vaserl.rewards.vase.vase_reward import VaseReward, reward_config

__all__ = [
    "EARLIER_VERSIONS",
    "REWARD_VERSION",
    "Attribution",
    "DimensionWeights",
    "Entry",
    "Facts",
    "ParserConfig",
    "RewardConfig",
    "RewardContext",
    "Term",
    "VaseReward",
    "WrongCosts",
    "YearInterval",
    "answer_kind",
    "caption_from_facts",
    "facts_as_json",
    "fit_word_weights",
    "lexicon",
    "lists_keywords",
    "parse_caption",
    "parse_record",
    "parse_value",
    "reference_caption",
    "reward_config",
    "target_facts",
    "vase_answer",
    "vase_caption",
    "vase_question",
]
