"""A curation run as a whole: its stages, what is held out, what is kept of finished work, the card."""

from pathlib import Path
from typing import Literal

import pydantic

from vaserl.curation.settings.filters import (
    BestViewSettings,
    IntactSettings,
    QualitySettings,
    TinyFilterSettings,
)
from vaserl.curation.settings.lift import LiftSettings, MeshGateSettings, TurntableSettings
from vaserl.curation.settings.source import SourceSettings
from vaserl.curation.settings.texts import DescribeSettings
from vaserl.settings import ClusterSettings, OpenClipSettings
from vaserl.settings.section import Section


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
    clip: OpenClipSettings = OpenClipSettings()
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
