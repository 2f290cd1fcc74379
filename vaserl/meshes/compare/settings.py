"""Settings of VaseEval, the comparison of generated meshes with ground-truth meshes."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pydantic

from vaserl.settings import OpenClipSettings
from vaserl.settings.section import Section
from vaserl.settings.submitted import WRITTEN


class LpipsSettings(Section):
    """Settings of the LPIPS metric, a perceptual distance between images."""

    path: Path | None = None
    """File with torchvision's ImageNet weights for the backbone (such as alexnet-owt-7be5be79.pth); without it, LPIPS
    is omitted. The weights of the linear layers are part of torchmetrics."""
    backbone: Literal["alex", "vgg", "squeeze"] = "alex"
    """Backbone network; `path` must contain its weights. Most papers report LPIPS with "alex"."""


_ENDINGS = (
    *(r"\(\d+\)", r"\d+k", "glb", "gltf", "obj", "generated", "textured", "untextured", "shaded", "mesh", "model"),
    *("output", "pred", "gt", "scan"),
)


class VaseEvalSettings(Section):
    """Settings of the job that compares generated meshes with the ground-truth meshes of the same vases."""

    RENAMED: ClassVar = {"clip": "[open_clip]"}

    run_dir: Annotated[Path, WRITTEN]
    """Folder for the results: vaseeval.json and vaseeval.md."""
    seed: int = 0
    """Seed of the bootstrap that computes the confidence intervals."""
    generated: dict[str, Path] = pydantic.Field(min_length=1)
    """Table from each generator's name to the folder with its GLBs."""
    true: Path
    """Folder with the ground-truth GLBs, Y up as in glTF."""
    endings: tuple[str, ...] = _ENDINGS
    """Regular expressions for what may follow a vase's name in a file's name after a space, dot, hyphen or underscore
    (none is needed before a parenthesis), without regard to case. A generated mesh belongs to the true mesh of the same
    name. Without one, endings of its name are removed one by one until the rest is a true mesh's name:
    X_textured_4k.glb_shaded.glb and X_generated_(2).glb belong to X.glb. Meshes without a partner are named in the
    results. [] requires equal names."""
    texts: Path | None = None
    """JSON file that maps each true GLB's name, without suffix, to a caption. Without the file, the similarity of views
    and captions is omitted."""
    open_clip: OpenClipSettings = OpenClipSettings()
    """open_clip model that compares the generated views with the true views and with captions. Without a path to the
    model, both similarities are omitted."""
    lpips: LpipsSettings = LpipsSettings()
    """LPIPS metric; without a path to its weights, LPIPS is omitted."""
    num_views: int = pydantic.Field(default=8, ge=1)
    """Number of views of each mesh, evenly spaced over one turn."""
    resolution: int = pydantic.Field(default=256, ge=32)
    """Width and height of a rendered view in pixels; SSIM and LPIPS depend on it."""
    num_points: int = pydantic.Field(default=20_000, ge=500)
    """Number of points sampled on each mesh. Two samples of the same surface are about sqrt(area / num_points) / 2
    apart, so the Chamfer distance of two meshes that aren't identical doesn't fall below that."""

    @pydantic.field_validator("endings")
    @classmethod
    def _compile(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for ending in value:
            try:
                re.compile(ending)
            except re.error as error:
                raise ValueError(f"not a regular expression: {ending!r} ({error})") from error
        return value
