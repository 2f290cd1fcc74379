"""Image-to-3D generators from other projects: loaded once from a checkout, called once for each photograph.

`triposg` and `hunyuan3d` give a bare surface; `finish` turns it into a model of the photograph: one piece, small holes
closed, a given number of faces, upright with the front towards +Z, in the photograph's colours. Both load torch and are
imported from their modules.
"""

from vaserl.meshes.generators.generator import Generator, LiftFailure
from vaserl.meshes.generators.settings import (
    CommandSettings,
    GivenSettings,
    Hunyuan3DSettings,
    LatheSettings,
    TripoSGSettings,
)

__all__ = [
    "CommandSettings",
    "Generator",
    "GivenSettings",
    "Hunyuan3DSettings",
    "LatheSettings",
    "LiftFailure",
    "TripoSGSettings",
]
