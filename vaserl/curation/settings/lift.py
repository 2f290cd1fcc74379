"""Settings of the stages from a photograph to a turntable video: lift (3D generator), mesh gate, turntable."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import pydantic

from vaserl.meshes.generators import (
    CommandSettings,
    GivenSettings,
    Hunyuan3DSettings,
    LatheSettings,
    TripoSGSettings,
)
from vaserl.settings.section import Section

GeneratorSettings = LatheSettings | GivenSettings | CommandSettings | TripoSGSettings | Hunyuan3DSettings

GENERATOR_OPTIONS: dict[str, type[GeneratorSettings]] = {
    "lathe": LatheSettings,
    "given": GivenSettings,
    "command": CommandSettings,
    "triposg": TripoSGSettings,
    "hunyuan3d": Hunyuan3DSettings,
}
"""Settings class that parses [lift.generator_args], by name of the generator."""


class LiftSettings(Section):
    """Settings of the stage lift, which generates a 3D model from each photograph."""

    RENAMED: ClassVar = {
        "pool": "[pool.lift]",
        "given": "lift.generator_args.path",
        **{name: f"lift.generator_args.{name}" for name in ("command", "timeout_s", "num_retries")},
        **dict.fromkeys(("triposg", "hunyuan3d"), "[lift.generator_args]"),
    }

    generator: Literal["lathe", "given", "command", "triposg", "hunyuan3d"] = "lathe"
    """Generator of the 3D models. "lathe": rotates the photograph's silhouette about its axis, without a network.
    "given": takes existing GLBs. "command": runs a program that takes an image and writes a GLB. "triposg" and
    "hunyuan3d": run the neural network of that name from its checkout."""
    generator_args: dict[str, Any] = pydantic.Field(default_factory=dict, validate_default=True)
    """Options of the generator, see vaserl/meshes/generators/settings.py. "given" requires path; "command" requires
    command; "triposg" and "hunyuan3d" require checkout and weights."""

    @pydantic.field_validator("generator_args")
    @classmethod
    def _fit_the_generator(cls, value: dict[str, Any], info: pydantic.ValidationInfo) -> dict[str, Any]:
        generator = info.data.get("generator")
        if generator is None:  # its own error is reported already
            return value
        try:
            stated = GENERATOR_OPTIONS[generator].model_validate(value).model_dump(exclude_unset=True)
        except pydantic.ValidationError as error:
            known = ", ".join(GENERATOR_OPTIONS[generator].model_fields) or "none"
            wrong = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
            raise ValueError(f'{wrong} (options of generator = "{generator}": {known})') from None
        # absolute, because workers start in folders of their own
        return {name: str(v.expanduser().absolute()) if isinstance(v, Path) else v for name, v in stated.items()}

    @property
    def arguments(self) -> GeneratorSettings:
        """The generator's options as a settings object of the generator's class."""
        return GENERATOR_OPTIONS[self.generator].model_validate(self.generator_args)


class MeshGateSettings(Section):
    """Settings of the mesh gate, which checks each 3D model before its turntable video is rendered."""

    enabled: bool = True
    """Runs the stage; if false, the stage is skipped."""
    needs_texture: bool = True
    """Rejects 3D models that have neither a texture image nor colours. If false, the turntable stage still rejects
    those whose video shows one colour only."""
    max_open_edges: float = pydantic.Field(default=0.02, ge=0, le=1)
    """Largest share of the mesh's edges that have a face on one side only; a scan that lacks its underside has about
    0.01."""
    min_symmetry: float = pydantic.Field(default=0.75, ge=0, le=1)
    """Least rotational symmetry of the mesh; 1 is a perfect surface of revolution."""
    min_iou: float = pydantic.Field(default=0.8, ge=0, le=1)
    """Least intersection over union (IoU) of the 3D model's silhouette and the vase's in the photograph, which is cut
    out anew for this. A model whose photograph can't be cut out must look more like a vessel instead. With 0, models
    are not compared, and the generator's own doubt about them is ignored."""
    judge: str = ""
    """Import path, package.module:name, of a function or class that judges the meshes which passed the limits above;
    see vaserl/meshes/mesh_judge.py. If empty, the limits alone decide."""


class TurntableSettings(Section):
    """Settings of the turntable videos, each of which shows one turn of a 3D model."""

    num_frames: int = pydantic.Field(default=16, ge=2)
    """Number of frames in one turn."""
    fps: float = pydantic.Field(default=8.0, gt=0)
    """Frames per second; the video lasts num_frames / fps seconds."""
    resolution: int = pydantic.Field(default=224, ge=16, multiple_of=2)
    """Width and height of a frame in pixels."""
    stills: bool = False
    """Also keeps six canonical views of each 3D model and their normal maps, for mesh judges: twelve more renderings
    per vase."""
