"""Records in the form of the Beazley archive: field names, upper case, signed years, "P" for painter, "A,B:" for both
sides.

Only the form follows the archive; museum, numbers and findspots are invented.
"""

import uuid

import numpy as np

from vaserl.synthetic.vase import VaseTraits

SIDES = "A,B: "
"""Prefix of a subject that is painted on both sides of the vase."""

_SCHOLAR = " by BEAZLEY"


def beazley_record(vase_id: str, number: int, traits: VaseTraits) -> dict[str, str]:
    """Returns the vase's museum record, empty fields left out. The key `id` is ours, all others are the archive's."""
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
