"""Captions the held-out vases before and after training: python -m launch evaluate CONFIG [--section.key value …]

`python -m launch vaseeval CONFIG` compares generated meshes with true ones instead: see launch/vaseeval.py.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.cluster import connect
from actors.placement import actor_request, placed
from actors.rollout import RolloutPool
from launch.features import encoder_request, report_features, start_encoders
from launch.main import start_job
from vaserl.dataset import DataSet, Vase
from vaserl.encoders.open_clip import open_clip_text_encoder
from vaserl.errors import UserError
from vaserl.evaluation.constant_baseline import score_constant_caption
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.evaluation.evaluate import EvaluationConfig, EvaluationRow, evaluate_captions
from vaserl.evaluation.reading import reward_reader
from vaserl.policy.adapter import ADAPTER_CONFIG, read_adapter
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.tensor_file import FileContent
from vaserl.policy.weights import make_weights, read_fingerprint
from vaserl.rewards import Scorer, make_scorer
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.progress import Progress
from vaserl.runs.versions import versions
from vaserl.settings import EvaluateSettings
from vaserl.types import Group, Score

_BATCH_SIZE = 32
"""Number of vases captioned between two updates of the progress line."""


def run(settings: EvaluateSettings) -> dict[str, Any]:
    """Captions the vases of one split greedily, with the model ("sft") and with the weights that GRPO trained ("rl").

    Writes the captions and their comparison to the folder of an `EvaluationRun`. Returns: the folder's summary.
    """
    folder = EvaluationRun(settings.run_dir)
    check_model_folder(settings.model.path)
    vases = DataSet(settings.data.path).vases(settings.split)
    train = DataSet(settings.data.path).vases("train")
    scorer = make_scorer(settings.reward)
    scorer.prepare([vase.record for vase in train])
    files, rank = trained_files(settings.trained)
    bypass_reason = (
        None if rank else "the trained weights are a whole model, whose vision tower may differ from the base model's"
    )
    requests = {
        "rollout": actor_request(settings.rollout),
        "features": encoder_request(settings.features, bypass_reason),
    }
    with connect(settings.cluster), placed(requests, settings.cluster) as placement:
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
        with Progress("evaluate", 2 * len(vases)) as progress:
            before = describe(engines, vases, progress)
            engines.publish(make_weights(1, files, read_fingerprint(settings.trained)))
            after = describe(engines, vases, progress)
        folder.begin(settings)
        report_features(encoders, folder)

    result = evaluate_captions(
        [_row(vase, b, a, scorer) for vase, b, a in zip(vases, before, after, strict=True)],
        [vase.record for vase in train],
        reward_reader(),
        open_clip_text_encoder(settings.clip_model),
        EvaluationConfig(seed=settings.seed),
    )
    constant = score_constant_caption(
        constant_caption([vase.record for vase in train]), [vase.caption_task() for vase in vases], scorer
    )
    summary = {**result.summary, "constant_answer": constant, "versions": versions()}
    folder.write(summary, result.vases)
    return summary


def describe(engines: RolloutPool, vases: Sequence[Vase], progress: Progress) -> list[Group]:
    """Returns one group per vase, which holds one greedy caption."""
    groups: list[Group] = []
    for start in range(0, len(vases), _BATCH_SIZE):
        chosen = vases[start : start + _BATCH_SIZE]
        groups += engines.greedy([vase.caption_task() for vase in chosen])
        progress.advance(len(chosen))
    return groups


def trained_files(folder: Path) -> tuple[dict[str, FileContent], int | None]:
    """Returns the files of saved weights and the rank of their adapter; the rank is None for a whole model.

    Raises: UserError when the folder holds neither.
    """
    if (folder / ADAPTER_CONFIG).is_file():
        files = read_adapter(folder)
        return files, int(json.loads(bytes(files[ADAPTER_CONFIG]))["r"])
    if (folder / "model.safetensors").is_file():
        return {"model.safetensors": (folder / "model.safetensors").read_bytes()}, None
    raise UserError(f"trained {folder} holds neither an adapter nor model.safetensors")


def _row(vase: Vase, before: Group, after: Group, scorer: Scorer) -> EvaluationRow:
    def score(group: Group) -> Score:
        return scorer.score(group).scores[0]

    return EvaluationRow(
        id=vase.id,
        record=vase.record,
        reference=vase.reference,
        captions={"sft": before.completions[0].text, "rl": after.completions[0].text},
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
