"""The constants of the reward, version 1. A changed default needs a new version."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from vaserl.types import Dimension


class DimensionWeights(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Weight of each dimension; scaled to sum 1 over the dimensions that a task asks for and that have a target."""

    fabric: float = Field(default=0.20, ge=0)
    """Weight of where the vase was made."""
    technique: float = Field(default=0.20, ge=0)
    """Weight of how it was painted."""
    shape: float = Field(default=0.15, ge=0)
    """Weight of the kind of vessel."""
    dating: float = Field(default=0.15, ge=0)
    """Weight of when it was made."""
    decoration: float = Field(default=0.20, ge=0)
    """Weight of what is depicted."""
    attribution: float = Field(default=0.10, ge=0)
    """Weight of the painter, potter or group."""

    def __getitem__(self, dimension: Dimension) -> float:
        return getattr(self, dimension)


class ParserConfig(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """Constants of the parser; captions, answers and records are read with the same ones."""

    max_chars: int = Field(default=4000, gt=0)
    """Length of a text's beginning that is parsed, in characters; the penalties count the whole text."""
    spelling_cutoff: float = Field(default=0.88, gt=0, le=1)
    """Indel similarity, in (0, 1], from which a misspelt word is read as a lexicon entry."""
    single_year_margin_years: int = Field(default=10, gt=0)
    """A single year y is read as the interval [y - margin, y + margin]."""


class RewardConfig(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """The reward R = sum of weight x similarity over the dimensions, minus P, plus B."""

    version: Literal["vase-reward/1"] = "vase-reward/1"
    """Version of the constants; stored with every run."""
    weights: DimensionWeights = DimensionWeights()
    """Weight of each dimension."""
    tau: float = Field(default=0.7, ge=0, le=1)
    """A similarity below this earns nothing."""
    missing: Literal["drop", "zero"] = "drop"
    """A dimension without a target: "drop" leaves it out and scales the other weights to sum 1; "zero" keeps every
    weight, so that such a dimension earns nothing."""
    similarity: Literal["lexical", "embedding"] = "lexical"
    """"embedding" compares decoration and attribution by the cosine of a sentence encoder."""
    encoder: str | None = None
    """Folder of the sentence encoder; required by "embedding", refused otherwise."""
    parser: ParserConfig = ParserConfig()
    """Constants of the parser."""

    shape_family: float = Field(default=0.85, ge=0, le=1)
    """Similarity of two shapes of one family when one of them states no subtype."""
    shape_other_subtype: float = Field(default=0.5, ge=0, le=1)
    """Similarity of two different subtypes of one family."""
    attribution_other_qualifier: float = Field(default=0.8, ge=0, le=1)
    """Similarity of the same name under another qualifier ("near", "manner of", "group")."""
    word_cutoff: float = Field(default=0.85, gt=0, le=1)
    """Indel similarity from which two words of the decoration match."""

    length_free_words: int = Field(default=60, ge=0)
    """Largest number of words of a caption without a length penalty."""
    length_full_words: int = Field(default=120, gt=0)
    """Number of words from which a caption gets the full length penalty; the penalty is linear in between."""
    question_free_words: int = Field(default=20, ge=0)
    """Largest number of words of an answer to a question without a length penalty."""
    question_full_words: int = Field(default=40, gt=0)
    """Number of words from which an answer to a question gets the full length penalty."""
    length_penalty: float = Field(default=0.2, ge=0)
    """Full length penalty; a completion that the token limit cut off gets it at any length."""
    short_words: int = Field(default=5, ge=0)
    """A caption with fewer words than this gets `short_penalty`; answers to questions may be short."""
    short_penalty: float = Field(default=0.1, ge=0)
    """Length penalty of a caption that is too short."""
    word_chars: int = Field(default=24, gt=0)
    """Largest length of a word, in characters; a longer run without white space counts as several words, because
    omitting spaces must not shorten a caption."""
    repetition_penalty: float = Field(default=0.2, ge=0)
    """Factor of 1 - distinct n-grams / all n-grams."""
    repetition_ngram: int = Field(default=3, gt=0)
    """Number of words of an n-gram."""
    repetition_min_words: int = Field(default=6, ge=0)
    """Number of words below which there is no repetition penalty."""
    irrelevance_penalty: float = Field(default=0.1, ge=0)
    """Factor of the share of irrelevant content words, and so the largest irrelevance penalty."""

    bonus: float = Field(default=0.1, ge=0)
    """Factor of the sequence-match ratio of caption and reference."""
    bonus_min_ratio: float = Field(default=0.3, ge=0, le=1)
    """Ratio below which there is no bonus."""

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
