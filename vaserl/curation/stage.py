"""The declaration of a curation stage: its name, settings, columns, measures and body (the class that judges).

The retention counts, `vaserl why`, the data card, the checks, the thresholds, the journal and the benchmarks take these
facts from the declaration. A stage's body is a class with one method, `judge(photograph) -> Kept | Rejected`.
A body that runs a neural network has the method `judge_all` instead, which judges many photographs at once. A
photograph's outcome must be a pure function of the photograph, of its record and of the contents of the stage's
`Recipe`, because finished work is reused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vaserl.curation.settings import CurateSettings, PoolSettings, WriterSettings
from vaserl.curation.stages.writer import Write
from vaserl.dataset import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A photograph in the form that a stage's body (the class that judges) gets: file, vase and columns of the row.

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
    """Why the stage rejected the photograph: a sentence without the stage's name. Reasons that differ only in numbers
    or quoted names are counted as one."""
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
    """Value of a text column in rows for which the stage set no value. A float column contains NaN in such rows."""
    file: str = ""
    """Pattern of the path, in the data set, of the file that a value of the column identifies. {} is replaced by the
    value, as in "clips/{}.mp4". "" if the values identify no files."""
    is_score: bool = True
    """True if the values of a float column become scores in the manifest, False if only the journal contains them."""

    @property
    def default(self) -> float | str:
        """Value of the column in rows that the stage did not judge, or for which it set no value."""
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
    """Instructions to build a stage's body (the object that judges), and all that the stage's outcomes depend on."""

    make: Callable[..., StageBody | BatchStageBody]
    """Picklable callable that builds the body from `arguments`. A change of settings in `arguments`, or of
    the file that defines `make`, invalidates finished work, so `depends` need not contain these."""
    arguments: tuple[Any, ...] = ()
    depends: Mapping[str, Any] = field(default_factory=dict)
    """Everything else that the outcomes depend on, as JSON values by name: seeds, sizes and times of weight files,
    digests of code."""


MakeWriter = Callable[[WriterSettings, PoolSettings, int], Write]
"""Function that builds the language model that writes captions, from the model's settings, the settings of its pool and
a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """Argument of a stage's recipe and checks: the settings, and the caller's function that builds a language model."""

    settings: CurateSettings
    make_writer: MakeWriter | None = None
    """Function that builds the language model that writes captions; None if rules write the captions. The caller passes
    this function, because this package doesn't depend on the engine that runs the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPhotograph:
    """A photograph that passed a stage, with the data from which `vaserl why` explains why it passed."""

    row: Row
    """The photograph's row in the manifest."""
    rivals: Sequence[Row]
    """Manifest rows of the vase's other views that the stage judged."""
    measured: str
    """The stage's measures with their thresholds, as text; "" if it measured nothing."""


def tell_measures(kept: KeptPhotograph) -> str:
    """Returns the line that `vaserl why` prints about a kept photograph; the default of `Stage.tell`."""
    return f"passed: {kept.measured}" if kept.measured else "measured nothing"


def always(settings: CurateSettings) -> bool:
    """Returns True; the default of `Stage.opens_pool` and `Stage.is_needed`."""
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
    """Names of the settings to check if the stage rejects every photograph, as the end of a sentence that starts with
    "Look at"."""
    section: str = ""
    """Key of the stage's section in CurateSettings; "" if the stage has no settings."""
    can_be_off: bool = False
    """True if the stage's section has the key `enabled`, which turns it off."""
    is_needed: Callable[[CurateSettings], bool] = always
    """Function that returns False if another stage that runs does this one's work, so that this one doesn't."""
    columns: tuple[Column, ...] = ()
    measures: tuple[Measure, ...] = ()
    reads: tuple[Column, ...] = ()
    """Columns of earlier stages that the choice between a vase's views reads; only its stage states them."""
    unwanted_kinds: frozenset[str] = frozenset()
    """Labels of photographs that the stage should reject, such as "blur"; empty if labels don't state what it should
    reject."""
    pool: PoolSettings = field(default_factory=PoolSettings)
    """Default settings of the pool of worker processes that runs the stage. The defaults of the pool's first stage are
    used; those of the other stages are ignored."""
    opens_pool: Callable[[CurateSettings], bool] = always
    """Function that returns True if the group of stages that begins with this one has worker processes of its own, and
    False if it runs in the worker processes of the group before it."""
    check: Callable[[StageContext], None] = check_nothing
    """Function that raises a UserError, which states the setting, if the stage would fail when it runs. It starts no
    process and loads nothing onto a GPU."""
    default_threshold: Callable[[Any], tuple[Any, str]] | None = None
    """Function that sets the threshold if the stage's section of the settings has none; None if there is no default. It
    returns the section with a threshold, and a text that states where the default came from."""
    tell: Callable[[KeptPhotograph], str] = tell_measures
    """Function that returns the line that `vaserl why` prints about a photograph that the stage kept."""

    def settings_in(self, settings: CurateSettings) -> Any:
        """Returns the stage's section of the settings; None if it has none."""
        return getattr(settings, self.section) if self.section else None

    def is_enabled(self, settings: CurateSettings) -> bool:
        """Returns whether the stage runs under these settings."""
        return self.is_needed(settings) and (not self.can_be_off or self.settings_in(settings).enabled)

    def limit_of(self, measure: Measure, settings: CurateSettings) -> float | None:
        """Returns the threshold of one of the stage's measures; None if the settings state none."""
        section = self.settings_in(settings)
        return None if section is None else getattr(section, measure.limit)
