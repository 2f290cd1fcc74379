"""GRPO: python -m launch train CONFIG [--section.key value …]"""

import sys
from collections.abc import Callable, Sequence
from functools import partial

from actors.cluster import bundle, connect, placed
from actors.encoder import bypass_reason
from actors.learner import LearnerGroup
from actors.publish import TransferredRollout, goes_by_transfer
from actors.reward import RewardPool
from actors.rollout import RolloutPool
from launch.features import num_encoders, report_features, start_encoders
from launch.main import start_job
from vaserl.dataset import DataSet
from vaserl.evaluation.constant_baseline import ConstantBaseline
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.grpo.advantage import advantages
from vaserl.grpo.loop import train
from vaserl.grpo.loop_ahead import train_ahead
from vaserl.grpo.loss import assemble
from vaserl.grpo.overlong import punish_overlong
from vaserl.grpo.tasks import draw
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.weights import write_weights
from vaserl.rewards import make_scorer
from vaserl.runs.progress import Progress
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings
from vaserl.types import Batch, Update, Weights


def run(settings: TrainSettings) -> None:
    """Trains the policy of `settings` and leaves metrics, rollouts and the last weights in its run folder."""
    check_model_folder(settings.model.path)
    run_folder = Run(settings.run_dir)
    tasks = [vase.caption_task() for vase in DataSet(settings.data.path).vases("train")]
    make_scorer(settings.reward)  # a typing slip stops here, not on a worker
    tasks_of = partial(draw, tasks, num_per_step=settings.tasks_per_step, seed=settings.seed)
    rollout, reward, learner = settings.rollout, settings.reward, settings.learner
    with_encoders = num_encoders(settings.features, bypass_reason(learner))
    bundles = [
        *[bundle(rollout.num_cpus, rollout.num_gpus)] * rollout.num_workers,
        *[bundle(reward.num_cpus, reward.num_gpus)] * reward.num_workers,
        *[bundle(learner.num_cpus, learner.num_gpus)] * learner.num_ranks,
        *[bundle(settings.features.num_cpus, settings.features.num_gpus)] * with_encoders,
    ]
    with connect(settings.cluster), placed(bundles, settings.cluster) as placement:
        encoders = start_encoders(settings, placement, range(len(bundles) - with_encoders, len(bundles)))
        if encoders:
            steps = range(1, settings.num_steps + 1)
            encoders.fill(list(dict.fromkeys(task.clip for step in steps for task in tasks_of(step=step))))
        features = encoders.reader() if encoders else None
        engines = RolloutPool(
            settings.model,
            settings.data,
            rollout,
            features,
            max_lora_rank=learner.lora.rank if learner.method == "lora" else None,
            seed=settings.seed,
            placement=placement,
            first_bundle=0,
            takes_transfers=goes_by_transfer(learner, rollout),
        )
        rewards = RewardPool(reward, placement=placement, first_bundle=rollout.num_workers)
        ranks = LearnerGroup(
            settings.model,
            settings.data,
            learner,
            features,
            seed=settings.seed,
            num_steps=settings.num_steps,
            placement=placement,
            first_bundle=rollout.num_workers + reward.num_workers,
        )
        num_parameters = ranks.wait_until_ready()
        rewards.wait_until_ready()
        rewards.prepare([task.record for task in tasks])
        engines.wait_until_ready()
        transferred = TransferredRollout(engines, ranks) if goes_by_transfer(learner, rollout) else None
        print(f"grpo: {len(tasks)} tasks, {num_parameters:,} trained parameters", file=sys.stderr)

        hashes = {source.name: source.sha256 for source in rewards.sources}
        with (
            GrpoRecorder(run_folder, settings, settings.trackers, reward_sha256=hashes) as recorder,
            Progress("grpo", settings.num_steps) as progress,
        ):

            def on_step(step: int, values: dict[str, float], weights: Weights) -> None:
                progress.advance(reward=values["reward/mean"], length=values["length/mean"])
                if step == settings.num_steps or (settings.save_every and step % settings.save_every == 0):
                    with run_folder.saving_weights(weights.version) as folder:
                        if transferred is not None:
                            ranks.save(folder)
                        else:
                            write_weights(weights, folder)

            loop = train
            if settings.loop == "ahead":
                loop = partial(train_ahead, max_staleness=settings.max_staleness)
            loop(
                draw_tasks=lambda step, refill: tasks_of(step=step, refill=refill),
                rollout=transferred or engines,
                rewards=rewards,
                learner=_Grpo(ranks, settings, (transferred or ranks).weights),
                recorder=recorder,
                on_step=on_step,
                num_steps=settings.num_steps,
                punish=lambda scored: punish_overlong(scored, settings.overlong, rollout.max_new_tokens),
                credit=partial(
                    advantages,
                    normalise=settings.loss.normalise_advantages,
                    part_weights=settings.advantage.weights if settings.advantage.per_dimension else None,
                ),
                assemble=partial(
                    assemble,
                    # a group that was replaced must not come back for the sake of its KL term
                    keep_without_signal=settings.loss.beta > 0 and settings.max_refills == 0,
                    mask_truncated=settings.loss.mask_truncated,
                ),
                max_refills=settings.max_refills,
                max_logprob_gap=settings.max_logprob_gap,
                extra_metrics=ConstantBaseline(constant_caption([task.record for task in tasks]), rewards),
            )
        report_features(encoders, run_folder)


class _Grpo:
    """The learner group as the loop asks for it, with the run's loss."""

    def __init__(self, ranks: LearnerGroup, settings: TrainSettings, weights: Callable[[int], Weights]):
        self._ranks, self._settings, self._weights = ranks, settings, weights

    def learn(self, batch: Batch) -> Update:
        return self._ranks.learn(batch, self._settings.loss, self._settings.rollout.temperature)

    def weights(self, version: int) -> Weights:
        return self._weights(version)


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("train", argv)


if __name__ == "__main__":
    sys.exit(main())
