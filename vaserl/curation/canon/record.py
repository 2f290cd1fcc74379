"""Rewords all fields of one record that state facts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vaserl.curation.canon.absences import is_placeholder
from vaserl.curation.canon.hands import canonical_hands
from vaserl.curation.canon.sides import canonical_sides
from vaserl.curation.canon.terms import canonical_fabric, canonical_shape, canonical_technique, mentioned
from vaserl.rewards.vase import Term, parse_record
from vaserl.rewards.vase.lexicon import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalRecord:
    """A record whose fields have the forms of the Beazley Archive."""

    fields: Mapping[str, str]
    """The record's fields. Fields that held only a placeholder are left out."""
    absent: tuple[str, ...]
    """Names of the fields that held only a placeholder, such as "unknown"."""


def canonical_record(record: Mapping[str, str]) -> CanonicalRecord:
    """Returns the record with its facts in the forms of the Beazley Archive, and the fields that held placeholders.

    Fields other than the six dimensions and the provenance are unchanged. A technique in the archive's field "Sub
    Technique" is added to the technique. A fabric or technique that only the field of
    another dimension states ("Attic red-figure krater" as a shape) is added. Rewording a canonical record changes
    nothing.
    """
    fields: dict[str, str] = {}
    absent: list[str] = []
    for name, value in record.items():
        reword = _REWORDINGS.get(name)
        text = value if reword is None else "" if is_placeholder(value, name) else _reworded(name, value, reword)
        if text:
            fields[name] = text
        elif value:
            absent.append(name)
    also = mentioned("technique", record.get(_SUB_TECHNIQUE) or "")
    if also and not set(parse_record({"Technique": also}).technique) <= set(_techniques(fields)):
        fields["Technique"] = " | ".join(filter(None, (fields.get("Technique"), also)))  # "black-figure | white-ground"
    for field, vocabulary in _IN_OTHER_FIELDS.items():
        if field not in fields:  # "Attic red-figure krater" in one cell
            found = {mentioned(vocabulary, record[other]) for other in _TERMS if record.get(other)} - {""}
            if len(found) == 1:
                fields[field] = found.pop()
    return CanonicalRecord(fields=fields, absent=tuple(absent))


def _techniques(fields: Mapping[str, str]) -> tuple[Term, ...]:
    return parse_record({"Technique": fields.get("Technique", "")}).technique


def _reworded(name: str, value: str, reword: Callable[[str], str]) -> str:
    """Returns the reworded value; the value itself if the parser reads the same facts in both. The sides of a vase are
    no facts for the parser, so a decoration is always reworded."""
    text = reword(value)
    same = name != "Decoration" and text and parse_record({name: text}) == parse_record({name: value})
    return value if same else text


def _unchanged(value: str) -> str:
    return value


_SUB_TECHNIQUE = "Sub Technique"
"""Field of the Beazley Archive for a second technique: "WHITE GROUND" beside "BLACK-FIGURE"."""
_IN_OTHER_FIELDS: Mapping[str, Vocabulary] = {"Fabric": "fabric", "Technique": "technique"}
_TERMS = ("Fabric", "Technique", "Shape Name")
_REWORDINGS: Mapping[str, Callable[[str], str]] = {
    "Fabric": canonical_fabric,
    "Technique": canonical_technique,
    "Shape Name": canonical_shape,
    "Date": _unchanged,
    "Decoration": canonical_sides,
    "Attributed To": canonical_hands,
    "Provenance": _unchanged,
}
