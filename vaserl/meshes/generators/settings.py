"""Settings of the generators that are models from a checkout."""

from pathlib import Path

import pydantic

from vaserl.settings.section import Section


class TripoSGSettings(Section):
    checkout: Path
    """Folder of the TripoSG repository."""
    weights: Path
    """Folder of its weights (VAST-AI/TripoSG): model_index.json and the parts that it names."""
    rmbg: Path | None = None
    """Folder of RMBG-1.4, the checkout's own background remover, which copes with cluttered scenes; without it our
    segmentation cuts the vase out, which wants a plain background."""
    device: str = "cuda"
    num_steps: int = pydantic.Field(default=50, ge=1)
    """Steps of the sampler; the reference took 20."""
    guidance: float = 7.0
    """Weight of the photograph against no photograph; above 1 each step runs the network twice."""
    seed: int = 42
    """Another seed gives another back."""
    num_faces: int = pydantic.Field(default=50_000, ge=200)
    """Faces of the finished model."""
    flash_decoder: bool = True
    """The fast surface extractor, which needs the package diso; off, marching cubes."""


class Hunyuan3DSettings(Section):
    checkout: Path
    """Folder of the Hunyuan3D-2 or 2.1 repository."""
    weights: Path
    """Folder of its weights, with `subfolder` in it."""
    subfolder: str = "hunyuan3d-dit-v2-0"
    """Which of the published shape models."""
    device: str = "cuda"
    num_steps: int = pydantic.Field(default=50, ge=1)
    """Steps of the sampler."""
    guidance: float = 5.0
    """Weight of the photograph against no photograph."""
    seed: int = 42
    """Another seed gives another back."""
    num_faces: int = pydantic.Field(default=50_000, ge=200)
    """Faces of the finished model."""
    octree_resolution: int = pydantic.Field(default=384, ge=16)
    """Cells along each side in which the surface is sought: finer walls, with the cube in memory."""
