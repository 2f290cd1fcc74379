"""Every constant of the reward, version 1. Changing a default is a new version."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from vaserl.types import Dimension


class DimensionWeights(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """How much each dimension counts; scaled to sum 1 over the dimensions that a task asks for and has a target."""

    fabric: float = Field(default=0.20, ge=0)
    """Where the vase was made."""
    technique: float = Field(default=0.20, ge=0)
    """How it was painted."""
    shape: float = Field(default=0.15, ge=0)
    """What vessel it is."""
    dating: float = Field(default=0.15, ge=0)
    """When it was made."""
    decoration: float = Field(default=0.20, ge=0)
    """What is depicted."""
    attribution: float = Field(default=0.10, ge=0)
    """Whose hand it is."""

    def __getitem__(self, dimension: Dimension) -> float:
        return getattr(self, dimension)


class ParserConfig(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """How text is read; the same for captions, answers and records."""

    max_chars: int = Field(default=4000, gt=0)
    """Characters of a text that are parsed; the penalties count all of it."""
    spelling_cutoff: float = Field(default=0.88, gt=0, le=1)
    """Indel similarity from which a misspelt word is read as a lexicon entry."""
    single_year_margin_years: int = Field(default=10, gt=0)
    """A single year y stands for the interval [y - margin, y + margin]."""


class RewardConfig(BaseModel, frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True):
    """The reward R = sum of weight x similarity over the dimensions, minus P, plus B."""

    version: Literal["vase-reward/1"] = "vase-reward/1"
    """Written into every run."""
    weights: DimensionWeights = DimensionWeights()
    """The weight of each dimension."""
    tau: float = Field(default=0.7, ge=0, le=1)
    """A similarity below this earns nothing."""
    missing: Literal["drop", "zero"] = "drop"
    """A dimension without a target: "drop" leaves it out and scales the other weights to sum 1; "zero" keeps every
    weight, so that such a dimension earns nothing."""
    similarity: Literal["lexical", "embedding"] = "lexical"
    """"embedding" compares decoration and attribution by the cosine of a sentence encoder."""
    encoder: str | None = None
    """Name or path of the sentence encoder; required by "embedding", meaningless otherwise."""
    parser: ParserConfig = ParserConfig()
    """How text is read."""

    shape_family: float = Field(default=0.85, ge=0, le=1)
    """Similarity of two shapes of one family when one of them states no subtype."""
    shape_other_subtype: float = Field(default=0.5, ge=0, le=1)
    """Similarity of two different subtypes of one family."""
    attribution_other_qualifier: float = Field(default=0.8, ge=0, le=1)
    """Similarity of the same name under another qualifier ("near", "manner of", "group")."""
    word_cutoff: float = Field(default=0.85, gt=0, le=1)
    """Indel similarity from which two words of the decoration match."""

    length_free_words: int = Field(default=60, ge=0)
    """A caption may have this many words without a penalty."""
    length_full_words: int = Field(default=120, gt=0)
    """From this many words a caption gets the full length penalty; linear between the two."""
    question_free_words: int = Field(default=20, ge=0)
    """The same for the answer to a question."""
    question_full_words: int = Field(default=40, gt=0)
    """The same for the answer to a question: twice the free words, as for captions."""
    length_penalty: float = Field(default=0.2, ge=0)
    """The full length penalty; a completion that the token limit cut off gets it whatever its length."""
    short_words: int = Field(default=5, ge=0)
    """A caption with fewer words than this gets `short_penalty`; answers to questions may be short."""
    short_penalty: float = Field(default=0.1, ge=0)
    """Length penalty of a caption that is too short."""
    word_chars: int = Field(default=24, gt=0)
    """A run of this many characters without white space counts as a word of its own, so that length can't hide."""
    repetition_penalty: float = Field(default=0.2, ge=0)
    """Times 1 - distinct n-grams / all n-grams."""
    repetition_ngram: int = Field(default=3, gt=0)
    """Words of an n-gram."""
    repetition_min_words: int = Field(default=6, ge=0)
    """No repetition penalty for fewer words than this."""
    irrelevance_penalty: float = Field(default=0.1, ge=0)
    """Times the share of irrelevant content words, and so also its cap."""

    bonus: float = Field(default=0.1, ge=0)
    """Times the sequence-match ratio of caption and target caption."""
    bonus_min_ratio: float = Field(default=0.3, ge=0, le=1)
    """No bonus for a ratio below this."""

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
