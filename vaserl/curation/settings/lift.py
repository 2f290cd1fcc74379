"""From a photograph to a turntable: the generator, the gate behind it, the film."""

from typing import Literal

import pydantic

from vaserl.curation.settings.pool import PoolSettings
from vaserl.meshes.generators import Hunyuan3DSettings, TripoSGSettings
from vaserl.settings.section import Section


class LiftSettings(Section):
    generator: Literal["lathe", "given", "command", "triposg", "hunyuan3d"] = "lathe"
    """"lathe": turn the photograph's silhouette, without a model. "given": take GLBs that exist. "command": run a
    program that takes an image and writes a GLB. "triposg", "hunyuan3d": these models, from their checkouts."""
    triposg: TripoSGSettings | None = None
    """For "triposg"."""
    hunyuan3d: Hunyuan3DSettings | None = None
    """For "hunyuan3d"."""
    given: str = ""
    """Path of an existing GLB, with {vase_id} in it; "given" only. A relative path starts in the source's folder."""
    command: tuple[str, ...] = ()
    """Program and arguments, with {photo} and {glb} in them; "command" only."""
    timeout_s: float = pydantic.Field(default=300.0, gt=0)
    """Seconds after which a command is killed, with every process that it started."""
    num_retries: int = pydantic.Field(default=0, ge=0)
    """Further attempts of a command that failed or ran out of time."""
    pool: PoolSettings = PoolSettings(num_workers=2, num_cpus=1, batch_size=1, timeout_s=1800)

    @pydantic.model_validator(mode="after")
    def _generator_has_what_it_needs(self):
        if self.generator == "given" and "{vase_id}" not in self.given:
            raise ValueError('generator = "given" needs given = "…{vase_id}….glb"')
        if self.generator in ("triposg", "hunyuan3d") and getattr(self, self.generator) is None:
            raise ValueError(f'generator = "{self.generator}" needs a section [lift.{self.generator}]')
        if self.generator == "command" and not all(
            any(name in part for part in self.command) for name in ("{photo}", "{glb}")
        ):
            raise ValueError('generator = "command" needs a command with {photo} and {glb} in it')
        longest_s = (1 + self.num_retries) * self.timeout_s
        if self.generator == "command" and self.pool.timeout_s <= longest_s:
            raise ValueError(
                f"pool.timeout_s = {self.pool.timeout_s:g} would kill a command that may take {longest_s:g} s with its "
                "retries; give more, or a lower timeout_s"
            )
        return self


class MeshGateSettings(Section):
    enabled: bool = True
    needs_texture: bool = True
    """Refuse models without an image or colours."""
    max_open_edges: float = pydantic.Field(default=0.02, ge=0, le=1)
    """Largest share of edges with a face on one side only; a scan that lacks its underside has about 0.01."""
    min_symmetry: float = pydantic.Field(default=0.75, ge=0, le=1)
    """Least rotational symmetry; 1 is a perfect surface of revolution."""
    min_iou: float = pydantic.Field(default=0.8, ge=0, le=1)
    """Least agreement of the model's silhouette with the photograph's."""
    judge: str = ""
    """package.module:name of a function or class that has the last word on what passed; see
    vaserl/meshes/judge.py. Empty: geometry decides alone."""


class TurntableSettings(Section):
    num_frames: int = pydantic.Field(default=16, ge=2)
    """Frames of one turn."""
    fps: float = pydantic.Field(default=8.0, gt=0)
    """Frames a second; num_frames / fps is how long the turn lasts."""
    resolution: int = pydantic.Field(default=224, ge=16, multiple_of=2)
    """Width and height of a frame in pixels."""
    stills: bool = False
    """Also keep the six canonical views of each model and their normal maps, as judges of models look at them; twelve
    more renderings for each vase."""
