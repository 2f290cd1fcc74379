"""Trains a model by GRPO: python -m launch train CONFIG [--section.key value …]"""

import sys
from collections.abc import Sequence

from actors.cluster import connect
from actors.encoder import FeatureReader, bypass_reason
from actors.learner import LearnerGroup
from actors.placement import PlacementSlice, actor_request, placed
from actors.publish import NcclTransport, ObjectStoreTransport, goes_by_transfer
from actors.reward import RewardPool
from actors.rollout import RolloutPool
from launch.features import encoder_request, report_features, start_encoders
from launch.main import start_job
from vaserl.dataset import DataSet
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.grpo import ConstantBaseline, Grpo, train, train_ahead
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.start import check_start
from vaserl.rewards import make_scorer
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings


def run(settings: TrainSettings) -> None:
    """Trains a model by GRPO. Writes each step's metrics and completions, and the final weights, to the run folder."""
    check_model_folder(settings.model.path)
    check_start(settings.start, settings.learner)
    tasks = [vase.caption_task() for vase in DataSet(settings.data.path).vases("train")]
    records = [task.record for task in tasks]
    make_scorer(settings.reward)  # a misspelt reward stops the job here, not on a worker
    grpo = Grpo(settings=settings, tasks=tasks, baseline=ConstantBaseline(constant_caption(records)))
    folder = Run(settings.run_dir)
    requests = {
        "rollout": actor_request(settings.rollout),
        "reward": actor_request(settings.reward),
        "learner": actor_request(settings.learner),
        "features": encoder_request(settings.features, bypass_reason(settings.learner)),
    }
    with connect(settings.cluster), placed(requests, settings.cluster) as placement:
        encoders = start_encoders(settings, placement["features"])
        if encoders:
            encoders.fill(grpo.clips())
        features = encoders.reader() if encoders else None
        ranks = start_ranks(settings, placement["learner"], features)
        engines = start_engines(settings, placement["rollout"], features, ranks)
        rewards = RewardPool(settings.reward, placement["reward"])
        num_parameters = ranks.wait_until_ready()
        rewards.wait_until_ready()
        rewards.prepare(records)
        engines.wait_until_ready()
        print(f"grpo: {len(tasks)} tasks, {num_parameters:,} trained parameters", file=sys.stderr)
        with GrpoRecorder(folder, settings, settings.trackers, rewards.sha256) as recorder:
            loop = train_ahead if settings.loop == "ahead" else train
            loop(grpo, engines, rewards, ranks, recorder)
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
