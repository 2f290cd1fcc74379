"""GRPO: python -m launch.train CONFIG [--section.key value …]"""

import sys
from collections.abc import Sequence
from functools import partial

from actors.cluster import bundle, connect, placed
from actors.learner import LearnerGroup
from actors.reward import RewardPool
from actors.rollout import RolloutPool
from launch.main import command
from vaserl.advantage import credit
from vaserl.dataset import read_vases
from vaserl.evaluation.constant import ConstantBaseline, constant_caption
from vaserl.models.adapter import write_weights
from vaserl.models.policy import check_model_folder
from vaserl.progress import Progress
from vaserl.recorder import Recorder
from vaserl.scoring import make_scorer
from vaserl.settings import TrainSettings
from vaserl.tasks import draw
from vaserl.train import train
from vaserl.types import Batch, Update, Weights


def run(settings: TrainSettings) -> None:
    """Trains the policy of `settings` and leaves metrics, rollouts and the last weights in its run folder."""
    check_model_folder(settings.model.path)
    tasks = [vase.caption_task() for vase in read_vases(settings.data.path, "train")]
    make_scorer(settings.reward)  # a typing slip stops here, not on a worker
    rollout, reward, learner = settings.rollout, settings.reward, settings.learner
    bundles = [
        *[bundle(rollout.num_cpus, rollout.num_gpus)] * rollout.num_workers,
        *[bundle(reward.num_cpus, reward.num_gpus)] * reward.num_workers,
        *[bundle(learner.num_cpus, learner.num_gpus)] * learner.num_ranks,
    ]
    with connect(settings.cluster), placed(bundles, settings.cluster) as placement:
        engines = RolloutPool(
            settings.model,
            settings.data,
            rollout,
            max_lora_rank=learner.lora.rank if learner.method == "lora" else None,
            seed=settings.seed,
            placement=placement,
            first_bundle=0,
        )
        rewards = RewardPool(reward, placement=placement, first_bundle=rollout.num_workers)
        ranks = LearnerGroup(
            settings.model,
            settings.data,
            learner,
            seed=settings.seed,
            num_steps=settings.num_steps,
            placement=placement,
            first_bundle=rollout.num_workers + reward.num_workers,
        )
        num_parameters = ranks.wait_until_ready()
        rewards.wait_until_ready()
        rewards.prepare([task.record for task in tasks])
        engines.wait_until_ready()
        print(f"grpo: {len(tasks)} tasks, {num_parameters:,} trained parameters", file=sys.stderr)

        hashes = {source.name: source.sha256 for source in rewards.sources}
        with (
            Recorder(settings.run_dir, settings, settings.trackers, reward_sha256=hashes) as recorder,
            Progress("grpo", settings.num_steps) as progress,
        ):

            def on_step(step: int, values: dict[str, float], weights: Weights) -> None:
                progress.advance(reward=values["reward/mean"], length=values["length/mean"])
                if step == settings.num_steps or (settings.save_every and step % settings.save_every == 0):
                    write_weights(weights, settings.run_dir / "weights")

            train(
                draw_tasks=lambda step: draw(
                    tasks, num_per_step=settings.tasks_per_step, seed=settings.seed, step=step
                ),
                rollout=engines,
                rewards=rewards,
                learner=_Grpo(ranks, settings),
                recorder=recorder,
                on_step=on_step,
                num_steps=settings.num_steps,
                credit=partial(
                    credit,
                    normalise=settings.loss.normalise_advantages,
                    part_weights=settings.advantage.weights if settings.advantage.per_dimension else None,
                ),
                keep_without_signal=settings.loss.beta > 0,
                max_logprob_gap=settings.max_logprob_gap,
                extra_metrics=ConstantBaseline(constant_caption([task.record for task in tasks]), rewards),
            )


class _Grpo:
    """The learner group as the loop asks for it, with the run's loss."""

    def __init__(self, ranks: LearnerGroup, settings: TrainSettings):
        self._ranks, self._settings = ranks, settings

    def learn(self, batch: Batch) -> Update:
        return self._ranks.learn(batch, self._settings.loss, self._settings.rollout.temperature)

    def weights(self, version: int) -> Weights:
        return self._ranks.weights(version)


def main(argv: Sequence[str] | None = None) -> int:
    return command(TrainSettings, run, "GRPO on the caption tasks of a curated data set.", argv)


if __name__ == "__main__":
    sys.exit(main())
