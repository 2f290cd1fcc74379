"""Expands abbreviations used in museum catalogues.

Example: "r.f. kylix, attrib. to Douris" means a red-figure kylix, attributed to Douris.
"""

import re


def expand(normal: str) -> str:
    """Expands abbreviated techniques, attributions and quarters of a century in a text returned by `normalize`."""
    # Most captions have no abbreviation, and a search for these hints is cheaper than the regular expression.
    is_hinted = normal.endswith("fig") or any(map(normal.__contains__, _HINTS))
    return _SHORT.sub(_written_out, normal) if is_hinted else normal


_TECHNIQUES = {"rf": "red-figure", "bf": "black-figure", "wg": "white-ground"}
_HINTS = (".f", ". f", ".-f", ".g", ". g", ".-g", "fig.", "fig ", "fig,", "fig;", "fig)", "fig\n", "attr.", "attr ")
_HINTS += ("attr:", "attrib.", "attrib ", "attrib:", "ptr", "pntr", "qtr")
_SHORT = re.compile(
    r"\b(?:"
    r"(?P<technique>(?:[rb]\. ?-?f|w\. ?-?g)\b)\.?"
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
