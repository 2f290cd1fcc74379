"""Settings of the generators that run from a checkout."""

from pathlib import Path

import pydantic

from vaserl.settings.section import Section


class TripoSGSettings(Section):
    checkout: Path
    """Folder of the TripoSG repository."""
    weights: Path
    """Folder of its weights (VAST-AI/TripoSG): model_index.json and the folders that it names."""
    rmbg: Path | None = None
    """Folder of RMBG-1.4, the checkout's own background remover, which handles cluttered scenes; without it, the
    lathe's segmentation is used, which needs a plain background."""
    device: str = "cuda"
    num_steps: int = pydantic.Field(default=50, ge=1)
    """Steps of the sampler."""
    guidance: float = 7.0
    """Scale of classifier-free guidance; above 1, each step runs the network twice."""
    seed: int = 42
    """The seed decides the unseen back."""
    num_faces: int = pydantic.Field(default=50_000, ge=200)
    """Number of faces of the finished model."""
    flash_decoder: bool = True
    """Uses the fast surface extractor, which needs the package diso; otherwise marching cubes."""


class Hunyuan3DSettings(Section):
    checkout: Path
    """Folder of the Hunyuan3D-2 or 2.1 repository."""
    weights: Path
    """Folder of its weights, with `subfolder` in it."""
    subfolder: str = "hunyuan3d-dit-v2-0"
    """Name of the published shape model."""
    device: str = "cuda"
    num_steps: int = pydantic.Field(default=50, ge=1)
    """Steps of the sampler."""
    guidance: float = 5.0
    """Scale of classifier-free guidance."""
    seed: int = 42
    """The seed decides the unseen back."""
    num_faces: int = pydantic.Field(default=50_000, ge=200)
    """Number of faces of the finished model."""
    octree_resolution: int = pydantic.Field(default=384, ge=16)
    """Grid cells along each side for extracting the surface; memory grows with its cube."""
