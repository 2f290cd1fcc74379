"""The table of jobs. It imports nothing heavy: a job's module is loaded when the job is started."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that `python -m launch NAME …` starts."""

    module: str
    """Module with `run(settings)`, and with `main(argv)` for `python -m MODULE`."""
    line: str
    """What the job does: a phrase that starts with a verb, for `--help` and docs/configuration.md."""
    settings: str | None = None
    """Settings class of the job as `module:class`; None for a job with arguments instead of a CONFIG."""
    example: str | None = None
    """Path of an example of the job's CONFIG in this repository."""


JOBS = {
    "curate": Job(
        module="launch.curate",
        line="turns photographs and records into a data set of turntable videos and captions",
        settings="vaserl.curation.settings:CurateSettings",
        example="configs/curate/folder.toml",
    ),
    "train-quality": Job(
        module="launch.train_quality",
        line="trains a calibrated quality filter on labelled photographs",
        settings="vaserl.curation.train_quality.settings:TrainQualitySettings",
        example="configs/quality/synthetic.toml",
    ),
    "sft": Job(
        module="launch.sft",
        line="fine-tunes a model on the captions and questions of a data set",
        settings="vaserl.settings:SftSettings",
        example="configs/sft/quickstart.toml",
    ),
    "train": Job(
        module="launch.train",
        line="trains a model by GRPO on the caption tasks of a data set",
        settings="vaserl.settings:TrainSettings",
        example="configs/train/quickstart.toml",
    ),
    "evaluate": Job(
        module="launch.evaluate",
        line="compares a model before and after GRPO on held-out vases",
        settings="vaserl.settings:EvaluateSettings",
        example="configs/evaluate/quickstart.toml",
    ),
    "vaseeval": Job(
        module="launch.vaseeval",
        line="compares generated meshes with true ones of the same name",
        settings="vaserl.meshes.compare.settings:VaseEvalSettings",
        example="configs/vaseeval/lathe.toml",
    ),
    "quickstart": Job(
        module="launch.quickstart",
        line="runs all jobs in sequence on a synthetic collection, on one machine",
        settings="vaserl.settings:QuickstartSettings",
        example="configs/quickstart.toml",
    ),
    "bench": Job(module="launch.bench.__main__", line="measures one part of the program: bench NAME"),
    "study": Job(module="launch.study", line="runs an experiment on a finished quick start: study NAME RUN --out DIR"),
}
"""Every job, by its name on the command line."""
