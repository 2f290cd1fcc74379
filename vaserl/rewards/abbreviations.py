"""Catalogue shorthand written out: "Attic r.f. kylix, attrib. to Douris" is an Attic red-figure kylix."""

import re


def expand(normal: str) -> str:
    """A normalised text with the abbreviations of techniques, hands and parts of a century written out."""
    return _SHORT.sub(_written_out, normal)


_TECHNIQUES = {"rf": "red-figure", "bf": "black-figure", "wg": "white-ground"}
_COLOURS = {"r": "red", "b": "black", "bl": "black", "blk": "black"}
_SHORT = re.compile(
    r"\b(?:"
    r"(?P<technique>(?:[rb](?:\. ?-?|[/-])f|w(?:\. ?-?|[/-])g)\b)\.?"
    r"|(?P<colour>red|bl(?:ac)?k)[ -]fig\b\.?"
    r"|(?P<attributed>attr(?:ib)?\b)\.?(?P<to> to\b| ?:)?"
    r"|(?P<painter>(?:ptr|pntr)\b)\.?"
    r"|(?P<quarter>qtr\b)\.?"
    r")"
)


def _written_out(match: re.Match[str]) -> str:
    if match["technique"]:
        return _TECHNIQUES[match["technique"][0] + match["technique"][-1]]
    if match["colour"]:
        return "red-figure" if match["colour"] == "red" else "black-figure"
    if match["attributed"]:
        return "attribution:" if (match["to"] or "").endswith(":") else "attributed to"
    return "painter" if match["painter"] else "quarter"
