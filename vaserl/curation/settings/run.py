"""Settings of a whole curation run: the train/test split, the journal of finished work, the data set's card
(DATASET.md), and a section for each stage."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pydantic

from vaserl.curation.settings.filters import (
    BestViewSettings,
    IntactSettings,
    QualitySettings,
    TinyFilterSettings,
)
from vaserl.curation.settings.lift import LiftSettings, MeshGateSettings, TurntableSettings
from vaserl.curation.settings.pool import PoolsSettings
from vaserl.curation.settings.source import SourceSettings
from vaserl.curation.settings.texts import DescribeSettings
from vaserl.settings import ClusterSettings, OpenClipSettings
from vaserl.settings.section import Section
from vaserl.settings.submitted import WRITTEN


class SplitSettings(Section):
    """Settings of the split into training, validation and test vases."""

    num_test: int | None = pydantic.Field(default=None, ge=0)
    """Exact number of test vases, drawn so that fabrics, techniques and shapes are in proportion. A vase that is added
    later may replace one of them, so use `test_share` for a data set that grows."""
    num_val: int | None = pydantic.Field(default=None, ge=0)
    """Exact number of validation vases, drawn in the same way as `num_test` from the vases that are not test vases."""
    test_share: float = pydantic.Field(default=0.1, ge=0, lt=1)
    """Share of vases that are test vases, if `num_test` is absent. A vase is a test vase if its hash, as a number from
    0 to 1, is below this share. The hash depends on the vase alone, so no vase moves in or out of the test split when
    others are added."""
    val_share: float = pydantic.Field(default=0.0, ge=0, lt=1)
    """Share of all vases that are validation vases, if `num_val` is absent. They are drawn in the same way as with
    `num_val`."""


class JournalSettings(Section):
    """Settings of the journal, which keeps the results of finished shards (groups of photographs), so that a killed job
    resumes."""

    num_rows: int = pydantic.Field(default=128, ge=1)
    """Number of photographs in a shard of the filters (the stages before lift). One worker processes a shard at a time.
    A killed job loses the shards in progress. Each stage writes one small file per shard."""
    num_rows_lift: int = pydantic.Field(default=4, ge=1)
    """Number of photographs in a shard of the stages from lift on, in which one photograph takes seconds or minutes."""
    stale: Literal["keep", "remove"] = "keep"
    """What to do with finished shards of other settings: "keep" keeps them, so that a later run with those settings
    reuses them. "remove" deletes them once the run has succeeded."""


class CardSettings(Section):
    """Settings of the data set's card, the file DATASET.md that describes it."""

    title: str = "Data set"
    """Heading of DATASET.md."""
    license: str = ""
    """License of the data set, as the card states it; if empty, the card states that there is none."""
    num_pictured: int = pydantic.Field(default=24, ge=0)
    """Number of vases on the contact sheet; 0 draws no sheet."""


class CurateSettings(Section):
    """Settings of a curation run, which makes a data set from photographs and records."""

    RENAMED: ClassVar = {"clip": "[open_clip]"}

    dataset: Annotated[Path, WRITTEN]
    """Folder that the data set is written to: manifest.parquet, models/, clips/, DATASET.md."""
    seed: int = 0
    """Seed of the split, of the samples for thresholds, and of the choice of facts that each caption omits."""
    source: SourceSettings
    tiny_filters: TinyFilterSettings | None = None
    """Settings of small filter networks; if present, they are trained on synthetic vases before the run, unless
    quality.path and open_clip.path exist."""
    open_clip: OpenClipSettings = OpenClipSettings()
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
    pool: PoolsSettings = PoolsSettings()
    cluster: ClusterSettings = ClusterSettings()
