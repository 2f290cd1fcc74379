"""Settings of VaseEval."""

from pathlib import Path
from typing import ClassVar, Literal

import pydantic

from vaserl.settings import OpenClipSettings
from vaserl.settings.section import Section


class LpipsSettings(Section):
    """The network of the LPIPS metric."""

    path: Path | None = None
    """torchvision's ImageNet weights of the backbone (such as alexnet-owt-7be5be79.pth); without it, LPIPS is omitted.
    The weights of the linear layers are part of torchmetrics."""
    backbone: Literal["alex", "vgg", "squeeze"] = "alex"
    """The network of the weights; most papers report "alex"."""


class VaseEvalSettings(Section):
    """A comparison of generated meshes with true ones of the same name."""

    RENAMED: ClassVar = {"clip": "[open_clip]"}

    run_dir: Path
    """Folder for vaseeval.json and vaseeval.md."""
    seed: int = 0
    """Seed of the bootstrap."""
    generated: dict[str, Path] = pydantic.Field(min_length=1)
    """Name of each generator and the folder with its GLBs."""
    true: Path
    """Folder with the true GLBs, Y up as in glTF."""
    texts: Path | None = None
    """JSON object from a GLB's name without suffix to its caption; without it, the text score is omitted."""
    open_clip: OpenClipSettings = OpenClipSettings()
    """open_clip model of the image and text scores; without a path, they are omitted."""
    lpips: LpipsSettings = LpipsSettings()
    num_views: int = pydantic.Field(default=8, ge=1)
    """Number of views of one turn."""
    resolution: int = pydantic.Field(default=256, ge=32)
    """Width and height of an image in pixels; SSIM and LPIPS depend on it."""
    num_points: int = pydantic.Field(default=20_000, ge=500)
    """Points on each surface. Two samples of one surface are about sqrt(area / num_points) / 2 apart, which is the
    smallest Chamfer distance of surfaces that aren't the same mesh."""
