"""Gets the answers of an evaluation's systems: from files, from servers, and from engines."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Protocol

from actors.cluster import connect
from actors.placement import placed
from actors.rollout import RolloutPool
from launch.evaluation_systems import EvaluatedSystem, trained_files
from launch.features import report_bypass, report_features, start_encoders
from launch.interruption import interruptible
from launch.preflight import check_prompts
from vaserl.dataset import DataSet
from vaserl.evaluation.served_captions import served_answers
from vaserl.planning.requests import actor_request, encoder_request
from vaserl.policy.chat_client import ChatClient
from vaserl.policy.weights import make_weights, read_fingerprint
from vaserl.runs.caption_store import CaptionStore, SystemAnswer
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.progress import Progress
from vaserl.runs.status import SignsOfLife
from vaserl.settings import EvaluateSettings, ModelSettings
from vaserl.types import Group, Publication, Task, Weights


class Captioner(Protocol):
    """Engines that answer tasks."""

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """Returns a group of one completion for each task, in order, by greedy decoding."""
        ...

    def generate(self, tasks: Sequence[Task], step: int) -> list[Group]:
        """Returns a group of one sampled completion for each task, in order, by seeds that depend on `step`."""
        ...

    def publish(self, weights: Weights) -> Publication:
        """Loads these weights into every engine and blocks until all engines serve them."""
        ...


def check_systems(settings: EvaluateSettings, systems: Mapping[str, EvaluatedSystem]) -> None:
    """Checks that every model can be given its tasks, and that every server answers, before the first engine starts.

    Raises: UserError that names the setting to change.
    """
    for base in dict.fromkeys(system.base for system in systems.values() if system.base is not None):
        (tasks, *_) = (system.tasks for system in systems.values() if system.base == base)
        model = ModelSettings(path=base, dtype=settings.model.dtype)
        check_prompts(model, settings.data, settings.rollout, tasks)
    for system in systems.values():
        if system.server is not None:
            _client(settings, system).check()


def answer_all(
    settings: EvaluateSettings,
    systems: Mapping[str, EvaluatedSystem],
    stores: Mapping[str, CaptionStore],
    folder: EvaluationRun,
    status: SignsOfLife,
) -> None:
    """Gets the answers that the stores lack, and stores them batch by batch."""
    missing = [system for name, system in systems.items() if not stores[name].is_complete]
    total = sum(len(store.ids) for store in stores.values())
    done = sum(len(store.answers) for store in stores.values())
    with Progress("evaluate", total, done, status.waits_for) as progress:

        def store_batches(system: EvaluatedSystem, answer) -> None:
            store = stores[system.name]
            while not store.is_complete:
                start = len(store.answers)
                batch = system.tasks[start : start + store.batch_size]
                with status.phase(0, system.name):
                    answers = answer(batch, start // store.batch_size)
                store.add(answers)
                status.advanced(len(batch))
                progress.advance(len(batch))

        for system in missing:
            if system.captions is not None:
                found = system.captions.answers([task.id.rpartition("/")[0] for task in system.tasks])
                by_task = dict(zip((task.id for task in system.tasks), found, strict=True))
                store_batches(system, lambda batch, _, by_task=by_task: [by_task[task.id] for task in batch])
            elif system.server is not None:
                client, clips = _client(settings, system), DataSet.of_settings(settings.data).clips
                with interruptible():
                    store_batches(
                        system,
                        lambda batch, _, client=client, clips=clips: served_answers(
                            client, clips, batch, settings.data.num_frames
                        ),
                    )
        local = sorted((s for s in systems.values() if s.base is not None), key=lambda s: (str(s.base), s.order))
        trained = (system.name for system in local if system.weights is not None)
        numbers = {name: number for number, name in enumerate(trained, start=1)}
        for base, group in groupby((system for system in local if system in missing), key=lambda s: s.base):
            assert base is not None
            members = list(group)
            with started_engines(settings, base, members, folder, status) as engines:
                for system in members:
                    if system.weights is not None:
                        files, _ = trained_files(system.weights)
                        with status.phase(0, "publish"):
                            engines.publish(make_weights(numbers[system.name], files, read_fingerprint(system.weights)))
                    store_batches(system, lambda batch, index, engines=engines: _ask(settings, engines, batch, index))


@contextmanager
def started_engines(
    settings: EvaluateSettings,
    base: Path,
    members: Sequence[EvaluatedSystem],
    folder: EvaluationRun,
    status: SignsOfLife,
) -> Iterator[Captioner]:
    """Starts engines with the model in the folder `base`, for the duration of a `with` block. members: the systems that
    the engines will serve one after the other."""
    bypass_reason = None
    if any(system.weights is not None and system.rank is None for system in members):
        bypass_reason = "the weights are a whole model, whose vision tower may differ from the base model's"
    rollout = settings.rollout.model_copy(update={"group_size": 1})
    requests = {"rollout": actor_request(rollout), "features": encoder_request(settings.features, bypass_reason)}
    report_bypass(settings.features, bypass_reason)
    model = ModelSettings(path=base, dtype=settings.model.dtype)
    with connect(settings.cluster), interruptible(), placed(requests, settings.cluster) as placement:
        with status.phase(0, "start"):
            encoders = start_encoders(settings.model_copy(update={"model": model}), placement["features"])
            engines = RolloutPool(
                model,
                settings.data,
                rollout,
                placement["rollout"],
                encoders.reader() if encoders else None,
                max_lora_rank=max((system.rank for system in members if system.rank), default=None),
                seed=settings.seed,
            )
            engines.wait_until_ready()
        yield engines
        report_features(encoders, folder)


def _ask(settings: EvaluateSettings, engines: Captioner, tasks: Sequence[Task], index: int) -> list[SystemAnswer]:
    groups = engines.greedy(tasks) if settings.decoding == "greedy" else engines.generate(tasks, index)
    answers = []
    for group in groups:
        completion = group.completions[0]
        answers.append(
            SystemAnswer(
                text=completion.text,
                failure="" if completion.text.strip() else "an empty text",
                token_ids=completion.token_ids,
                logprobs=completion.logprobs,
                finish_reason=completion.finish_reason,
            )
        )
    return answers


def _client(settings: EvaluateSettings, system: EvaluatedSystem) -> ChatClient:
    assert system.server is not None
    return ChatClient(
        system.server,
        f"systems.{system.name}.server",
        max_new_tokens=settings.rollout.max_new_tokens,
        temperature=0.0 if settings.decoding == "greedy" else settings.rollout.temperature,
        seed=settings.seed,
        system=settings.data.system,
    )


def report_failures(systems: Mapping[str, EvaluatedSystem], stores: Mapping[str, CaptionStore]) -> None:
    """Prints how many of each system's answers are failures, with the commonest reason."""
    for name in systems:
        reasons = [answer.failure for answer in stores[name].answers if answer.failure]
        if reasons:
            commonest = max(sorted(set(reasons)), key=reasons.count)
            print(f"{name}: {len(reasons)} of {len(stores[name].ids)} answers failed: {commonest}", file=sys.stderr)
