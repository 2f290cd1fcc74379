"""Constants of the vase reward, version 2. Whoever changes a default must also change the version."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from vaserl.types import Dimension

REWARD_VERSION = "vase-reward/2"
"""Version of the vase reward: of its default constants, its parser and its lexicons."""
EARLIER_VERSIONS = ("vase-reward/1",)
"""Versions whose scores stored runs may contain. Their configs can be read; their scores can't be computed any more."""


class DimensionWeights(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Weights of the six dimensions in the reward.

    If `missing = "drop"`, the reward uses only the weights of dimensions with a target value, scaled to sum to 1.
    """

    fabric: float = Field(default=0.20, ge=0)
    """Weight of the fabric: where the vase was made."""
    technique: float = Field(default=0.20, ge=0)
    """Weight of the technique: how the vase was painted."""
    shape: float = Field(default=0.15, ge=0)
    """Weight of the shape: the kind of vessel."""
    dating: float = Field(default=0.15, ge=0)
    """Weight of the dating: when the vase was made."""
    decoration: float = Field(default=0.20, ge=0)
    """Weight of the decoration: what is painted on the vase."""
    attribution: float = Field(default=0.10, ge=0)
    """Weight of the attribution: the painter, potter or group."""

    def __getitem__(self, dimension: Dimension) -> float:
        return getattr(self, dimension)


class WrongCosts(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Costs of a wrong value, by dimension. 0 treats a wrong value as silence.

    A dimension's reward r_i is minus its cost if the text states the dimension, and none of its values passes tau. With
    a cost c, a guess that is right with probability p and would earn 1 pays only if p > c / (1 + c): of the defaults,
    0.25 asks a fabric to be right once in five times, 0.5 a hand once in three.
    """

    fabric: float = Field(default=0.25, ge=0, le=1)
    """Cost of a wrong fabric."""
    technique: float = Field(default=0.0, ge=0, le=1)
    """Cost of a wrong technique."""
    shape: float = Field(default=0.0, ge=0, le=1)
    """Cost of a wrong shape."""
    dating: float = Field(default=0.0, ge=0, le=1)
    """Cost of a wrong date."""
    decoration: float = Field(default=0.0, ge=0, le=1)
    """Cost of a decoration whose words are too different."""
    attribution: float = Field(default=0.5, ge=0, le=1)
    """Cost of a wrong hand."""

    def __getitem__(self, dimension: Dimension) -> float:
        return getattr(self, dimension)


class ParserConfig(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Constants of the parser, which extracts facts from captions, answers and museum records."""

    max_chars: int = Field(default=4000, gt=0)
    """Number of characters of a text that are parsed. The penalties and the bonus are computed from the whole text."""
    spelling_cutoff: float = Field(default=0.88, gt=0, le=1)
    """Smallest similarity at which a misspelt word counts as a name in the lexicon, in (0, 1]. The similarity is
    1 - (number of insertions and deletions) / (number of characters of word and name)."""
    single_year_margin_years: int = Field(default=10, gt=0)
    """Margin in years around a single year y: the parser converts y to the interval [y - margin, y + margin]."""


class RewardConfig(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Constants of the vase reward: the weighted sum of six dimensions' similarities, minus penalties, plus a bonus."""

    version: Literal["vase-reward/2"] = REWARD_VERSION
    """Version of the reward: its default constants, its parser and its lexicons; stored with every run."""
    weights: DimensionWeights = DimensionWeights()
    """Weight of each dimension, such as the shape, in the reward."""
    tau: float = Field(default=0.7, ge=0, le=1)
    """Threshold of the similarity of a stated and a target value: a similarity below it is replaced by 0."""
    wrong_costs: WrongCosts = WrongCosts()
    """What a wrong value of each dimension costs, so that it earns less than silence. All 0 is the formula of the
    paper."""
    reversed_roles_cost: float = Field(default=0.3, ge=0, le=1)
    """Share of the decoration's reward that is lost if all of the record's roles are turned around: "Hektor slays
    Achilles" for "Achilles slays Hektor". 0 is the formula of the paper."""
    missing: Literal["drop", "zero"] = "drop"
    """Treatment of a dimension without a target value. "drop" leaves the dimension out and scales the other weights to
    sum to 1; "zero" counts the dimension as 0 and keeps all weights."""
    similarity: Literal["lexical", "embedding"] = "lexical"
    """Method that compares two decorations or two attributions. "lexical" compares their words; "embedding" computes
    the cosine similarity of their vectors from a sentence encoder."""
    encoder: str | None = None
    """Folder of the sentence encoder (transformers format). It must be set if `similarity` is "embedding", and only
    then."""
    parser: ParserConfig = ParserConfig()
    """Constants of the parser that reads captions, answers and museum records."""

    shape_family: float = Field(default=0.85, ge=0, le=1)
    """Similarity of a shape and one of its subtypes: amphora and neck-amphora."""
    shape_other_subtype: float = Field(default=0.5, ge=0, le=1)
    """Similarity of two different subtypes of one shape: neck-amphora and belly-amphora."""
    attribution_other_qualifier: float = Field(default=0.8, ge=0, le=1)
    """Similarity of two attributions with the same name but different qualifiers ("near") or roles ("group")."""
    dating_inside: float = Field(default=0.5, ge=0, le=1)
    """Reward of a stated date whose similarity is below `tau`, but that lies within the target's: c. 515 BCE for
    550-500 BCE. 0 rewards no such date."""
    dating_inside_share: float = Field(default=0.75, gt=0, le=1)
    """Smallest share of the stated interval's years that must be years of the target's for `dating_inside`."""
    word_cutoff: float = Field(default=0.85, gt=0, le=1)
    """Smallest similarity in spelling, in (0, 1], at which two words of the decoration count as the same word."""

    length_free_words: int = Field(default=60, ge=0)
    """Largest number of words of a caption without a length penalty for too many words."""
    length_full_words: int = Field(default=120, gt=0)
    """Number of words from which a caption gets the full length penalty. Between `length_free_words` and this number
    the penalty rises linearly."""
    question_free_words: int = Field(default=20, ge=0)
    """Largest number of words of an answer to a question without a length penalty."""
    question_full_words: int = Field(default=40, gt=0)
    """Number of words from which an answer to a question gets the full length penalty."""
    length_penalty: float = Field(default=0.2, ge=0)
    """Full length penalty. A completion that the token limit cut off gets it at any number of words."""
    short_words: int = Field(default=5, ge=0)
    """Smallest number of words of a caption without `short_penalty`; an answer to a question has no such limit."""
    short_penalty: float = Field(default=0.1, ge=0)
    """Length penalty of a caption with fewer than `short_words` words."""
    word_chars: int = Field(default=24, gt=0)
    """Largest length of a word, in characters. Longer text without white space counts as several words, so that a
    caption can't avoid the length penalty by omitting spaces."""
    repetition_penalty: float = Field(default=0.2, ge=0)
    """Largest repetition penalty; it is multiplied by the share of repeated n-grams, 1 - distinct / all n-grams."""
    repetition_ngram: int = Field(default=3, gt=0)
    """Number of words in each n-gram whose repetition is penalised."""
    repetition_min_words: int = Field(default=6, ge=0)
    """Smallest number of words of a text that may get a repetition penalty."""
    irrelevance_penalty: float = Field(default=0.1, ge=0)
    """Largest irrelevance penalty; it is multiplied by the share of irrelevant content words, which are in neither the
    record, nor the reference caption, nor a lexicon."""

    bonus: float = Field(default=0.1, ge=0)
    """Largest bonus; it is multiplied by the share of words that the caption and the reference caption have in common,
    in the same order."""
    bonus_min_ratio: float = Field(default=0.3, ge=0, le=1)
    """Smallest share of words in common with the reference caption, in the same order, for which there is a bonus."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.similarity == "embedding") != (self.encoder is not None):
            raise ValueError('encoder must be set if similarity = "embedding", and only then')
        if self.length_free_words >= self.length_full_words:
            raise ValueError("length_free_words must be below length_full_words")
        if self.question_free_words >= self.question_full_words:
            raise ValueError("question_free_words must be below question_full_words")
        if not any(weight > 0 for _, weight in self.weights):
            raise ValueError("at least one of the weights must be above 0")
        return self
