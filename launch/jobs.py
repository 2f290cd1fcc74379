"""The table of jobs. It contains each job's module as a string, so that a job's large imports, such as torch, are
loaded only when the job is started."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Description of a job that can be started with `python -m launch NAME …`."""

    module: str
    """Name of the module that contains the job. A job with settings is run by the module's function `run(settings)`,
    a job without settings by `main(argv)`."""
    line: str
    """Short description of the job for `--help` and docs/configuration.md. It begins with a verb: "trains a model"."""
    settings: str | None = None
    """Settings class of the job, as `module:class`. None for a job that has command-line arguments instead of a
    config file."""
    resumes: bool = False
    """True if the same command continues a job that was stopped; the job's `run` then has the parameter `fresh`."""
    gates: bool = False
    """True if the job's module has `gate_exit_code`, which turns the result into an exit code with `--gate`."""
    example: str | None = None
    """Path of an example config file for the job, relative to the repository. None for a job without a config file."""
    actions: tuple[str, ...] = ()
    """What the job can do, if its command line names one of several actions before the config file; the job's `run`
    then has the parameter `action`."""


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
    "train-cutout": Job(
        module="launch.train_cutout",
        line="trains the network that cuts vases out of photographs, on composed scenes",
        settings="vaserl.synthetic.train_cutout.settings:TrainCutoutSettings",
        example="configs/cutout/h200.toml",
    ),
    "sft": Job(
        module="launch.sft",
        line="fine-tunes a model on the captions and questions of a data set",
        settings="vaserl.settings:SftSettings",
        resumes=True,
        example="configs/sft/quickstart.toml",
    ),
    "train": Job(
        module="launch.train",
        line="trains a model by GRPO on the caption tasks of a data set",
        settings="vaserl.settings:TrainSettings",
        resumes=True,
        example="configs/train/quickstart.toml",
    ),
    "evaluate": Job(
        module="launch.evaluate",
        line="compares systems by their captions of held-out vases",
        settings="vaserl.settings:EvaluateSettings",
        resumes=True,
        gates=True,
        example="configs/evaluate/quickstart.toml",
    ),
    "vaseeval": Job(
        module="launch.vaseeval",
        line="compares generated meshes with true ones of the same name",
        settings="vaserl.meshes.compare.settings:VaseEvalSettings",
        example="configs/vaseeval/lathe.toml",
    ),
    "judge": Job(
        module="launch.judge",
        line="judges which of two meshes is better, by a judge that is calibrated and certified: judge ACTION CONFIG",
        settings="vaserl.judge.settings:JudgeSettings",
        example="configs/judge/geometric.toml",
        actions=("calibrate", "compare", "rank", "pairs", "certify"),
    ),
    "quickstart": Job(
        module="launch.quickstart",
        line="runs all jobs in sequence on a synthetic collection, on one machine",
        settings="vaserl.settings:QuickstartSettings",
        example="configs/quickstart.toml",
    ),
    "plan": Job(
        module="launch.plan",
        line="predicts memory, time, disk and network of a train or sft job: plan CONFIG --cluster 8x8xa100-80",
    ),
    "doctor": Job(
        module="launch.doctor",
        line="checks driver, packages, rendering, disks, clocks, model and rewards on every node: doctor [CONFIG]",
    ),
    "bench": Job(module="launch.bench.__main__", line="measures one part of the program: bench NAME"),
    "study": Job(module="launch.study", line="runs an experiment on a finished quick start: study NAME RUN --out DIR"),
}
"""All jobs. The key is the job's name on the command line."""
