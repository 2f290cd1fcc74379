"""The settings of a curation run, one section for each stage.

Every stage that holds a model or a renderer is a pool of `num_workers` processes, each with its share of CPUs and
GPUs; a fraction lets several share one.
"""

import difflib
import re
from pathlib import Path
from typing import Any, Literal

import pydantic

from vaserl.config import Section
from vaserl.curation.fields import FIELDS
from vaserl.curation.storage import normalised
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
    """Rows that a process takes at once; more only helps where a GPU waits for work. A batch ends with its shard."""
    timeout_s: float = pydantic.Field(default=600.0, gt=0)
    """Seconds that a stage may take over a batch. Then its process is killed, and the batch's photographs get as long
    one by one; those that don't end alone either are rejected."""
    memory_gb: float | None = pydantic.Field(default=None, gt=0)
    """GiB that a stage's process and what it starts may hold, before it is killed like one that takes too long; left
    out, half of the machine's."""
    num_retries: int = pydantic.Field(default=1, ge=0)
    """Further attempts of a photograph over which the process died or was killed, before it is rejected."""


class SourceSettings(Section):
    path: str
    """Folder with the photographs and the records, or the table that lists the photographs: a local path, or a URL of
    any file system that fsspec knows, such as s3://bucket/vases."""
    photographs: str | None = None
    """Table that lists the photographs, relative to `path` or a URL; absent: photographs.csv, .json, .jsonl or .parquet
    if there is one, else the image files below `path`."""
    records: str | None = None
    """Table of the records, likewise; absent: records.csv, .json, .jsonl or .parquet, else one <vase_id>.json each."""
    id_field: str = ""
    """The records' column that holds the id of the vase; empty: "id", else the end of "URI", else "Vase Number"."""
    fields: dict[str, str] = pydantic.Field(default_factory=dict)
    """Column of the records or of the list of photographs for each field that has another name there, such as
    Fabric = "fabric_name" or vase_id = "object"."""
    pattern: str = r"(?P<vase_id>.+?)(?:_(?P<view>\d+|front|back|left|right|top|bottom))?"
    """Regular expression over a file's name without suffix, where no list says which vase it shows; names the groups
    vase_id and, if there are several views, view. With a "/" in it, it is matched against the path below `path`."""
    storage_options: dict[str, Any] = pydantic.Field(default_factory=dict, exclude=True)
    """What fsspec opens the file system of a URL with, such as endpoint_url; never written beside the results, because
    it may hold keys."""
    pool: PoolSettings = PoolSettings(batch_size=128)

    @pydantic.field_validator("path", mode="before")
    @classmethod
    def _a_place(cls, value: Any) -> Any:
        return normalised(str(value)) if isinstance(value, str | Path) else value

    @pydantic.field_validator("fields")
    @classmethod
    def _known_fields(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in value if name not in FIELDS]
        if unknown:
            meant = difflib.get_close_matches(unknown[0], FIELDS, n=1, cutoff=0.5)
            hint = f"; did you mean {meant[0]!r}?" if meant else ""
            raise ValueError(f"no field {unknown[0]!r}{hint} The fields are {', '.join(FIELDS)}")
        return value

    @pydantic.field_validator("pattern")
    @classmethod
    def _names_its_groups(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "vase_id" not in groups:
            raise ValueError("the pattern must name the group (?P<vase_id>…), and may name (?P<view>…)")
        return value


class ClipSettings(Section):
    path: Path | None = None
    """Folder in open_clip's form (open_clip_config.json beside the weights), or a weights file for `name`."""
    name: str = "ViT-B-32"
    """open_clip's name of the architecture, where `path` is a weights file."""


class QualitySettings(Section):
    enabled: bool = True
    path: Path | None = None
    """Folder that `python -m launch.curate train-quality` wrote, or a .safetensors file with the weights of a ResNet-50
    of two classes, low and high."""
    threshold: float | None = pydantic.Field(default=None, ge=0, le=1)
    """Least calibrated probability of high quality that a photograph needs; left out, the one that was chosen for the
    weights and saved with them, or 0.5."""
    temperature: float | None = pydantic.Field(default=None, gt=0)
    """What logits are divided by before they become probabilities; left out, the one saved with the weights, or 1."""
    pool: PoolSettings = PoolSettings(batch_size=64)


class ThresholdSettings(Section):
    """The least score that is let through, by value or by what a sample of the collection scores."""

    threshold: float | None = None
    """The value."""
    quantile: float | None = pydantic.Field(default=None, gt=0, lt=1)
    """Instead of a value: the score that this share of a sample stays below. It is worked out once, before the pass,
    and written into the card."""
    sample: int = pydantic.Field(default=500, ge=20)
    """Photographs of that sample, drawn by `seed` from those that the earlier stages let through."""

    @pydantic.model_validator(mode="after")
    def _one_of_the_two(self):
        if self.threshold is not None and self.quantile is not None:
            raise ValueError("give threshold or quantile, not both")
        return self


class IntactSettings(ThresholdSettings):
    """The score is the difference between the cosine to the intact family and that to the best family against it; 0 is
    its threshold where none is given."""

    enabled: bool = True
    intact: tuple[str, ...] = (
        "a photograph of an intact vase",
        "a photograph of a complete Greek vase",
        "a whole painted vase with foot, body, neck and lip",
        "an undamaged ancient vase, entire and unbroken",
        "a museum photograph of an intact amphora",
        "a complete kylix with its foot and both handles",
        "an intact lekythos standing upright",
        "a restored krater, whole from foot to rim",
    )
    """Prompts whose mean says "a complete vase"."""
    against: dict[str, tuple[str, ...]] = pydantic.Field(
        default_factory=lambda: {
            "fragment": (
                "a fragment of pottery",
                "a broken sherd of a Greek vase",
                "a piece of a painted vase with broken edges",
                "pottery sherds",
                "an ostrakon, a potsherd with jagged edges",
                "joining fragments of a broken krater",
            ),
            "drawing": (
                "a drawing of a vase",
                "a line drawing of a Greek vase on paper",
                "an archaeological profile drawing of a pot",
                "an engraving of a painted vase from an old publication",
                "a sketch of a vase",
            ),
            "blur": (
                "a blurred photograph of a vase",
                "an unsharp picture of a Greek vase, out of focus",
                "a blurry photograph of pottery",
            ),
            "detail": (
                "a detail of a vase",
                "a close-up of the surface of a painted vase",
                "a detail of the figures painted on a Greek vase",
            ),
        },
        min_length=1,
    )
    """Families of prompts for what is to be kept out; the nearest one is named in the reason."""
    front: tuple[str, ...] = (
        "a photograph of an intact vase seen from the front",
        "a complete Greek vase, frontal view",
        "a vase at eye level, its profile from foot to lip in view",
    )
    """Prompts by which the views of a vase are ranked."""
    not_front: tuple[str, ...] = (
        "a vase seen from above",
        "a photograph looking down into the mouth of a vase",
        "the underside of a vase, its foot seen from below",
    )
    """Prompts whose cosine is taken off that rank; empty ranks by the front alone."""
    pool: PoolSettings = PoolSettings(batch_size=64)

    @pydantic.field_validator("intact", "front")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("needs at least one prompt")
        return value


class BestViewSettings(ThresholdSettings):
    """The score is the cosine to `intact.front` minus that to `intact.not_front`. Without a threshold the best of a
    vase's views is kept however it scores, with one an only view is looked at no less than one of many."""


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


class WriterSettings(Section):
    """A language model that words the captions; every statement of its is checked against the record."""

    path: Path
    """Its folder in Hugging Face's form."""
    prompt: Path = Path("configs/curate/describe.txt")
    """What it is asked: a text with {record} where the fields stand that the caption is to state, one a line."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """In which it computes."""
    max_new_tokens: int = pydantic.Field(default=160, ge=1)
    """Length at which a caption is cut; a cut one is refused."""
    temperature: float = pydantic.Field(default=0.0, ge=0)
    """0 takes the likeliest words; above it captions of like vases differ more, and more of them are refused."""
    engine_args: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Further arguments of vLLM, passed on as they are."""
    pool: PoolSettings = PoolSettings(num_cpus=1, batch_size=64)


class DescribeSettings(Section):
    writer: Literal["rules", "llm"] = "rules"
    """"rules": the record's values in a fixed sentence. "llm": a language model's words where they state just what the
    record does, else the rules; [describe.llm] says which model."""
    llm: WriterSettings | None = None
    """The model of writer = "llm"."""
    silence: SilenceSettings = SilenceSettings()
    """Real catalogues are terse; 0 everywhere makes captions that say all that the records do."""

    @pydantic.model_validator(mode="after")
    def _llm_has_a_model(self):
        if self.writer == "llm" and self.llm is None:
            raise ValueError('writer = "llm" needs [describe.llm] with the path of a model')
        return self


class SplitSettings(Section):
    num_test: int | None = pydantic.Field(default=None, ge=0)
    """Exactly so many vases are held out, as many of each fabric, technique and shape as their share; a vase that is
    added later may push one of them out, so a data set that grows wants `test_share`."""
    num_val: int | None = pydantic.Field(default=None, ge=0)
    """The same for validation, out of what is left."""
    test_share: float = pydantic.Field(default=0.1, ge=0, lt=1)
    """Where `num_test` is absent: vases whose hash lies below this share are test, whatever else is in the data set, so
    that no vase ever moves between test and the rest."""
    val_share: float = pydantic.Field(default=0.0, ge=0, lt=1)
    """Where `num_val` is absent: this share of the data set is validation, taken like `num_val`."""


class TinyFilterSettings(Section):
    num_vases: int = pydantic.Field(default=48, ge=8)
    """Vases of the synthetic world that the filters are trained on."""
    seed: int = 1_000_003
    """Seed of that world; it must not be that of the world which is curated."""


class JournalSettings(Section):
    """What is kept of finished work, so that a killed job goes on where it was."""

    num_rows: int = pydantic.Field(default=128, ge=1)
    """Photographs of a shard of the filters. A shard is done by one worker, and a kill costs the shards at work; so
    many small files are written for each stage as there are shards."""
    num_rows_lift: int = pydantic.Field(default=4, ge=1)
    """The same for lift, gate, turntable and texts, where a photograph takes seconds or minutes."""
    stale: Literal["keep", "remove"] = "keep"
    """What becomes of finished work of other settings: "keep" lets you go back to them, "remove" saves the space once
    the run has ended well."""


class CardSettings(Section):
    title: str = "Data set"
    """Heading of DATASET.md."""
    license: str = ""
    """License under which the data set is given away, as the card states it; empty says that none was stated."""
    num_pictured: int = pydantic.Field(default=24, ge=0)
    """Vases on the contact sheet; 0 draws none."""


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
    best_view: BestViewSettings = BestViewSettings()
    lift: LiftSettings = LiftSettings()
    mesh_gate: MeshGateSettings = MeshGateSettings()
    turntable: TurntableSettings = TurntableSettings()
    describe: DescribeSettings = DescribeSettings()
    split: SplitSettings = SplitSettings()
    journal: JournalSettings = JournalSettings()
    card: CardSettings = CardSettings()
    cluster: ClusterSettings = ClusterSettings()
