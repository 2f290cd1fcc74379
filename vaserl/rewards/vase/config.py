"""Constants of the vase reward, version 1. A changed default needs a new version."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from vaserl.types import Dimension


class DimensionWeights(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Weights of the six dimensions in the reward.

    With `missing = "drop"` they are scaled to sum 1 over the dimensions that a task asks for and that have a target.
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


class ParserConfig(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Constants of the parser, which reads captions, answers and museum records alike."""

    max_chars: int = Field(default=4000, gt=0)
    """Number of characters that the parser reads; it ignores the rest of a text, penalties and bonus do not."""
    spelling_cutoff: float = Field(default=0.88, gt=0, le=1)
    """Smallest Indel similarity (1 - insertions and deletions / characters of both words) at which a misspelt word is
    read as a lexicon entry, in (0, 1]."""
    single_year_margin_years: int = Field(default=10, gt=0)
    """Margin around a single year, in years: the year y is read as the interval [y - margin, y + margin]."""


class RewardConfig(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Constants of the vase reward: weighted sum of the dimensions' similarities, minus penalties, plus a bonus."""

    version: Literal["vase-reward/1"] = "vase-reward/1"
    """Version of the default constants; stored with every run."""
    weights: DimensionWeights = DimensionWeights()
    """Weight of each dimension."""
    tau: float = Field(default=0.7, ge=0, le=1)
    """Smallest similarity of a dimension that counts; a lower one is replaced by 0."""
    missing: Literal["drop", "zero"] = "drop"
    """Treatment of a dimension without a target value: "drop" leaves it out and scales the other weights to sum 1;
    "zero" counts it as 0 and keeps all weights."""
    similarity: Literal["lexical", "embedding"] = "lexical"
    """How decoration and attribution are compared: "lexical" by their words, "embedding" by the cosine similarity of
    their vectors from a sentence encoder."""
    encoder: str | None = None
    """Folder of the sentence encoder (transformers format); required by "embedding", an error with "lexical"."""
    parser: ParserConfig = ParserConfig()
    """Constants of the parser that reads captions, answers and museum records."""

    shape_family: float = Field(default=0.85, ge=0, le=1)
    """Similarity of two shapes of one family when one has no subtype: amphora and neck-amphora."""
    shape_other_subtype: float = Field(default=0.5, ge=0, le=1)
    """Similarity of two different subtypes of one shape family: neck-amphora and belly-amphora."""
    attribution_other_qualifier: float = Field(default=0.8, ge=0, le=1)
    """Similarity of two attributions with one name but another qualifier ("near", "manner of") or role ("group")."""
    word_cutoff: float = Field(default=0.85, gt=0, le=1)
    """Smallest similarity in spelling (Indel similarity, in (0, 1]) at which two words of the decoration match."""

    length_free_words: int = Field(default=60, ge=0)
    """Number of words up to which a caption gets no length penalty."""
    length_full_words: int = Field(default=120, gt=0)
    """Number of words from which a caption gets the full length penalty; it rises linearly from `length_free_words`."""
    question_free_words: int = Field(default=20, ge=0)
    """Number of words up to which an answer to a question gets no length penalty."""
    question_full_words: int = Field(default=40, gt=0)
    """Number of words from which an answer to a question gets the full length penalty."""
    length_penalty: float = Field(default=0.2, ge=0)
    """Full length penalty; a completion that the token limit cut off gets it whatever its number of words."""
    short_words: int = Field(default=5, ge=0)
    """Number of words below which a caption gets `short_penalty`; answers to questions may be shorter."""
    short_penalty: float = Field(default=0.1, ge=0)
    """Length penalty of a caption with fewer than `short_words` words."""
    word_chars: int = Field(default=24, gt=0)
    """Largest length of a word, in characters; a longer run without white space counts as several words, because
    omitting spaces must not shorten a caption."""
    repetition_penalty: float = Field(default=0.2, ge=0)
    """Factor of the repetition penalty; it multiplies the share of repeated n-grams, 1 - distinct / all."""
    repetition_ngram: int = Field(default=3, gt=0)
    """Length of the n-grams whose repetition is penalised, in words."""
    repetition_min_words: int = Field(default=6, ge=0)
    """Number of words below which a text gets no repetition penalty."""
    irrelevance_penalty: float = Field(default=0.1, ge=0)
    """Largest irrelevance penalty; it is multiplied by the share of content words that are irrelevant."""

    bonus: float = Field(default=0.1, ge=0)
    """Largest bonus; it is multiplied by the share of words that caption and reference have in the same order."""
    bonus_min_ratio: float = Field(default=0.3, ge=0, le=1)
    """Smallest share of words in the same order as in the reference for which a caption gets a bonus."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.similarity == "embedding") != (self.encoder is not None):
            raise ValueError('encoder must be given with similarity = "embedding", and only then')
        if self.length_free_words >= self.length_full_words:
            raise ValueError("length_free_words must be below length_full_words")
        if self.question_free_words >= self.question_full_words:
            raise ValueError("question_free_words must be below question_full_words")
        if not any(weight > 0 for _, weight in self.weights):
            raise ValueError("at least one dimension needs a weight above 0")
        return self
