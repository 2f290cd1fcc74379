"""The facts about a vase: what a text or a museum's record states in each of the six dimensions."""

from dataclasses import dataclass

from vaserl.rewards.vase.attribution import Attribution
from vaserl.rewards.vase.dates import YearInterval
from vaserl.types import Dimension


@dataclass(frozen=True, slots=True, order=True)
class Term:
    """A fabric, technique or shape that a text states. Example: Term(id="amphora/neck", text="")."""

    id: str
    """Id in the lexicon ("amphora/neck"); empty for a term that isn't in the lexicon."""
    text: str
    """Normalised words of a term that isn't in the lexicon; empty if `id` is set, so that synonyms are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts that a text states about a vase: a tuple of values in each dimension, empty if the text states none."""

    fabric: tuple[Term, ...] = ()
    """Distinct fabrics (where the vase was made), in the order of the text."""
    technique: tuple[Term, ...] = ()
    """Distinct painting techniques, in the order of the text."""
    shape: tuple[Term, ...] = ()
    """Distinct shapes of the vessel, in the order of the text."""
    dating: tuple[YearInterval, ...] = ()
    """Distinct dates in chronological order; none of the intervals contains another."""
    decoration: tuple[str, ...] = ()
    """Distinct lemmas of the words that describe the decoration, in the order of the text."""
    attribution: tuple[Attribution, ...] = ()
    """Distinct attributions, in the order of the text. If a museum's record has several, they are alternatives."""
    unread: str = ""
    """Code of the text's language if the parser does not read it ("de"); the text then states nothing. Else empty."""

    def __getitem__(self, dimension: Dimension) -> tuple:
        return getattr(self, dimension)
