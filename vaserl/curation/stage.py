"""The declaration of a curation stage: the one place that states its name, settings, columns, measures and body.

Retention, `vaserl why`, the card, the checks, the thresholds, the journal and the benches read the declaration. A body
is a class with one method, `judge(photograph) -> Kept | Rejected`. A body that holds a model judges many photographs
at once with `judge_all` instead. A photograph's outcome must be a pure function of the photograph, of its record and
of what the stage's recipe names, because finished work is reused.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vaserl.curation.settings import CurateSettings, PoolSettings, WriterSettings
from vaserl.dataset import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """What a body sees of a row.

    Example: Photograph(photo="/museum/v1_2.jpg", vase_id="v1", view="2", columns={"photo_sha256": "5e…"})
    """

    photo: str
    """Path or URL."""
    vase_id: str = ""
    view: str = ""
    """A number or a name such as "front"; "" if unknown."""
    record: str = "{}"
    """The vase's record in the Beazley form, as JSON."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """All columns of the row, those of earlier stages included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The photograph goes on to the next stage."""

    columns: Mapping[str, float | str] = field(default_factory=dict)
    """Values of the stage's columns; a column that is left out holds its default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The photograph goes no further."""

    reason: str
    """A sentence without the stage's name; figures and quoted names in it may differ between photographs."""
    columns: Mapping[str, float | str] = field(default_factory=dict)
    """What was measured before, as in `Kept`."""


Verdict = Kept | Rejected


class StageBody(Protocol):
    """A body that judges one photograph at a time."""

    def judge(self, photograph: Photograph) -> Verdict: ...


class BatchStageBody(Protocol):
    """A body that judges photographs together: it holds a model, or it compares them."""

    def judge_all(self, photographs: Sequence[Photograph]) -> Sequence[Verdict]:
        """Returns one verdict for each photograph, in their order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that a stage adds to each row."""

    name: str
    kind: type[float] | type[str] = float
    empty: str = ""
    """Value of a text column in rows without one; a number is NaN there."""
    file: str = ""
    """Pattern of the file that a text names, relative to the data set, such as "clips/{}.mp4"; "" if it names none."""
    is_score: bool = True
    """True if the manifest lists the number among the row's scores; otherwise it stays in the journal."""

    @property
    def default(self) -> float | str:
        """Value in rows that the stage did not reach, or gave no value for."""
        return math.nan if self.kind is float else self.empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that the stage's verdict rests on, by its name in the manifest's scores."""

    name: str
    limit: str
    """Key of its threshold in the stage's section."""
    is_least: bool = True
    """True if the threshold is the least value that passes, False if it is the largest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a process makes a stage's body, and what its outcomes depend on."""

    make: Callable[..., StageBody | BatchStageBody]
    """Picklable; called with `arguments`. The settings among these and the file that defines `make` count as outcomes'
    causes without being named."""
    arguments: tuple[Any, ...] = ()
    depends: Mapping[str, Any] = field(default_factory=dict)
    """Further causes, as JSON values: seeds, stamps of weights, digests of code that lies elsewhere."""


MakeWriter = Callable[[WriterSettings, PoolSettings, int], Callable[[Sequence[Mapping[str, str]]], Sequence[str]]]
"""Makes the language model that words captions, from its settings, its pool and a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageContext:
    """What a stage is made from."""

    settings: CurateSettings
    make_writer: MakeWriter | None = None
    """The caller's, because the model's engine is none of this package's libraries; None where rules word captions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPhotograph:
    """A photograph that passed a stage, for the story that `vaserl why` tells."""

    row: Row
    """Its row of the manifest."""
    rivals: Sequence[Row]
    """The other views of its vase that reached the stage."""
    measured: str
    """The stage's measures with their limits; "" if it measured nothing."""


def tell_measures(kept: KeptPhotograph) -> str:
    """Returns what a stage without words of its own did with a photograph that it kept."""
    return f"passed: {kept.measured}" if kept.measured else "measured nothing"


def always(settings: CurateSettings) -> bool:
    """Returns True: a group of stages has processes of its own under all settings."""
    return True


def check_nothing(context: StageContext) -> None:
    """Checks nothing: the stage loads no file that could be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of curation. Its place in the order, its pass and its pool are `pipeline`'s."""

    name: str
    """Spelled here only: `rejected_by` of the rows that it rejects, and its folder in the journal."""
    recipe: Callable[[StageContext], Recipe]
    hint: str
    """Settings to look at when the stage rejects every photograph; continues "Look at"."""
    section: str = ""
    """Key of its section in CurateSettings; "" if it has no settings."""
    can_be_off: bool = False
    """True if its section has the key `enabled`."""
    columns: tuple[Column, ...] = ()
    measures: tuple[Measure, ...] = ()
    unwanted_kinds: frozenset[str] = frozenset()
    """Labelled kinds of photograph that the stage should reject; empty if labels don't tell whether it is right."""
    pool: PoolSettings = field(default_factory=PoolSettings)
    """Defaults of the pool that the stage opens, if it is the first of its pool."""
    opens_pool: Callable[[CurateSettings], bool] = always
    """Returns True if the group that this stage begins has processes of its own, False if it joins the group before."""
    check: Callable[[StageContext], None] = check_nothing
    """Raises UserError, naming the setting, for what would make the stage fail once it runs; it starts no process and
    loads nothing onto a GPU."""
    default_threshold: Callable[[Any], tuple[Any, str]] | None = None
    """Completes the stage's section where it states no threshold. Returns the section and where the value came from."""
    tell: Callable[[KeptPhotograph], str] = tell_measures
    """Words for a photograph that the stage kept, as `vaserl why` prints them."""

    def settings_in(self, settings: CurateSettings) -> Any:
        """Returns the stage's section; None if it has no settings."""
        return getattr(settings, self.section) if self.section else None

    def is_enabled(self, settings: CurateSettings) -> bool:
        """Returns whether the stage runs."""
        return not self.can_be_off or self.settings_in(settings).enabled

    def limit_of(self, measure: Measure, settings: CurateSettings) -> float | None:
        """Returns the threshold of one of the stage's measures; None if the settings state none."""
        section = self.settings_in(settings)
        return None if section is None else getattr(section, measure.limit)
