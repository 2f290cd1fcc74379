"""Settings of the jobs: the strict TOML loader, the sections that jobs share, and one class for each training
or evaluation job."""

from vaserl.settings.advantage import OVERLONG_PART, AdvantageSettings, OverlongSettings
from vaserl.settings.cluster import ClusterSettings
from vaserl.settings.features import FeatureSettings
from vaserl.settings.inputs import CAPTION_PROMPT, DataSettings, ModelSettings
from vaserl.settings.jobs import EvaluateSettings, SftSettings, TinyModelSettings, TrainSettings
from vaserl.settings.learner import LANGUAGE_MODEL_LINEARS, LearnerSettings, LoraSettings
from vaserl.settings.loss import LossSettings
from vaserl.settings.nearest import nearest_name
from vaserl.settings.open_clip import OpenClipSettings
from vaserl.settings.questions import QuestionSettings
from vaserl.settings.quickstart import QuickstartSettings
from vaserl.settings.reward import RemoteSettings, RewardSettings
from vaserl.settings.rollout import RolloutSettings
from vaserl.settings.section import Section, dump_config, load_config
from vaserl.settings.start import StartSettings
from vaserl.settings.validation import ValidationSettings

__all__ = [
    "CAPTION_PROMPT",
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
    "QuestionSettings",
    "QuickstartSettings",
    "RemoteSettings",
    "RewardSettings",
    "RolloutSettings",
    "Section",
    "SftSettings",
    "StartSettings",
    "TinyModelSettings",
    "TrainSettings",
    "ValidationSettings",
    "dump_config",
    "load_config",
    "nearest_name",
]
