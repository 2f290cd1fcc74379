"""Names of the files in a data set, relative to its folder. Nothing outside this room spells them."""

import hashlib
import re
from urllib.parse import quote

MANIFEST = "manifest.parquet"
CARD = "DATASET.md"
SHEET = "contact_sheet.png"
SETTINGS = "config.toml"
SUMMARY = "curation.json"
MODELS, CLIPS, VIEWS, WORK = "models", "clips", "views", ".work"
UNFINISHED_MODEL = ".lift-"
"""Beginning of the names of folders in which generators write, inside the folder of the models."""

_MAX_NAME = 255 - len(".glb")
"""Characters of a vase's name among the files, all of them ASCII: file systems allow 255 bytes."""


def clip_name(digest: str) -> str:
    """Returns clips/<digest>.mp4, the turntable of this content hash."""
    return f"{CLIPS}/{digest}.mp4"


def mesh_name(vase_id: str) -> str:
    """Returns models/<vase_id>.glb, with what cannot stand in a file name escaped; no two vases share a name.

    A name that is too long for a file system is cut and ends with "=" and a digest of the id; no escaped id holds "=".
    """
    name = quote(vase_id, safe=" ,()[]")
    if name.startswith("."):  # a hidden file would be removed with the unfinished ones
        name = f"%2E{name[1:]}"
    if len(name) > _MAX_NAME:
        digest = hashlib.sha256(vase_id.encode()).hexdigest()[:32]
        start = re.sub(r"%.?$", "", name[: _MAX_NAME - len(digest) - 1])
        name = f"{start}={digest}"
    return f"{MODELS}/{name}.glb"
