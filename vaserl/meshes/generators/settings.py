"""Options of each generator: what [lift.generator_args] may hold for it."""

from pathlib import Path

import pydantic

from vaserl.settings.section import Section


class LatheSettings(Section):
    """The lathe has no options."""


class GivenSettings(Section):
    """Meshes that exist already."""

    path: str
    """Path of an existing GLB, with {vase_id} in it. A relative path starts in the source's folder."""

    @pydantic.field_validator("path")
    @classmethod
    def _names_the_vase(cls, value: str) -> str:
        if "{vase_id}" not in value:
            raise ValueError("needs {vase_id} in it, as in scans/{vase_id}.glb")
        return value


class CommandSettings(Section):
    """A program that takes an image and writes a GLB."""

    command: tuple[str, ...]
    """Program and arguments, with {photo} and {glb} in them."""
    timeout_s: float = pydantic.Field(default=300.0, gt=0)
    """Seconds after which the program is killed, with every process that it started."""
    num_retries: int = pydantic.Field(default=0, ge=0)
    """Further attempts of a program that failed or exceeded its time."""

    @pydantic.field_validator("command")
    @classmethod
    def _has_its_places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(any(name in part for part in value) for name in ("{photo}", "{glb}")):
            raise ValueError("needs {photo} and {glb} in it")
        return value

    @property
    def longest_s(self) -> float:
        """Seconds that a vase may take, retries included."""
        return (1 + self.num_retries) * self.timeout_s


class TripoSGSettings(Section):
    """TripoSG, from a checkout of its repository."""

    checkout: Path
    """Folder of the TripoSG repository."""
    weights: Path
    """Folder of its weights (VAST-AI/TripoSG): model_index.json and the folders that it names."""
    rmbg: Path | None = None
    """Folder of RMBG-1.4, the checkout's own background remover, which handles cluttered scenes; without it, the
    lathe's segmentation is used, which needs a plain background."""
    device: str = "cuda"
    """Torch device that the model runs on."""
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
    """Hunyuan3D, from a checkout of its repository."""

    checkout: Path
    """Folder of the Hunyuan3D-2 or 2.1 repository."""
    weights: Path
    """Folder of its weights, with `subfolder` in it."""
    subfolder: str = "hunyuan3d-dit-v2-0"
    """Name of the published shape model."""
    device: str = "cuda"
    """Torch device that the model runs on."""
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
