"""Names of the files in a data set, relative to its folder. Other packages import these names."""

import hashlib
import re
from urllib.parse import quote

MANIFEST = "manifest.parquet"
CARD = "DATASET.md"
SHEET = "contact_sheet.png"
SETTINGS = "config.toml"
SUMMARY = "curation.json"
MODELS, CLIPS, VIEWS, WORK = "models", "clips", "views", ".work"
PICTURES = "pictures"
"""Folder of photographs that an imported table held itself."""
UNFINISHED_MODEL = ".lift-"
"""Prefix of the temporary folders that 3D generators write to, inside the folder of the 3D models."""

_MAX_NAME = 255 - len(".glb")
"""Largest number of characters in the name of a vase's file, without suffix. All characters are ASCII, and file
systems allow 255 bytes."""


def clip_name(digest: str) -> str:
    """Returns clips/<digest>.mp4, the path of the turntable video with this content hash."""
    return f"{CLIPS}/{digest}.mp4"


def is_clip_digest(text: str) -> bool:
    """Tells whether a text of the manifest is a content hash, of which a file name can be made."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def mesh_name(vase_id: str, attempt: int = 1) -> str:
    """Returns models/<vase_id>.glb, with characters escaped that file names can't contain; no two ids share a name.

    The model of a later attempt, from another photograph, has a name of its own, such as models/<vase_id>=2.glb. A name
    that is too long for a file system is cut and ends with "=" and a hash of the id. Escaped ids contain no "=" and the
    hash has 32 digits, so the forms never collide.
    """
    ending = "" if attempt == 1 else f"={attempt}"
    name = quote(vase_id, safe=" ,()[]")
    if name.startswith("."):  # a hidden file would be removed with the unfinished ones
        name = f"%2E{name[1:]}"
    if len(name) + len(ending) > _MAX_NAME:
        digest = hashlib.sha256(vase_id.encode()).hexdigest()[:32]
        start = re.sub(r"%.?$", "", name[: _MAX_NAME - len(ending) - len(digest) - 1])
        name = f"{start}={digest}"
    return f"{MODELS}/{name}{ending}.glb"
