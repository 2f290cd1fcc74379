"""The declaration of a curation stage: its name, settings, columns, measures and body (the class that judges).

Retention, `vaserl why`, the data card, the checks, the thresholds, the journal and the benchmarks read these facts from
the declaration. A stage's body is a class with one method, `judge(photograph) -> Kept | Rejected`. A body that runs a
neural network has the method `judge_all` instead, which judges many photographs at once. A photograph's outcome must be
a pure function of the photograph, of its record and of what the stage's recipe names, because finished work is reused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vaserl.curation.settings import CurateSettings, PoolSettings, WriterSettings
from vaserl.dataset import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A photograph as a stage's body gets it: the file, the vase and the columns of its row.

    Example: Photograph(photo="/museum/v1_2.jpg", vase_id="v1", view="2", columns={"photo_sha256": "5e…"})
    """

    photo: str
    """Path or URL of the image file."""
    vase_id: str = ""
    view: str = ""
    """Number of the view, or a name such as "front"; "" if unknown."""
    record: str = "{}"
    """The vase's record as a JSON object with Beazley's field names."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Values of the row by column name, including the columns that earlier stages added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The verdict that passes a photograph on to the next stage."""

    columns: Mapping[str, float | str] = field(default_factory=dict)
    """Values for the stage's columns, by name; a column that is left out gets its default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The verdict that excludes a photograph from all further stages."""

    reason: str
    """A sentence without the stage's name. Reasons that differ only in numbers or quoted names are counted as one."""
    columns: Mapping[str, float | str] = field(default_factory=dict)
    """Values for the stage's columns that were measured before the rejection, by name."""


Verdict = Kept | Rejected


class StageBody(Protocol):
    """Interface of a stage's body (the class that judges) that gets one photograph at a time."""

    def judge(self, photograph: Photograph) -> Verdict: ...


class BatchStageBody(Protocol):
    """Interface of a stage's body that gets many photographs at once, to run a neural network or to compare them."""

    def judge_all(self, photographs: Sequence[Photograph]) -> Sequence[Verdict]:
        """Returns one verdict for each photograph, in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that a stage adds to each row."""

    name: str
    kind: type[float] | type[str] = float
    empty: str = ""
    """Value of a text column in rows for which the stage set none; a float column holds NaN there."""
    file: str = ""
    """Path in the data set of the file that a value names; {} is the value: "clips/{}.mp4"; "" if it names none."""
    is_score: bool = True
    """True if the manifest lists a float value among the row's scores, False if only the journal keeps it."""

    @property
    def default(self) -> float | str:
        """Value of the column in rows that the stage did not judge or set no value for."""
        return math.nan if self.kind is float else self.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that a stage compares with a threshold to reach its verdict."""

    name: str
    """Name of the number among the manifest's scores."""
    limit: str
    """Key of the threshold in the stage's section of the settings."""
    is_least: bool = True
    """True if the threshold is the least value that passes, False if it is the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a process builds a stage's body (the class that judges), and what the stage's outcomes depend on."""

    make: Callable[..., StageBody | BatchStageBody]
    """Picklable callable that builds the body from `arguments`. Changes of the settings among these, and of the file
    that defines `make`, invalidate finished work; `depends` need not name them."""
    arguments: tuple[Any, ...] = ()
    depends: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the outcomes depend on, as JSON values: seeds, sizes and times of weight files, digests of code."""


MakeWriter = Callable[[WriterSettings, PoolSettings, int], Callable[[Sequence[Mapping[str, str]]], Sequence[str]]]
"""Builds the language model that writes captions, from its settings, the settings of its pool and a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """What a stage's recipe and checks are given: the settings, and the caller's language model."""

    settings: CurateSettings
    make_writer: MakeWriter | None = None
    """Builds the language model that writes captions; None if rules write them. The caller passes it, because this
    package doesn't depend on the engine that runs the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPhotograph:
    """A photograph that passed a stage, with what `vaserl why` needs to explain it."""

    row: Row
    """The photograph's row in the manifest."""
    rivals: Sequence[Row]
    """Manifest rows of the vase's other views that reached the stage."""
    measured: str
    """The stage's measures with their thresholds, as text; "" if it measured nothing."""


def tell_measures(kept: KeptPhotograph) -> str:
    """Returns the line of `vaserl why` about a kept photograph, for stages that declare no `tell` of their own."""
    return f"passed: {kept.measured}" if kept.measured else "measured nothing"


def always(settings: CurateSettings) -> bool:
    """Returns True; the default of `Stage.opens_pool`."""
    return True


def check_nothing(context: StageContext) -> None:
    """Checks nothing; the default of `Stage.check`, for stages that load no file that could be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of curation. Its place in the order, its pass and its pool are stated in `vaserl.curation.pipeline`."""

    name: str
    """Value of `rejected_by` in the rows that the stage rejects, and name of its folder in the journal."""
    recipe: Callable[[StageContext], Recipe]
    hint: str
    """Settings to look at when the stage rejects every photograph; completes a sentence that begins with "Look at"."""
    section: str = ""
    """Key of the stage's section in CurateSettings; "" if the stage has no settings."""
    can_be_off: bool = False
    """True if the stage's section has the key `enabled`, which turns it off."""
    columns: tuple[Column, ...] = ()
    measures: tuple[Measure, ...] = ()
    unwanted_kinds: frozenset[str] = frozenset()
    """Labelled kinds that the stage should reject, such as "blur"; empty if labels can't show whether it is right."""
    pool: PoolSettings = field(default_factory=PoolSettings)
    """Default settings of the worker processes; ignored unless the stage is the first one that they run."""
    opens_pool: Callable[[CurateSettings], bool] = always
    """Returns True if the group of stages that begins with this one has worker processes of its own, False if it runs
    in those of the group before."""
    check: Callable[[StageContext], None] = check_nothing
    """Raises UserError, naming the setting, if the stage would fail when it runs. It starts no process and loads
    nothing onto a GPU."""
    default_threshold: Callable[[Any], tuple[Any, str]] | None = None
    """Fills in the threshold if the stage's section states none. Returns the section, and in words where the value came
    from."""
    tell: Callable[[KeptPhotograph], str] = tell_measures
    """Returns the line that `vaserl why` prints about a photograph that the stage kept."""

    def settings_in(self, settings: CurateSettings) -> Any:
        """Returns the stage's section of the settings; None if it has none."""
        return getattr(settings, self.section) if self.section else None

    def is_enabled(self, settings: CurateSettings) -> bool:
        """Returns whether the stage runs under these settings."""
        return not self.can_be_off or self.settings_in(settings).enabled

    def limit_of(self, measure: Measure, settings: CurateSettings) -> float | None:
        """Returns the threshold of one of the stage's measures; None if the settings state none."""
        section = self.settings_in(settings)
        return None if section is None else getattr(section, measure.limit)
