"""Trains a model by GRPO: python -m launch train CONFIG [--section.key value …]"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from actors.cluster import connect
from actors.encoder import FeatureReader
from actors.learner import LearnerGroup
from actors.placement import PlacementSlice, placed
from actors.publish import NcclTransport, ObjectStoreTransport, goes_by_transfer
from actors.reward import RewardPool
from actors.rollout import RolloutPool
from launch.continuation import continue_from, remember_versions, starting_moments, stopping, warn_of_little_space
from launch.features import report_bypass, report_features, start_encoders
from launch.interruption import interruptible
from launch.lengths import fitting_tasks
from launch.main import start_job
from launch.preflight import check_prompts, check_training, report_services
from vaserl.dataset import DataSet, Vase
from vaserl.errors import UserError
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.evaluation.reading import reward_reader
from vaserl.evaluation.validation import make_validation
from vaserl.grpo import ConstantBaseline, Grpo, train, train_ahead
from vaserl.planning.bundles import is_gpu_shared
from vaserl.planning.requests import job_bypass_reason, role_requests
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.start import check_start
from vaserl.rewards import make_scorer, read_sources
from vaserl.runs.beginning import Beginning, begun
from vaserl.runs.dropped import write_dropped
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.run import Run
from vaserl.runs.trackers import check_trackers
from vaserl.settings import TrainSettings
from vaserl.types import Task


def run(settings: TrainSettings, *, fresh: bool = False) -> None:
    """Trains a model by GRPO. Writes each step's metrics and completions, and the final weights, to the run folder.

    If the folder has a run with these settings, the run is continued after its last checkpoint. fresh: if true, that
    run is set aside and a new one begins.
    """
    check_model_folder(settings.model.path)
    check_start(settings.start, settings.learner)
    starting_moments(settings.start)  # a wrong folder stops the job here, not after the models were loaded
    check_trackers(settings.trackers)
    data = DataSet.of_settings(settings.data)
    vases = data.vases("train")
    tasks = [vase.caption_task(settings.data.prompt) for vase in vases]
    kept, dropped, too_long = fitting_tasks(settings, [*tasks, *question_tasks(settings, data.root, vases)])
    check_training(settings, kept)
    report_services(make_scorer(settings.reward))  # a misspelt reward stops the job here, not on a worker
    folder = Run(settings.run_dir)
    records = [vase.record for vase in vases]
    validation = make_validation(settings, folder, records, reward_reader())
    if validation.tasks:
        check_prompts(settings.model, settings.data, settings.rollout, validation.tasks)
    with begun(
        folder,
        settings,
        num_steps=settings.num_steps,
        data_sha256=data.sha256,
        reward_sha256={source.name: source.sha256 for source in read_sources(settings.reward)},
        fresh=fresh,
    ) as begin:
        if not begin.is_finished:
            print(*too_long, sep="\n", end="\n" if too_long else "", file=sys.stderr)
            write_dropped(folder.path, dropped)
            baseline = ConstantBaseline(constant_caption(records), earlier=begin.metrics)
            grpo = Grpo(
                settings=settings,
                tasks=[task for task in kept if not task.is_question],
                questions=[task for task in kept if task.is_question],
                baseline=baseline,
                validation=validation,
            )
            _train(settings, folder, begin, grpo, records)


def question_tasks(settings: TrainSettings, data: Path | str, vases: Sequence[Vase]) -> list[Task]:
    """Returns the questions about the training vases that the run asks; none if `questions.share` is 0.

    Raises: UserError if there are none to ask.
    """
    if not settings.questions.share:
        return []
    topics = settings.questions.topics
    tasks = [task for vase in vases for task in vase.question_tasks(topics)]
    if not tasks:
        raise UserError(
            f"questions.share = {settings.questions.share:g}, but the training vases of {data} have no question "
            f"with an answer about {', '.join(topics)}. Set questions.share = 0, or other questions.topics"
        )
    others = sum(not task.dimensions for task in tasks)
    if settings.advantage.per_dimension and others and "answer" not in settings.advantage.weights:
        raise UserError(
            f"advantage.per_dimension uses only the parts in advantage.weights, and {others} of {len(tasks)} questions "
            'are scored by the part "answer" alone: add it there, or leave "other" out of questions.topics'
        )
    return tasks


def _train(
    settings: TrainSettings, folder: Run, begin: Beginning, grpo: Grpo, records: Sequence[Mapping[str, str]]
) -> None:
    report_bypass(settings.features, job_bypass_reason(settings))
    requests = role_requests(settings)
    with connect(settings.cluster), interruptible(), placed(requests, settings.cluster) as placement:
        with begin.status.phase(begin.after_step, "start"):
            encoders = start_encoders(settings, placement["features"])
            if encoders:
                encoders.fill(grpo.clips(begin.after_step + 1))
            features = encoders.reader() if encoders else None
            ranks = start_ranks(settings, placement["learner"], features)
            # an engine counts all memory that its GPU loses while it starts as its own, so a rank that loads its model
            # meanwhile would make the engine's cache smaller by as much
            waits = is_gpu_shared(requests, "learner", "rollout")
            engines = None if waits else start_engines(settings, placement["rollout"], features, ranks)
            rewards = RewardPool(settings.reward, placement["reward"])
            num_parameters = ranks.wait_until_ready()
            warn_of_little_space(begin, num_parameters)
            start = continue_from(begin, ranks, folder, settings.rollout.max_fingerprint_gap, settings.start)
            engines = engines or start_engines(settings, placement["rollout"], features, ranks)
            rewards.wait_until_ready()
            rewards.prepare(records)
            engines.wait_until_ready()
        asked = f" and {len(grpo.questions)} questions" if grpo.questions else ""
        print(f"grpo: {len(grpo.tasks)} tasks{asked}, {num_parameters:,} trained parameters", file=sys.stderr)
        with GrpoRecorder(folder, settings, begin, settings.trackers) as recorder, stopping(recorder):
            remember_versions(recorder, settings, ranks, start)
            loop = train_ahead if settings.loop == "ahead" else train
            weights = loop(grpo, engines, rewards, ranks, recorder, start)
            recorder.complete(weights, ranks, grpo.stop_reason)
        report_features(encoders, folder)


def start_ranks(settings: TrainSettings, place: PlacementSlice, features: FeatureReader | None) -> LearnerGroup:
    """Starts the processes (ranks) that train the model, on the resources reserved for them."""
    return LearnerGroup(
        settings.model,
        settings.data,
        settings.learner,
        place,
        features,
        seed=settings.seed,
        num_steps=settings.num_steps,
        start=settings.start,
    )


def start_engines(
    settings: TrainSettings, place: PlacementSlice, features: FeatureReader | None, ranks: LearnerGroup
) -> RolloutPool:
    """Starts the engines, the actors that generate completions, on the resources reserved for them.

    After each training step, the processes that train the model (`ranks`) send the new weights to the engines. The
    weights are sent from GPU to GPU over NCCL if `goes_by_transfer` is true, otherwise through Ray's object store.
    """
    learner = settings.learner
    by_nccl = goes_by_transfer(learner, settings.rollout)
    return RolloutPool(
        settings.model,
        settings.data,
        settings.rollout,
        place,
        features,
        max_lora_rank=learner.lora.rank if learner.method == "lora" else None,
        seed=settings.seed,
        transport=NcclTransport(ranks) if by_nccl else ObjectStoreTransport(),
    )


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("train", argv)


if __name__ == "__main__":
    sys.exit(main())
