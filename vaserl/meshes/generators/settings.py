"""Settings of each generator, written in the configuration's table [lift.generator_args]."""

from pathlib import Path

import pydantic

from vaserl.settings.section import Section


class GeneratorOptions(Section):
    """Options of the generators that cut the vase out of its photograph."""

    cutout: str = "network"
    """How the vase is cut out of a photograph without transparency, by the lathe, TripoSG and Hunyuan3D; the mesh gate
    has cut-outs of its own. "network": the cut-out network with its installed weights. Otherwise a path: of a folder
    with other weights of that network, of a folder with a model for image segmentation (transformers) or of the file in
    it with the model's code, which then may run, or of an ONNX file. Whatever cuts out, the network says first whether
    the photograph shows a whole vase from the side."""

    @pydantic.field_validator("cutout")
    @classmethod
    def _is_absolute(cls, value: str) -> str:
        # workers start in folders of their own
        return value if value == "network" else str(Path(value).expanduser().absolute())


class LatheSettings(GeneratorOptions):
    """Settings of the lathe."""


class GivenSettings(Section):
    """Settings of the generator that uses existing GLBs."""

    path: str
    """Path of each vase's GLB; {vase_id} is replaced by the vase's id. A relative path is relative to the same folder
    as the photographs' paths."""

    @pydantic.field_validator("path")
    @classmethod
    def _names_the_vase(cls, value: str) -> str:
        if "{vase_id}" not in value:
            raise ValueError("must contain {vase_id}, as in scans/{vase_id}.glb")
        return value


class CommandSettings(Section):
    """Settings of the generator that runs an external program, which reads an image and writes a GLB."""

    command: tuple[str, ...]
    """Program and its arguments; {photo} and {glb} are replaced by the paths of the photograph and of the GLB."""
    timeout_s: float = pydantic.Field(default=300.0, gt=0)
    """Time limit of each attempt in seconds. When it is exceeded, the program and all processes that it started are
    killed."""
    num_retries: int = pydantic.Field(default=0, ge=0)
    """Number of further attempts after the program fails or exceeds its time limit."""

    @pydantic.field_validator("command")
    @classmethod
    def _has_its_places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(any(name in part for part in value) for name in ("{photo}", "{glb}")):
            raise ValueError("must contain {photo} and {glb}")
        return value

    @property
    def longest_s(self) -> float:
        """Longest time in seconds that a vase may take, retries included."""
        return (1 + self.num_retries) * self.timeout_s


class TripoSGSettings(GeneratorOptions):
    """Settings of TripoSG, which runs from a clone of its repository."""

    checkout: Path
    """Folder with a clone of the TripoSG repository."""
    weights: Path
    """Folder with the weights (VAST-AI/TripoSG): model_index.json and the folders that are listed in it."""
    rmbg: Path | None = None
    """Folder with the weights of RMBG-1.4, the background remover of TripoSG's repository, which also works for
    cluttered scenes. Without it, `cutout` says how the vase is cut out."""
    device: str = "cuda"
    """Torch device that the network runs on."""
    num_steps: int = pydantic.Field(default=50, ge=1)
    """Number of sampler steps."""
    guidance: float = 7.0
    """Scale of classifier-free guidance; above 1, each step runs the network twice."""
    seed: int = 42
    """Seed of the sampler; it decides the shape of the back, which the photograph doesn't show."""
    num_faces: int = pydantic.Field(default=50_000, ge=200)
    """Number of faces that the finished mesh is reduced to."""
    flash_decoder: bool = True
    """If true, TripoSG's fast decoder extracts the surface with the package diso; if false, marching cubes, which the
    checkout runs on CUDA devices only. The checkout imports diso in both cases."""


class Hunyuan3DSettings(GeneratorOptions):
    """Settings of Hunyuan3D, which runs from a clone of its repository."""

    checkout: Path
    """Folder with a clone of the Hunyuan3D-2 or Hunyuan3D-2.1 repository."""
    weights: Path
    """Folder with the weights; it contains the folder `subfolder`."""
    subfolder: str = "hunyuan3d-dit-v2-0"
    """Folder in `weights` with the shape network; its name is that of the published model, such as hunyuan3d-dit-v2-1
    for a checkout of Hunyuan3D-2.1. Of a multi-view model, only the front view is used."""
    device: str = "cuda"
    """Torch device that the network runs on."""
    num_steps: int = pydantic.Field(default=50, ge=1)
    """Number of sampler steps."""
    guidance: float = 5.0
    """Scale of classifier-free guidance."""
    seed: int = 42
    """Seed of the sampler; it decides the shape of the back, which the photograph doesn't show."""
    num_faces: int = pydantic.Field(default=50_000, ge=200)
    """Number of faces that the finished mesh is reduced to."""
    octree_resolution: int = pydantic.Field(default=384, ge=16)
    """Number of cells along each side of the grid from which the surface is extracted; memory use grows with its
    cube."""
