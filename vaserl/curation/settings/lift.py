"""From a photograph to a turntable: the generator, the mesh gate, the turntable."""

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
"""Class of [lift.generator_args] for each generator."""


class LiftSettings(Section):
    """The generator of 3D models."""

    RENAMED: ClassVar = {
        "pool": "[pool.lift]",
        "given": "lift.generator_args.path",
        **{name: f"lift.generator_args.{name}" for name in ("command", "timeout_s", "num_retries")},
        **dict.fromkeys(("triposg", "hunyuan3d"), "[lift.generator_args]"),
    }

    generator: Literal["lathe", "given", "command", "triposg", "hunyuan3d"] = "lathe"
    """"lathe": turn the photograph's silhouette, without a model. "given": take GLBs that exist. "command": run a
    program that takes an image and writes a GLB. "triposg", "hunyuan3d": these models, from their checkouts."""
    generator_args: dict[str, Any] = pydantic.Field(default_factory=dict, validate_default=True)
    """The generator's own options, see vaserl/meshes/generators/settings.py: "given" needs path, "command" command,
    the models checkout and weights."""

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
        """The generator's options, typed."""
        return GENERATOR_OPTIONS[self.generator].model_validate(self.generator_args)


class MeshGateSettings(Section):
    """The checks of each model before its turntable is rendered."""

    enabled: bool = True
    """Runs the stage."""
    needs_texture: bool = True
    """Rejects models without a texture image or colours."""
    max_open_edges: float = pydantic.Field(default=0.02, ge=0, le=1)
    """Largest share of edges with a face on one side only; a scan that lacks its underside has about 0.01."""
    min_symmetry: float = pydantic.Field(default=0.75, ge=0, le=1)
    """Least rotational symmetry; 1 is a perfect surface of revolution."""
    min_iou: float = pydantic.Field(default=0.8, ge=0, le=1)
    """Least agreement of the model's silhouette with the photograph's."""
    judge: str = ""
    """package.module:name of a function or class that judges the models which passed the measures; see
    vaserl/meshes/judge.py. Empty: the measures decide alone."""


class TurntableSettings(Section):
    """The clips: one turn of each model."""

    num_frames: int = pydantic.Field(default=16, ge=2)
    """Frames of one turn."""
    fps: float = pydantic.Field(default=8.0, gt=0)
    """Frames a second; num_frames / fps is how long the turn lasts."""
    resolution: int = pydantic.Field(default=224, ge=16, multiple_of=2)
    """Width and height of a frame in pixels."""
    stills: bool = False
    """Keeps the six canonical views of each model and their normal maps too, for mesh judges: twelve more renderings
    for each vase."""
