"""Settings of the judge job."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from vaserl.settings import ClusterSettings
from vaserl.settings.chat_server import ChatServerSettings
from vaserl.settings.section import Section
from vaserl.settings.submitted import WRITTEN


class GateLimits(Section):
    """Limits that a judge must meet. A judge that fails one makes the report void."""

    min_parse_rate: float = pydantic.Field(default=0.99, ge=0, le=1)
    """Smallest share of answers that can be parsed."""
    min_clear_gap: float = pydantic.Field(default=0.85, ge=0, le=1)
    """Smallest win rate of intact over damaged meshes, with flips as non-wins."""
    base_against_base: tuple[float, float] = (0.4, 0.6)
    """Smallest and largest win rate between equally good meshes, with flips as half wins."""
    min_anchor_agreement: float = pydantic.Field(default=0.95, ge=0, le=1)
    """Smallest share of anchor pairs on which the judge gives the same two answers as at its calibration."""
    on_failure: Literal["abort", "void"] = "abort"
    """What a failed gate does. "abort": the command ends with an error. "void": the report is written and marked as
    void. No preferences are written in either case."""


class RenderSettings(Section):
    """Settings of the images that the judge sees."""

    mode: Literal["montage", "panel", "shaded", "reference_free"] = "montage"
    """"montage" is the protocol: two montages of normal maps with the photograph inside. The other modes reproduce
    failures, see docs/judge.md: "panel" (seven images), "shaded" (renders with colours) and "reference_free" (no
    photograph)."""
    tile_side: int = pydantic.Field(default=168, ge=28)
    """Width and height in pixels of each of a montage's six tiles."""


class JudgeModelSettings(Section):
    """Settings of one judge."""

    kind: Literal["geometric", "vllm", "url"] = "geometric"
    """"geometric": deterministic measures of silhouette and normal maps, without a network. "vllm": a vision-language
    model in vLLM engines. "url": a model on a server."""
    role: Literal["training", "evaluation"] = "evaluation"
    """"training": the verdicts may become training data. "evaluation": they are only reported."""
    family: str = ""
    """Model family, such as "qwen2.5-vl" or "internvl". Training judge and evaluation judge need different ones;
    required unless kind = "geometric"."""
    path: Path | None = None
    """Folder of the model in Hugging Face's format; required with kind = "vllm"."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Floating-point type in which an engine computes."""
    engine_args: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Further arguments of vllm.LLM, passed through unchanged."""
    num_workers: int = pydantic.Field(default=1, ge=1)
    """Number of engines."""
    num_cpus: float = pydantic.Field(default=1, ge=0)
    """CPUs reserved for each engine."""
    num_gpus: float = pydantic.Field(default=1, ge=0)
    """GPUs reserved for each engine; 0 runs it on the CPU."""
    server: ChatServerSettings | None = None
    """Server of the judge; required with kind = "url". Its weights can't be hashed: choose a `model` name that changes
    with them, or drift shows only at the anchors."""

    @pydantic.model_validator(mode="after")
    def _is_complete(self):
        if self.kind == "vllm" and self.path is None:
            raise ValueError('kind = "vllm" needs the path of a model folder')
        if (self.kind == "url") != (self.server is not None):
            raise ValueError('kind = "url" needs a table server, and only that kind has one')
        if self.kind != "geometric" and not self.family:
            raise ValueError(f'kind = "{self.kind}" needs the model\'s family')
        return self


class CalibrateSettings(Section):
    """Settings of a judge's calibration."""

    again: str | None = None
    """Name in [meshes] of further meshes by the same generator as the first, with other seeds: base against base.
    Without it, base against base is two copies of a mesh with equally strong noise of different seeds."""
    num_clear: int = pydantic.Field(default=100, ge=1)
    """Largest number of pairs of an intact and a damaged mesh, at most one of each of the five kinds of damage for each
    object."""
    num_base: int = pydantic.Field(default=200, ge=1)
    """Number of pairs of base against base; with `again`, at most one for each object. Few pairs fail the gate by
    chance: a fair judge without flips in 15 % of calibrations with 40 pairs, in 0.4 % with 200."""
    strength: float = pydantic.Field(default=0.8, gt=0, le=1)
    """Strength of the damage; see `damaged_mesh`."""
    num_anchors: int = pydantic.Field(default=20, ge=1)
    """Number of calibration pairs that every later run asks again, to find drift."""


class JudgeSettings(Section):
    """Settings of the job that judges pairs of meshes."""

    run_dir: Annotated[Path, WRITTEN]
    """Folder for verdicts, montages and the report. The same command continues a run, and repeats its report without
    asking again."""
    seed: int = 0
    """Seed of draws of pairs, damage and bootstraps."""
    photos: Path
    """Folder with one photograph for each object, whose name without suffix is the object's name; or a data set of the
    curation, whose kept vases are the objects."""
    meshes: dict[str, Path] = pydantic.Field(min_length=1)
    """Table from each generator's name to the folder with its GLBs, named as the photographs. calibrate uses the first,
    compare the first two."""
    true: Path | None = None
    """Folder with the true GLBs; certify needs it."""
    calibration: Path | None = None
    """run_dir of the judge's calibration, which every action but calibrate needs."""
    second_calibration: Path | None = None
    """run_dir of the second judge's calibration; required with [second]."""
    num_pairs: int | None = pydantic.Field(default=None, ge=1)
    """Largest number of pairs to ask, drawn at random; absent: all."""
    max_wrong: float = pydantic.Field(default=0.05, gt=0, lt=1)
    """Largest share of wrong verdicts that certify may guarantee."""
    judge: JudgeModelSettings = JudgeModelSettings()
    """The judge."""
    second: JudgeModelSettings | None = None
    """A second judge, of another family. certify then counts only verdicts on which both agree. For pairs it is the
    evaluation judge that will score what is trained on the preferences; it isn't asked."""
    render: RenderSettings = RenderSettings()
    """Images that the judges see."""
    calibrate: CalibrateSettings = CalibrateSettings()
    """Calibration of the judge."""
    gates: GateLimits = GateLimits()
    """Limits that the judge must meet."""
    cluster: ClusterSettings = ClusterSettings()
    """Cluster for the engines of kind = "vllm"."""
