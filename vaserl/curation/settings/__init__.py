"""The settings of a curation run, one section for each stage."""

from vaserl.curation.settings.filters import (
    BestViewSettings,
    IntactSettings,
    QualitySettings,
    ThresholdSettings,
    TinyFilterSettings,
)
from vaserl.curation.settings.lift import (
    LiftSettings,
    MeshGateSettings,
    TurntableSettings,
)
from vaserl.curation.settings.pool import PoolOverrides, PoolSettings, PoolsSettings
from vaserl.curation.settings.run import CardSettings, CurateSettings, JournalSettings, SplitSettings
from vaserl.curation.settings.source import SourceSettings
from vaserl.curation.settings.texts import DescribeSettings, SilenceSettings, WriterSettings

__all__ = [
    "BestViewSettings",
    "CardSettings",
    "CurateSettings",
    "DescribeSettings",
    "IntactSettings",
    "JournalSettings",
    "LiftSettings",
    "MeshGateSettings",
    "PoolOverrides",
    "PoolSettings",
    "PoolsSettings",
    "QualitySettings",
    "SilenceSettings",
    "SourceSettings",
    "SplitSettings",
    "ThresholdSettings",
    "TinyFilterSettings",
    "TurntableSettings",
    "WriterSettings",
]
