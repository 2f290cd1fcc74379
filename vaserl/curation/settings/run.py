"""The settings of a curation run as a whole: the split, finished work, the card, and the sections of the stages."""

from pathlib import Path
from typing import ClassVar, Literal

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


class SplitSettings(Section):
    """Which vases are held out."""

    num_test: int | None = pydantic.Field(default=None, ge=0)
    """Exact number of held-out vases, each fabric, technique and shape in proportion. A vase that is added later may
    replace one of them, so use `test_share` for a data set that grows."""
    num_val: int | None = pydantic.Field(default=None, ge=0)
    """Exact number of validation vases, drawn like those of `num_test` from the rest."""
    test_share: float = pydantic.Field(default=0.1, ge=0, lt=1)
    """Where `num_test` is absent: vases whose hash lies below this share are held out, whatever else is in the data
    set, so that no vase ever moves between test and the rest."""
    val_share: float = pydantic.Field(default=0.0, ge=0, lt=1)
    """Where `num_val` is absent: share of the data set that is validation, drawn like `num_val`."""


class JournalSettings(Section):
    """Shards and what is kept of finished ones, so that a killed job resumes."""

    num_rows: int = pydantic.Field(default=128, ge=1)
    """Photographs in a shard of the filters. One worker works on a shard, a kill costs the shards at work, and each
    stage writes one small file for each shard."""
    num_rows_lift: int = pydantic.Field(default=4, ge=1)
    """Photographs in a shard of lift, mesh gate, turntable and texts, where one takes seconds or minutes."""
    stale: Literal["keep", "remove"] = "keep"
    """Finished shards of other settings: "keep" keeps them for a return to those settings, "remove" frees the space
    once the run has succeeded."""


class CardSettings(Section):
    """The data set's card, DATASET.md."""

    title: str = "Data set"
    """Heading of DATASET.md."""
    license: str = ""
    """License of the data set, as the card states it; if empty, the card says that none was stated."""
    num_pictured: int = pydantic.Field(default=24, ge=0)
    """Vases on the contact sheet; 0 draws none."""


class CurateSettings(Section):
    """A curation run: photographs and records in, a data set out."""

    RENAMED: ClassVar = {"clip": "[open_clip]"}

    dataset: Path
    """Folder of the data set: manifest.parquet, models/, clips/, DATASET.md."""
    seed: int = 0
    """Draws which captions are silent about what, and the split."""
    source: SourceSettings
    tiny_filters: TinyFilterSettings | None = None
    """Trains small filter models on a synthetic world first, unless quality.path and open_clip.path exist."""
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
