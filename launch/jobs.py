"""The table of jobs. It imports nothing heavy: a job's module is loaded when the job is started."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that `python -m launch NAME …` starts."""

    module: str
    """Module with `run(settings)`, and with `main(argv)` for `python -m MODULE`."""
    line: str
    """What the job does, as `--help` and docs/configuration.md say it."""
    settings: str | None = None
    """`module:class` of its settings; None where the job takes arguments of its own instead of a CONFIG."""
    example: str | None = None
    """A config of the job in this repository."""


JOBS = {
    "curate": Job(
        module="launch.curate",
        line="photographs and records to a data set of turntables and captions",
        settings="vaserl.curation.settings:CurateSettings",
        example="configs/curate/folder.toml",
    ),
    "train-quality": Job(
        module="launch.train_quality",
        line="labelled photographs to a calibrated quality filter",
        settings="vaserl.curation.train_quality.settings:TrainQualitySettings",
        example="configs/quality/synthetic.toml",
    ),
    "sft": Job(
        module="launch.sft",
        line="supervised fine-tuning on the captions and questions of a data set",
        settings="vaserl.settings:SftSettings",
        example="configs/sft/quickstart.toml",
    ),
    "train": Job(
        module="launch.train",
        line="GRPO on the caption tasks of a data set",
        settings="vaserl.settings:TrainSettings",
        example="configs/train/quickstart.toml",
    ),
    "evaluate": Job(
        module="launch.evaluate",
        line="a model against its trained weights on held-out vases",
        settings="vaserl.settings:EvaluateSettings",
        example="configs/evaluate/quickstart.toml",
    ),
    "vaseeval": Job(
        module="launch.vaseeval",
        line="generated meshes against true ones of the same name",
        settings="vaserl.meshes.compare.settings:VaseEvalSettings",
        example="configs/vaseeval/lathe.toml",
    ),
    "quickstart": Job(
        module="launch.quickstart",
        line="all jobs in sequence on a synthetic collection, on one machine",
        settings="vaserl.settings:QuickstartSettings",
        example="configs/quickstart.toml",
    ),
    "bench": Job(module="launch.bench.__main__", line="a measurement of one part of the program: bench NAME"),
    "study": Job(module="launch.study", line="an experiment on a finished quick start: study NAME RUN --out DIR"),
}
"""Each job by the name that it is started by."""
