"""Rewords the fields of museum records into the forms of the Beazley Archive, which the reward's parser reads.

Museums write the same facts in other forms: "Side A: Theseus" for "A: THESEUS", "Eucharides Painter, Near the" for
"<em>Near</em> EUCHARIDES P", "Unknown artist" for an empty field. A value in none of these forms stays as it is.
"""

from vaserl.curation.canon.record import CanonicalRecord, canonical_record

__all__ = ["CanonicalRecord", "canonical_record"]
