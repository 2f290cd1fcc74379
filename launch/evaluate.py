"""Captions the held-out vases before and after training: python -m launch evaluate CONFIG [--section.key value …]

This job evaluates captions. `python -m launch vaseeval CONFIG` evaluates generated meshes: see launch/vaseeval.py.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from actors.cluster import connect
from actors.placement import placed
from actors.rollout import RolloutPool
from launch.features import report_bypass, report_features, start_encoders
from launch.interruption import Interruption, interruptible
from launch.main import start_job
from launch.preflight import check_prompts, report_services
from vaserl.dataset import DataSet, Vase
from vaserl.encoders.open_clip import open_clip_text_encoder
from vaserl.errors import UserError
from vaserl.evaluation.constant_baseline import score_constant_caption
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.evaluation.evaluate import SYSTEMS, EvaluationConfig, EvaluationRow, evaluate_captions
from vaserl.evaluation.reading import reward_reader
from vaserl.files import sha256_of_folder
from vaserl.planning.requests import actor_request, encoder_request
from vaserl.policy.adapter import ADAPTER_CONFIG, read_adapter
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.tensor_file import FileContent
from vaserl.policy.weights import digest_files, make_weights, read_fingerprint
from vaserl.report.markdown import evaluation_markdown
from vaserl.rewards import Scorer, make_scorer, read_sources
from vaserl.runs.caption_store import CaptionStore, changes_of_origin
from vaserl.runs.claim import RunClaim, claimed
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.progress import Progress
from vaserl.runs.status import SignsOfLife
from vaserl.runs.versions import versions
from vaserl.settings import EvaluateSettings
from vaserl.types import Completion, Group, Publication, Score, Task, Weights

BATCH_SIZE = 32
"""Number of vases that are captioned together. After each such batch the captions are stored and the progress line is
updated."""


class Captioner(Protocol):
    """Engines that caption by greedy decoding."""

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """Returns a group of one completion for each task, in order."""
        ...

    def publish(self, weights: Weights) -> Publication:
        """Loads these weights into every engine and blocks until all engines serve them."""
        ...


def run(settings: EvaluateSettings, *, fresh: bool = False) -> dict[str, Any]:
    """Captions the vases of one split by greedy decoding: first with the model before GRPO ("sft"), then with the
    weights trained by GRPO ("rl").

    Writes all captions and a summary that compares both models to `settings.run_dir`, the summary also as a
    Markdown table. Captions that an earlier process stored there are reused if they depend on the same weights, data
    and settings. A finished evaluation is not repeated. fresh: if true, an earlier evaluation in the folder is renamed
    and repeated.

    Returns: that summary.
    """
    folder = EvaluationRun(settings.run_dir)
    check_model_folder(settings.model.path)
    data = DataSet.of_settings(settings.data)
    vases, train = data.vases(settings.split), data.vases("train")
    tasks = [vase.caption_task(settings.data.prompt) for vase in vases]
    check_prompts(settings.model, settings.data, settings.rollout, tasks)
    scorer = make_scorer(settings.reward)
    report_services(scorer)
    scorer.prepare([vase.record for vase in train])
    files, rank = trained_files(settings.trained)
    origin = {"captions": captions_origin(settings, data, files), "metrics": metrics_origin(settings)}
    with begin_evaluation(folder, settings, origin, vases, fresh=fresh) as (claim, store):
        if store is None:
            return folder.summary
        encoder = open_clip_text_encoder(settings.clip_model)
        status = SignsOfLife(
            folder.path, "evaluate", len(SYSTEMS) * len(vases), step=store.num_stored, epoch=claim.epoch
        )
        with status:
            if not store.is_complete:
                weights = make_weights(1, files, read_fingerprint(settings.trained))
                try:
                    with started_engines(settings, rank, folder, status) as engines:
                        caption_all(engines, tasks, weights, store, status)
                except Interruption as interruption:
                    done = f"{store.num_stored} of {len(SYSTEMS) * len(vases)} captions"
                    text = f"stopped by {interruption} with {done}; the same command continues there"
                    print(f"{folder.path.name}: {text}", file=sys.stderr)
                    raise
            with status.phase(0, "metrics"):
                captions = zip(vases, *map(store.completions, SYSTEMS), strict=True)
                result = evaluate_captions(
                    [_row(vase, before, after, scorer) for vase, before, after in captions],
                    [vase.record for vase in train],
                    reward_reader(),
                    encoder,
                    EvaluationConfig(seed=settings.seed),
                )
                constant = score_constant_caption(constant_caption([vase.record for vase in train]), tasks, scorer)
            summary = {**result.summary, "constant_answer": constant, "versions": versions()}
            claim.check()
            folder.write(summary, result.vases, evaluation_markdown(summary))
            folder.finish(origin)
        print(f"evaluation: the table is in {folder.table_file}", file=sys.stderr)
    return summary


def captions_origin(settings: EvaluateSettings, data: DataSet, files: Mapping[str, FileContent]) -> dict[str, Any]:
    """Returns everything that the captions depend on, as JSON values. The number of workers is not included: it only
    changes which prompts an engine processes together. files: the trained weights."""
    rollout = settings.rollout.model_dump(mode="json")
    installed = versions()
    return {
        "model.path (content)": sha256_of_folder(settings.model.path),
        "model.dtype": settings.model.dtype,
        "trained (content)": digest_files(files),
        "data.path (content)": data.sha256,
        "data.num_frames": settings.data.num_frames,
        "split": settings.split,
        "prompt": settings.data.prompt,
        # stored captions of earlier versions, which had no system message, remain valid
        **({"system message": settings.data.system} if settings.data.system else {}),
        "decoding": "greedy",
        **{f"rollout.{name}": rollout[name] for name in ("max_new_tokens", "publish", "engine_args")},
        "engines on a GPU": settings.rollout.num_gpus > 0,
        "feature store": settings.features.num_workers > 0,
        **{f"version of {name}": version for name, version in installed.items() if name not in _WITHOUT_EFFECT},
    }


_WITHOUT_EFFECT = ("platform", "vase_reward")
"""Versions on which the captions don't depend."""


def metrics_origin(settings: EvaluateSettings) -> dict[str, Any]:
    """Returns everything that the metrics depend on beside the captions, as JSON values.

    Raises: UserError when the folder of the text encoder is absent.
    """
    if not settings.clip_model.is_dir():
        raise UserError(f"clip_model {settings.clip_model} does not exist; give the folder of an open_clip model")
    return {
        "seed": settings.seed,
        "clip_model (content)": sha256_of_folder(settings.clip_model),
        "reward": settings.reward.model_dump(mode="json", include={"functions", "weights", "arguments", "remote"}),
        "reward (code)": {source.name: source.sha256 for source in read_sources(settings.reward)},
    }


@contextmanager
def begin_evaluation(
    folder: EvaluationRun, settings: EvaluateSettings, origin: Mapping[str, Any], vases: Sequence[Vase], *, fresh: bool
) -> Iterator[tuple[RunClaim, CaptionStore | None]]:
    """Claims the run folder for the duration of a `with` block, and prints what of an earlier evaluation is used.

    An earlier evaluation whose captions depend on other weights, data or settings is renamed to NAME.before-N. origin:
    what captions and metrics depend on, by these names.

    Yields: the claim, and the captions stored so far; None if the evaluation is finished and nothing has changed.

    Raises: UserError when another job writes to the folder.
    """
    with ExitStack() as claims:
        claim = claims.enter_context(claimed(folder.path))
        earlier = folder.origin
        if earlier == origin and not fresh:
            print(f"{folder.path}: this evaluation is finished. --fresh does it again", file=sys.stderr)
            yield claim, None
            return
        store = _stored(folder, origin, vases, claim)
        reasons = list(store.changed)
        if folder.has_results and not folder.completions_file.is_file():
            reasons = ["it has no stored completions (an older version of vaserl wrote it)"]
        if folder.has_results and (fresh or reasons):
            aside = folder.set_aside()
            reason = "--fresh" if fresh else f"it can't be continued, because this changed: {', '.join(reasons)}"
            print(f"{folder.path}: an earlier evaluation was moved to {aside}: {reason}", file=sys.stderr)
            claim = claims.enter_context(claimed(folder.path, after_epoch=claim.epoch))
            store = _stored(folder, origin, vases, claim)
        elif store.is_complete and earlier:
            changed = ", ".join(changes_of_origin(earlier.get("metrics", {}), origin["metrics"]))
            print(f"{folder.path}: all captions are stored; the metrics are computed again: {changed}", file=sys.stderr)
        elif store.num_stored:
            total = len(SYSTEMS) * len(vases)
            print(f"{folder.path}: {store.num_stored} of {total} captions are stored already", file=sys.stderr)
        folder.begin(settings)
        yield claim, store


def _stored(folder: EvaluationRun, origin: Mapping[str, Any], vases: Sequence[Vase], claim: RunClaim) -> CaptionStore:
    return CaptionStore(
        folder.completions_file,
        origin["captions"],
        systems=SYSTEMS,
        ids=[vase.id for vase in vases],
        batch_size=BATCH_SIZE,
        check=claim.check,
    )


@contextmanager
def started_engines(
    settings: EvaluateSettings, rank: int | None, folder: EvaluationRun, status: SignsOfLife
) -> Iterator[Captioner]:
    """Starts the engines with the model before GRPO, for the duration of a `with` block. rank: rank of the trained LoRA
    adapter, None for the weights of a whole model."""
    bypass_reason = (
        None if rank else "the trained weights are a whole model, whose vision tower may differ from the base model's"
    )
    requests = {
        "rollout": actor_request(settings.rollout),
        "features": encoder_request(settings.features, bypass_reason),
    }
    report_bypass(settings.features, bypass_reason)
    with connect(settings.cluster), interruptible(), placed(requests, settings.cluster) as placement:
        with status.phase(0, "start"):
            encoders = start_encoders(settings, placement["features"])
            engines = RolloutPool(
                settings.model,
                settings.data,
                settings.rollout,
                placement["rollout"],
                encoders.reader() if encoders else None,
                max_lora_rank=rank,
                seed=settings.seed,
            )
            engines.wait_until_ready()
        yield engines
        report_features(encoders, folder)


def caption_all(
    engines: Captioner, tasks: Sequence[Task], weights: Weights, store: CaptionStore, status: SignsOfLife
) -> None:
    """Generates the captions that `store` lacks, and stores them batch by batch: first those of the model before GRPO,
    then those of the trained weights."""
    done, total = store.num_stored, len(SYSTEMS) * len(tasks)
    with Progress("evaluate", total, done, status.waits_for) as progress:
        for system in SYSTEMS:
            num_stored = len(store.completions(system))
            if system == "rl":
                with status.phase(0, "publish"):
                    engines.publish(weights)
            for start in range(num_stored, len(tasks), BATCH_SIZE):
                chosen = tasks[start : start + BATCH_SIZE]
                with status.phase(0, system):
                    groups = engines.greedy(chosen)
                store.add(system, [group.completions[0] for group in groups])
                status.advanced(len(chosen))
                progress.advance(len(chosen))


def trained_files(folder: Path) -> tuple[dict[str, FileContent], int | None]:
    """Returns the files of the trained weights in a folder, by file name, and the rank of the LoRA adapter. The rank is
    None when the folder contains the weights of a whole model.

    Raises: UserError when the folder contains neither an adapter nor a whole model.
    """
    if (folder / ADAPTER_CONFIG).is_file():
        files = read_adapter(folder)
        return files, int(json.loads(bytes(files[ADAPTER_CONFIG]))["r"])
    if (folder / "model.safetensors").is_file():
        return {"model.safetensors": (folder / "model.safetensors").read_bytes()}, None
    raise UserError(f"trained {folder} holds neither an adapter nor model.safetensors")


def _row(vase: Vase, before: Completion, after: Completion, scorer: Scorer) -> EvaluationRow:
    def score(completion: Completion) -> Score:
        return scorer.score(Group(task=vase.caption_task(), prompt_ids=(), completions=(completion,))).scores[0]

    return EvaluationRow(
        id=vase.id,
        record=vase.record,
        reference=vase.reference,
        captions={"sft": before.text, "rl": after.text},
        scores={"sft": score(before), "rl": score(after)},
        clip=vase.clip,
    )


def main(argv: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["vaseeval"]:
        return start_job("vaseeval", given[1:])
    return start_job("evaluate", given)


if __name__ == "__main__":
    sys.exit(main())
