"""Creates museum records of synthetic vases in the form of the records of the Beazley archive.

As in the archive, values are in upper case, years BCE are negative, "P" means painter, and "A,B:" means both sides of
the vase. The field names are the archive's too. The museum and the numbers are invented,
and findspots are random.
"""

import uuid

import numpy as np

from vaserl.synthetic.vase import VaseTraits

SIDES = "A,B: "
"""Prefix of a subject that is painted on both sides of the vase."""

_SCHOLAR = " by BEAZLEY"


def beazley_record(vase_id: str, number: int, traits: VaseTraits) -> dict[str, str]:
    """Returns the vase's museum record by field name.

    `id` is the only field name that the Beazley archive doesn't have. An unknown findspot has no field.
    """
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
