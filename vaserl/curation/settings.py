"""The settings of a curation run, one section for each stage.

Every stage that holds a model or a renderer is a pool of `num_workers` processes, each with its share of CPUs and
GPUs; a fraction lets several share one.
"""

from pathlib import Path
from typing import Literal

import pydantic

from vaserl.config import Section
from vaserl.settings import ClusterSettings

Share = pydantic.Field(default=0.0, ge=0, le=1)


class PoolSettings(Section):
    num_workers: int = pydantic.Field(default=1, ge=1)
    """Processes of this stage."""
    num_cpus: float = pydantic.Field(default=0.5, ge=0)
    """CPUs reserved for each."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs reserved for each; its model runs there then."""
    batch_size: int = pydantic.Field(default=32, ge=1)
    """Rows that a process takes at once; more only helps where a GPU waits for work."""


class SourceSettings(Section):
    path: Path
    """Folder with the photographs and the records."""
    id_field: str = "id"
    """The records' field that holds the id of the vase."""
    pattern: str = r"(?P<vase_id>.+?)(?:_(?P<view>\d+|front|back|left|right|top|bottom))?"
    """Regular expression over a file's name without suffix, where there is no list of photographs; it names the
    groups vase_id and view."""
    pool: PoolSettings = PoolSettings(batch_size=128)

    @pydantic.field_validator("pattern")
    @classmethod
    def _names_its_groups(cls, value: str) -> str:
        import re

        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if not {"vase_id", "view"} <= set(groups):
            raise ValueError("the pattern must name the groups (?P<vase_id>…) and (?P<view>…)")
        return value


class ClipSettings(Section):
    path: Path | None = None
    """Folder in open_clip's form (open_clip_config.json beside the weights), or a weights file for `name`."""
    name: str = "ViT-B-32"
    """open_clip's name of the architecture, where `path` is a weights file."""


class QualitySettings(Section):
    enabled: bool = True
    path: Path | None = None
    """Folder with config.json and model.safetensors, or a .safetensors file with the weights of a ResNet-50 of two
    classes, low and high."""
    threshold: float = pydantic.Field(default=0.5, ge=0, le=1)
    """Least probability of high quality that a photograph needs."""
    pool: PoolSettings = PoolSettings(batch_size=64)


class IntactSettings(Section):
    enabled: bool = True
    threshold: float = 0.0
    """Least difference between the cosine to the intact family and that to the best family against it."""
    intact: tuple[str, ...] = (
        "a photograph of an intact vase",
        "a photograph of a complete Greek vase",
        "a museum photograph of a whole painted vase with foot, body, neck and lip",
        "an undamaged ancient Greek amphora, krater, kylix or lekythos",
    )
    """Prompts whose mean says "a complete vase"."""
    against: dict[str, tuple[str, ...]] = pydantic.Field(
        default_factory=lambda: {
            "fragment": (
                "a fragment of pottery",
                "a photograph of a broken sherd of a Greek vase",
                "a piece of a painted vase with broken edges",
                "pottery sherds",
            ),
            "drawing": (
                "a drawing of a vase",
                "a line drawing of a Greek vase on paper",
                "an archaeological profile drawing of a pot",
                "a sketch of a vase",
            ),
        },
        min_length=1,
    )
    """Families of prompts for what is to be kept out; the nearest one is named in the reason."""
    front: tuple[str, ...] = (
        "a photograph of an intact vase seen from the front",
        "a complete Greek vase, frontal view",
    )
    """Prompts by which the views of a vase are ranked."""
    not_front: tuple[str, ...] = ()
    """Prompts whose cosine is taken off that rank, such as "a vase seen from above"."""
    pool: PoolSettings = PoolSettings(batch_size=64)

    @pydantic.field_validator("intact", "front")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("needs at least one prompt")
        return value


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


class LiftSettings(Section):
    generator: Literal["lathe", "given", "command", "triposg", "hunyuan3d"] = "lathe"
    """"lathe": turn the photograph's silhouette, without a model. "given": take GLBs that exist. "command": run a
    program that takes an image and writes a GLB. "triposg", "hunyuan3d": these models, from their checkouts."""
    triposg: TripoSGSettings | None = None
    """For "triposg"."""
    hunyuan3d: Hunyuan3DSettings | None = None
    """For "hunyuan3d"."""
    given: str = ""
    """Path of an existing GLB, with {vase_id} in it; "given" only. A relative path starts in source.path."""
    command: tuple[str, ...] = ()
    """Program and arguments, with {photo} and {glb} in them; "command" only."""
    timeout_s: float = pydantic.Field(default=300.0, gt=0)
    """Seconds after which a command is killed, with every process that it started."""
    num_retries: int = pydantic.Field(default=0, ge=0)
    """Further attempts of a command that failed or ran out of time."""
    pool: PoolSettings = PoolSettings(num_workers=2, num_cpus=1, batch_size=4)

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
    vaserl/curation/mesh_judge.py. Empty: geometry decides alone."""


class TurntableSettings(Section):
    num_frames: int = pydantic.Field(default=16, ge=2)
    """Frames of one turn."""
    fps: float = pydantic.Field(default=8.0, gt=0)
    """Frames a second; num_frames / fps is how long the turn lasts."""
    resolution: int = pydantic.Field(default=224, ge=16, multiple_of=2)
    """Width and height of a frame in pixels."""


class SilenceSettings(Section):
    """Shares of catalogue captions that leave a dimension out though the record states it."""

    fabric: float = Share
    technique: float = Share
    shape: float = Share
    dating: float = Share
    decoration: float = Share
    attribution: float = Share


class DescribeSettings(Section):
    silence: SilenceSettings = SilenceSettings()
    """Real catalogues are terse; 0 everywhere makes captions that say all that the records do."""


class SplitSettings(Section):
    num_test: int | None = pydantic.Field(default=None, ge=0)
    """Exactly so many vases are held out, those of the smallest hashes; a vase that is added later may push one of
    them out, so a grown data set wants `test_share`."""
    num_val: int | None = pydantic.Field(default=None, ge=0)
    """The same for validation, the next smallest hashes."""
    test_share: float = pydantic.Field(default=0.1, ge=0, lt=1)
    """Where `num_test` is absent: hashes below this share are test, whatever else is in the data set."""
    val_share: float = pydantic.Field(default=0.0, ge=0, lt=1)
    """Where `num_val` is absent: the next share is validation."""


class TinyFilterSettings(Section):
    num_vases: int = pydantic.Field(default=48, ge=4)
    """Vases of the synthetic world that the filters are trained on."""
    seed: int = 1_000_003
    """Seed of that world; it must not be that of the world which is curated."""


class CurateSettings(Section):
    """A curation run: photographs and records in, a data set out."""

    dataset: Path
    """Folder of the data set: manifest.parquet, models/, clips/, DATASET.md."""
    seed: int = 0
    """Draws which captions are silent about what, and the split."""
    source: SourceSettings
    tiny_filters: TinyFilterSettings | None = None
    """Train small filter models on a synthetic world first, at quality.path and clip.path, unless they are there."""
    clip: ClipSettings = ClipSettings()
    quality: QualitySettings = QualitySettings()
    intact: IntactSettings = IntactSettings()
    lift: LiftSettings = LiftSettings()
    mesh_gate: MeshGateSettings = MeshGateSettings()
    turntable: TurntableSettings = TurntableSettings()
    describe: DescribeSettings = DescribeSettings()
    split: SplitSettings = SplitSettings()
    cluster: ClusterSettings = ClusterSettings()
