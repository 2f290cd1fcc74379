"""Fine-tunes a model on captions and questions (SFT): python -m launch sft CONFIG [--section.key value …]"""

import math
import sys
from collections.abc import Sequence

import numpy as np

from actors.cluster import connect
from actors.learner import LearnerGroup
from actors.placement import placed
from launch.continuation import continue_from, starting_moments, stopping, warn_of_little_space
from launch.features import report_bypass, report_features, start_encoders
from launch.interruption import interruptible
from launch.main import start_job
from launch.preflight import check_imitation
from vaserl.dataset import PROVENANCE, DataSet, Vase
from vaserl.grpo import draw_items
from vaserl.grpo.checks import NonFiniteGuard
from vaserl.planning.requests import job_bypass_reason, role_requests
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.start import check_start
from vaserl.runs.beginning import Beginning, begun
from vaserl.runs.progress import Progress
from vaserl.runs.recorder import Recorder
from vaserl.runs.run import SftRun
from vaserl.runs.trackers import check_trackers
from vaserl.settings import SftSettings
from vaserl.synthetic.models.tiny_qwen import TinyShape, build_tiny_model
from vaserl.types import Demonstration

MAX_BASE_GAP = 0.1
"""Largest mean absolute difference between the log-probabilities of the probe text that the base model had when a run
was started and those that it has when the run is continued. Two bfloat16 computations differ by less."""


def run(settings: SftSettings, *, fresh: bool = False) -> None:
    """Fine-tunes a model on the captions and questions of the training vases. Writes the model folder to
    `run_dir`/model.

    If the folder has a run with these settings, the run is continued after its last checkpoint. fresh: if true, that
    run is set aside and a new one begins.
    """
    check_trackers(settings.trackers)
    folder = SftRun(settings.run_dir)
    data = DataSet.of_settings(settings.data)
    vases = data.vases("train")
    check_imitation(settings, [vase.clip for vase in vases])
    num_steps = math.ceil(settings.num_epochs * len(vases) / settings.vases_per_step)
    with begun(folder, settings, num_steps=num_steps, data_sha256=data.sha256, fresh=fresh) as begin:
        if begin.is_finished:
            return
        if settings.tiny_model is not None:
            build_tiny_model(
                settings.model.path,
                tokenizer_texts(vases, (settings.data.prompt, settings.data.system)),
                shape=TinyShape(**settings.tiny_model.model_dump()),
                seed=settings.seed,
            )
        check_model_folder(settings.model.path)
        check_start(settings.start, settings.learner)
        starting_moments(settings.start)  # a wrong folder stops the job here, not after the models were loaded
        _train(settings, folder, begin, vases, num_steps)


def _train(settings: SftSettings, folder: SftRun, begin: Beginning, vases: Sequence[Vase], num_steps: int) -> None:
    report_bypass(settings.features, job_bypass_reason(settings))
    requests = role_requests(settings)
    with connect(settings.cluster), interruptible(), placed(requests, settings.cluster) as placement:
        with begin.status.phase(begin.after_step, "start"):
            encoders = start_encoders(settings, placement["features"])
            ranks = LearnerGroup(
                settings.model,
                settings.data,
                settings.learner,
                placement["learner"],
                encoders.reader() if encoders else None,
                seed=settings.seed,
                num_steps=num_steps,
                start=settings.start,
            )
            num_parameters = ranks.wait_until_ready()
            warn_of_little_space(begin, num_parameters)
            first_step = continue_from(begin, ranks, folder, MAX_BASE_GAP, settings.start).step
        print(f"sft: {len(vases)} vases, {num_steps} steps, {num_parameters:,} trained parameters", file=sys.stderr)
        with (
            Recorder(folder, settings, begin, trackers=settings.trackers) as recorder,
            stopping(recorder),
            Progress("sft", num_steps, begin.after_step, recorder.status.waits_for) as progress,
        ):
            nonfinite = NonFiniteGuard(settings.learner.max_nonfinite_steps)
            for step in range(first_step, num_steps + 1):
                chosen = draw_items(vases, num_per_step=settings.vases_per_step, seed=settings.seed, step=step)
                random = np.random.default_rng([settings.seed, step])
                demonstrations = [demonstration(vase, settings, random) for vase in chosen]
                with recorder.phase(step, "learn"):
                    update = ranks.imitate(step, demonstrations)
                recorder.metrics(step, dict(update.metrics))
                recorder.checkpoint(step, ranks, {}, is_last=step == num_steps)
                progress.advance(loss=update.metrics["loss"])
                nonfinite.check(update)
            nonfinite.finish()
            with recorder.status.phase(num_steps, "save"):
                ranks.save(folder.model_folder)
            recorder.finish()
        report_features(encoders, folder)


def demonstration(vase: Vase, settings: SftSettings, random: np.random.Generator) -> Demonstration:
    """Returns a conversation about a vase's turntable video that the model is trained to imitate. It consists of the
    vase's caption and of randomly drawn questions with answers. The video starts at a random frame if
    `settings.rotate_clips` is true, and its frames are shifted by up to `settings.max_shift` pixels."""
    rotation = int(random.integers(settings.data.num_frames)) if settings.rotate_clips else 0
    # a video doesn't show where a vase was found, so that question would teach the model to guess
    visible = [question for question in vase.questions if question.dimension != PROVENANCE]
    num_questions = min(settings.questions_per_vase, len(visible))
    asked = random.choice(len(visible), num_questions, replace=False) if num_questions else []
    questions = [visible[int(index)] for index in asked]
    turns = ((settings.data.prompt, vase.caption), *((q.question, q.answer) for q in questions))
    shift = tuple(int(pixels) for pixels in random.integers(-settings.max_shift, settings.max_shift + 1, 2))
    return Demonstration(clip=vase.clip, rotation=rotation, shift=(shift[0], shift[1]), turns=turns)


def tokenizer_texts(vases: Sequence[Vase], prompts: Sequence[str]) -> list[str]:
    """Returns the texts to train a tokenizer on: the caption prompt and the system message, unless it is empty, and the
    caption, reference caption, questions and answers of each vase."""
    texts = [prompt for prompt in prompts if prompt]
    for vase in vases:
        texts += [vase.caption, vase.reference, *(text for q in vase.questions for text in (q.question, q.answer))]
    return texts


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("sft", argv)


if __name__ == "__main__":
    sys.exit(main())
