"""Settings of VaseEval, the comparison of generated meshes with ground-truth meshes."""

from pathlib import Path
from typing import ClassVar, Literal

import pydantic

from vaserl.settings import OpenClipSettings
from vaserl.settings.section import Section


class LpipsSettings(Section):
    """Settings of the LPIPS metric, a perceptual distance between images."""

    path: Path | None = None
    """File with torchvision's ImageNet weights for the backbone (such as alexnet-owt-7be5be79.pth); without it, LPIPS
    is omitted. The weights of the linear layers are part of torchmetrics."""
    backbone: Literal["alex", "vgg", "squeeze"] = "alex"
    """Backbone network; `path` must contain its weights. Most papers report LPIPS with "alex"."""


class VaseEvalSettings(Section):
    """Settings of the job that compares generated meshes with ground-truth meshes of the same file name."""

    RENAMED: ClassVar = {"clip": "[open_clip]"}

    run_dir: Path
    """Folder for the results: vaseeval.json and vaseeval.md."""
    seed: int = 0
    """Seed of the bootstrap that computes the confidence intervals."""
    generated: dict[str, Path] = pydantic.Field(min_length=1)
    """Table from each generator's name to the folder with its GLBs."""
    true: Path
    """Folder with the ground-truth GLBs, Y up as in glTF."""
    texts: Path | None = None
    """JSON file that maps each GLB's name, without suffix, to a caption. Without the file, the similarity of views and
    captions is omitted."""
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
