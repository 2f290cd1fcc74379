"""The settings of a comparison of generators."""

from pathlib import Path
from typing import Literal

import pydantic

from vaserl.settings import OpenClipSettings
from vaserl.settings.section import Section


class LpipsSettings(Section):
    """The network of the LPIPS metric."""

    path: Path | None = None
    """torchvision's ImageNet weights of the backbone (such as alexnet-owt-7be5be79.pth); without it LPIPS is left out.
    The weights of its linear layers come with torchmetrics."""
    backbone: Literal["alex", "vgg", "squeeze"] = "alex"
    """Which network the weights belong to; papers mostly report "alex"."""


class VaseEvalSettings(Section):
    """Generated models against true ones of the same name."""

    run_dir: Path
    """Where vaseeval.json and vaseeval.md are written."""
    seed: int = 0
    """Draws the bootstrap's samples."""
    generated: dict[str, Path] = pydantic.Field(min_length=1)
    """Name of each generator and the folder with its GLBs."""
    true: Path
    """Folder with the true GLBs; Y is up, as glTF demands."""
    texts: Path | None = None
    """JSON object from a GLB's name without suffix to its caption; without it the CLIP text score is left out."""
    clip: OpenClipSettings = OpenClipSettings()
    """open_clip model of the CLIP scores; without a path they are left out."""
    lpips: LpipsSettings = LpipsSettings()
    num_views: int = pydantic.Field(default=8, ge=1)
    """Pictures of one turn."""
    resolution: int = pydantic.Field(default=256, ge=32)
    """Width and height of a picture in pixels; SSIM and LPIPS depend on it."""
    num_points: int = pydantic.Field(default=20_000, ge=500)
    """Points on each surface; two samples of one surface lie about sqrt(area / num_points) / 2 apart, which is the
    Chamfer distance's floor for models that aren't the same mesh."""
