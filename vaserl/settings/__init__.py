"""The settings of each job: a field exists because someone changes it, and says what changes when they do."""

from vaserl.settings.advantage import OVERLONG_PART, AdvantageSettings, OverlongSettings
from vaserl.settings.cluster import ClusterSettings
from vaserl.settings.features import FeatureSettings
from vaserl.settings.inputs import DataSettings, ModelSettings
from vaserl.settings.jobs import EvaluateSettings, SftSettings, TinyModelSettings, TrainSettings
from vaserl.settings.learner import LANGUAGE_MODEL_LINEARS, LearnerSettings, LoraSettings
from vaserl.settings.loss import LossSettings
from vaserl.settings.open_clip import OpenClipSettings
from vaserl.settings.reward import RemoteSettings, RewardSettings
from vaserl.settings.rollout import RolloutSettings

__all__ = [
    "LANGUAGE_MODEL_LINEARS",
    "OVERLONG_PART",
    "AdvantageSettings",
    "ClusterSettings",
    "DataSettings",
    "EvaluateSettings",
    "FeatureSettings",
    "LearnerSettings",
    "LoraSettings",
    "LossSettings",
    "ModelSettings",
    "OpenClipSettings",
    "OverlongSettings",
    "RemoteSettings",
    "RewardSettings",
    "RolloutSettings",
    "SftSettings",
    "TinyModelSettings",
    "TrainSettings",
]
