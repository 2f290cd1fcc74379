"""Records in the Beazley form: field names, upper case, signed years, "P" for painter, "A,B:" for both sides.

The texts mimic the form only; museum, numbers and findspots are invented.
"""

import re
import uuid
from collections.abc import Mapping

import numpy as np

from vaserl.synthetic.figures import SUBJECTS
from vaserl.synthetic.ornament import HANDS
from vaserl.synthetic.vase import DATES, FABRICS, TECHNIQUES, PaintedFacts, VaseTraits

SIDES = "A,B: "
"""Both sides of the vase carry the same subject."""

_SCHOLAR = " by BEAZLEY"


def beazley_record(vase_id: str, number: int, traits: VaseTraits) -> dict[str, str]:
    """The vase's record; fields that would be empty are absent. `id` is ours, all others are the form's."""
    facts = traits.facts
    identity = uuid.UUID(bytes=np.random.default_rng((number, traits.paint_seed)).bytes(16), version=4)
    record = {
        "id": vase_id,
        "Vase Number": str(9_000_000 + number),
        "URI": f"urn:uuid:{identity}",
        "Fabric": facts.fabric,
        "Technique": facts.technique,
        "Shape Name": facts.shape,
        "Date": f"{facts.dating[0]} to {facts.dating[1]}",
        "Attributed To": facts.attribution + _SCHOLAR,
        "Decoration": SIDES + facts.decoration,
        "Measurements": f"HEIGHT {traits.height_cm} CM",
        "Collection Record": traits.collection,
    }
    if traits.provenance:
        record["Provenance"] = traits.provenance
    return record


def facts_from(record: Mapping[str, str]) -> PaintedFacts:
    """What a record of this world says; the inverse of `record_of`. `ValueError` names a value from elsewhere."""
    years = re.fullmatch(r"(-?\d+) to (-?\d+)", record["Date"])
    if years is None:
        raise ValueError(f"Date is {record['Date']!r}, expected e.g. '-525 to -500'")
    facts = PaintedFacts(
        fabric=record["Fabric"],
        technique=record["Technique"],
        shape=record["Shape Name"],
        dating=(int(years[1]), int(years[2])),
        decoration=record["Decoration"].removeprefix(SIDES),
        attribution=record["Attributed To"].removesuffix(_SCHOLAR),
    )
    for value, known in (
        (facts.fabric, FABRICS),
        (facts.technique, TECHNIQUES),
        (facts.dating, DATES),
        (facts.decoration, SUBJECTS),
        (facts.attribution, HANDS),
    ):
        if value not in known:
            raise ValueError(f"{value!r} isn't of the synthetic world; known: {known}")
    return facts
