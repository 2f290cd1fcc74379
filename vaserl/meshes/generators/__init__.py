"""Image-to-3D generators from other projects: loaded once from a clone of their repository, called for each photograph.

`triposg` and `hunyuan3d` generate a mesh without colours; import both from their modules, because they load torch.
`finish` turns the generated mesh into a mesh of the photographed vase: one connected piece, small holes closed, a given
number of faces, upright with the front towards +Z, in the photograph's colours.
"""

from vaserl.meshes.generators.generator import (
    Generator,
    GeneratorOfViews,
    LiftFailure,
    ModelOfViews,
    OtherView,
)
from vaserl.meshes.generators.settings import (
    CommandSettings,
    GeneratorOptions,
    GivenSettings,
    Hunyuan3DSettings,
    LatheSettings,
    TripoSGSettings,
)

__all__ = [
    "CommandSettings",
    "Generator",
    "GeneratorOfViews",
    "GeneratorOptions",
    "GivenSettings",
    "Hunyuan3DSettings",
    "LatheSettings",
    "LiftFailure",
    "ModelOfViews",
    "OtherView",
    "TripoSGSettings",
]
