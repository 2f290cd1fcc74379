"""Compares systems by their captions of held-out vases: python -m launch evaluate CONFIG [--section.key value …]

This job evaluates captions. `python -m launch vaseeval CONFIG` evaluates generated meshes: see launch/vaseeval.py.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from launch.evaluation_answers import answer_all, check_systems, report_failures
from launch.evaluation_systems import EvaluatedSystem, comparable_origin, read_systems
from launch.interruption import Interruption
from launch.main import start_job
from launch.preflight import report_services
from vaserl.dataset import DataSet, Vase
from vaserl.encoders.open_clip import open_clip_text_encoder
from vaserl.encoders.sentence import SentenceEncoder
from vaserl.errors import UserError
from vaserl.evaluation.caption_metrics import TextEncoder
from vaserl.evaluation.constant_baseline import score_constant_caption
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.evaluation.evaluate import EvaluationConfig, EvaluationResult, EvaluationRow, evaluate_captions
from vaserl.evaluation.paper_mode import paper_scores, picture_id
from vaserl.evaluation.predictions import completion_of
from vaserl.evaluation.questions import AnsweredQuestion, question_results
from vaserl.evaluation.reading import reward_reader
from vaserl.files import sha256_of_folder
from vaserl.report.evaluation_tables import evaluation_tables, to_csv
from vaserl.report.table_formats import to_html, to_latex, to_markdown
from vaserl.report.words import dig
from vaserl.rewards import Scorer, make_scorer, read_sources
from vaserl.runs.caption_store import CaptionStore, SystemAnswer, changes_of_origin
from vaserl.runs.claim import RunClaim, claimed
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.status import SignsOfLife
from vaserl.runs.versions import versions
from vaserl.settings import EvaluateSettings
from vaserl.statistics.power import detectable_share_difference
from vaserl.types import Group, Score, Task

BATCH_SIZE = 32
"""Number of tasks that are answered together. After each such batch the answers are stored and the progress line is
updated."""
_DISCORDANT = 0.2
"""Share of the vases on which exactly one of two systems is right, for the power that is printed before a run."""
EXIT_CODES = {"better": 0, "worse": 1, "inconclusive": 2}
"""Exit code of --gate by the finding. 2 is also that of a wrong config: in both cases nothing is shown to be better."""


def run(settings: EvaluateSettings, *, fresh: bool = False) -> dict[str, Any]:
    """Captions the vases of one split with every system, and compares the systems with one of them.

    Writes all captions, a summary and its tables to `settings.run_dir`. Answers that an earlier process stored there
    are reused if they depend on the same weights, data and settings, so that a further system costs that system. A
    finished evaluation is not repeated. fresh: if true, an earlier evaluation in the folder is renamed and repeated.

    Returns: that summary.
    """
    folder = EvaluationRun(settings.run_dir)
    data = DataSet.of_settings(settings.data)
    vases, train = data.vases(settings.split), data.vases("train")
    systems, tasks = read_systems(settings, data, vases)
    check_systems(settings, systems)
    scorer = make_scorer(settings.reward)
    report_services(scorer)
    scorer.prepare([vase.record for vase in train])
    metrics = metrics_origin(settings)
    origin = {"systems": {name: dict(each.origin) for name, each in systems.items()}, "metrics": metrics}
    if len(systems) > 1:
        smallest = detectable_share_difference(len(vases), _DISCORDANT)
        print(
            f"evaluation: {len(vases)} vases find a difference of {100 * smallest:.0f} points of a share with "
            f"probability 0.8, if two systems differ on {100 * _DISCORDANT:.0f} % of the vases",
            file=sys.stderr,
        )
    with begin_evaluation(folder, settings, systems, origin, fresh=fresh) as (claim, stores):
        if stores is None:
            return folder.summary
        encoder = open_clip_text_encoder(settings.clip_model)
        num_all = sum(len(store.ids) for store in stores.values())
        num_stored = sum(len(store.answers) for store in stores.values())
        status = SignsOfLife(folder.path, "evaluate", num_all, step=num_stored, epoch=claim.epoch)
        with status:
            try:
                answer_all(settings, systems, stores, folder, status)
            except Interruption as interruption:
                done = f"{sum(len(store.answers) for store in stores.values())} of {num_all} captions"
                text = f"stopped by {interruption} with {done}; the same command continues there"
                print(f"{folder.path.name}: {text}", file=sys.stderr)
                raise
            report_failures(systems, stores)
            with status.phase(0, "metrics"):
                answers = {name: store.answers for name, store in stores.items()}
                result = _evaluated(settings, vases, train, answers, scorer, encoder)
                constant = constant_caption([vase.record for vase in train])
                captions = tasks[: len(vases)]
                summary = {
                    **result.summary,
                    "constant_answer": score_constant_caption(constant, captions, scorer),
                    "answers": _question_summary(settings, vases, systems, answers, scorer),
                    "paper": _paper_summary(settings, vases, systems, answers, encoder),
                    "comparable": comparable_origin(settings, vases, metrics),
                    "versions": versions(),
                }
            claim.check()
            tables = evaluation_tables(summary)
            texts = {
                "md": to_markdown(tables),
                "csv": to_csv(summary),
                "tex": to_latex(tables),
                "html": to_html("Evaluation of captions", tables),
            }
            folder.write(summary, result.vases, texts)
            folder.finish(origin)
        print(f"evaluation: the tables are in {folder.table_file}", file=sys.stderr)
    return summary


def gate_exit_code(settings: EvaluateSettings, summary: Mapping[str, Any]) -> int:
    """Returns the exit code of a comparison, and prints its findings: 0 if every system is better than the baseline, 1
    if one is worse, 2 otherwise.

    Raises: UserError if there is nothing to compare, or no such metric as `settings.gate`.
    """
    name, _, dimension = settings.gate.partition("/")
    key = ("dimensions", dimension, name) if dimension else (name,)
    findings = []
    for system, changes in summary["differences"].items():
        change = dig(changes, *key)
        if change is None:
            raise UserError(f"gate = {settings.gate!r}: the evaluation has no difference of this metric for {system}")
        findings.append(change["verdict"])
        print(f"{system} against {summary['baseline']}, {settings.gate}: {change['verdict']}", file=sys.stderr)
    if not findings:
        raise UserError("--gate compares systems, and this evaluation has only one; add a table [systems.NAME]")
    worst = next(finding for finding in ("worse", "inconclusive", "better") if finding in findings)
    return EXIT_CODES[worst]


def metrics_origin(settings: EvaluateSettings) -> dict[str, Any]:
    """Returns everything that the metrics depend on beside the answers, as JSON values.

    Raises: UserError when the folder of a text encoder is absent.
    """
    if not settings.clip_model.is_dir():
        raise UserError(f"clip_model {settings.clip_model} does not exist; give the folder of an open_clip model")
    sentence = settings.sentence_encoder
    if sentence is not None and not sentence.is_dir():
        raise UserError(
            f"sentence_encoder {sentence} does not exist; the published evaluation needs the folder of "
            "all-mpnet-base-v2"
        )
    return {
        "seed": settings.seed,
        "split": settings.split,
        "baseline": settings.baseline,
        "clip_model (content)": sha256_of_folder(settings.clip_model),
        "sentence_encoder (content)": sentence and sha256_of_folder(sentence),
        "reward": settings.reward.model_dump(mode="json", include={"functions", "weights", "arguments", "remote"}),
        "reward (code)": {source.name: source.sha256 for source in read_sources(settings.reward)},
    }


@contextmanager
def begin_evaluation(
    folder: EvaluationRun,
    settings: EvaluateSettings,
    systems: Mapping[str, EvaluatedSystem],
    origin: Mapping[str, Any],
    *,
    fresh: bool,
) -> Iterator[tuple[RunClaim, dict[str, CaptionStore] | None]]:
    """Claims the run folder for the duration of a `with` block, and prints what of an earlier evaluation is used.

    Finished results of a system that depends on other weights, data or settings today are renamed to NAME.before-N; the
    stored answers of the other systems stay. origin: what answers and metrics depend on.

    Yields: the claim, and the answers of each system stored so far; None if the evaluation is finished and nothing has
    changed.

    Raises: UserError when another job writes to the folder.
    """
    with ExitStack() as claims:
        claim = claims.enter_context(claimed(folder.path))
        earlier = folder.origin
        if earlier == origin and not fresh:
            print(f"{folder.path}: this evaluation is finished. --fresh does it again", file=sys.stderr)
            yield claim, None
            return
        reasons = _changes(earlier or {}, origin)
        if folder.has_results and not folder.answers_folder.is_dir():
            reasons = ["it has no stored answers (an older version of vaserl wrote it)"]
        if folder.has_results and (fresh or reasons):
            aside = EvaluationRun(folder.set_aside())
            reason = "--fresh" if fresh else f"this changed: {', '.join(reasons)}"
            print(f"{folder.path}: an earlier evaluation was moved to {aside.path}: {reason}", file=sys.stderr)
            claim = claims.enter_context(claimed(folder.path, after_epoch=claim.epoch))
            if not fresh and aside.answers_folder.is_dir():
                folder.answers_folder.mkdir()
                for file in sorted(aside.answers_folder.iterdir()):
                    (folder.answers_folder / file.name).write_bytes(file.read_bytes())
        stores = {
            name: CaptionStore(
                folder.answers_folder,
                system.origin,
                ids=[task.id for task in system.tasks],
                batch_size=BATCH_SIZE,
                check=claim.check,
            )
            for name, system in systems.items()
        }
        stored, total = sum(len(s.answers) for s in stores.values()), sum(len(s.ids) for s in stores.values())
        if stored == total and earlier:
            print(f"{folder.path}: all captions are stored; the metrics are computed again", file=sys.stderr)
        elif stored:
            print(f"{folder.path}: {stored} of {total} captions are stored already", file=sys.stderr)
        folder.begin(settings)
        yield claim, stores


def _changes(earlier: Mapping[str, Any], origin: Mapping[str, Any]) -> list[str]:
    """Returns what has changed of the systems that the finished evaluation had too, in words."""
    before = earlier.get("systems", {})
    return [
        f"{name}: {change}"
        for name, now in origin["systems"].items()
        if name in before
        for change in changes_of_origin(before[name], now)
    ]


def _evaluated(
    settings: EvaluateSettings,
    vases: Sequence[Vase],
    train: Sequence[Vase],
    answers: Mapping[str, Sequence[SystemAnswer]],
    scorer: Scorer,
    encoder: TextEncoder,
) -> EvaluationResult:
    tasks = [vase.caption_task() for vase in vases]
    scores = {name: _scores(tasks, given[: len(vases)], scorer) for name, given in answers.items()}
    rows = [
        EvaluationRow(
            id=vase.id,
            record=vase.record,
            reference=vase.reference,
            captions={name: given[n].text for name, given in answers.items()},
            scores={name: found[n] for name, found in scores.items()},
            clip=vase.clip,
        )
        for n, vase in enumerate(vases)
    ]
    config = EvaluationConfig(seed=settings.seed, baseline=settings.baseline)
    return evaluate_captions(rows, [vase.record for vase in train], reward_reader(), encoder, config)


def _question_summary(
    settings: EvaluateSettings,
    vases: Sequence[Vase],
    systems: Mapping[str, EvaluatedSystem],
    answers: Mapping[str, Sequence[SystemAnswer]],
    scorer: Scorer,
) -> dict[str, Any] | None:
    """Returns the metrics of the answers to questions; None if no system was asked any."""
    place = {vase.id: index for index, vase in enumerate(vases)}
    config, given = EvaluationConfig(seed=settings.seed), {}
    for name, system in systems.items():
        asked = system.tasks[len(vases) :]
        if asked:
            found = answers[name][len(vases) :]
            scores = _scores(asked, found, scorer)
            given[name] = [
                AnsweredQuestion(
                    vase=place[task.id.rpartition("/")[0]],
                    dimension=task.dimensions[0],
                    answer=answer.text,
                    truth=task.reference,
                    is_right=score.parts[task.dimensions[0]] >= config.tau
                    if task.dimensions[0] in score.parts
                    else None,
                    logprobs=answer.logprobs,
                )
                for task, answer, score in zip(asked, found, scores, strict=True)
            ]
    if not given:
        return None
    baseline = settings.baseline or next(iter(systems))
    draw = {"num_resamples": config.num_resamples, "seed": config.seed}
    return question_results(given, len(vases), baseline=baseline, **draw)


def _paper_summary(
    settings: EvaluateSettings,
    vases: Sequence[Vase],
    systems: Mapping[str, EvaluatedSystem],
    answers: Mapping[str, Sequence[SystemAnswer]],
    encoder: TextEncoder,
) -> dict[str, Any] | None:
    """Returns the published metrics of each system that has a caption; None without a sentence encoder."""
    if settings.sentence_encoder is None:
        return None
    sentence = SentenceEncoder(settings.sentence_encoder)
    known = {vase.id: vase.reference for vase in vases}
    found = {}
    for name, system in systems.items():
        if system.captions is not None:
            rows = system.captions
            named = [(picture_id(r.picture) if rows.names_pictures else r.picture, r.caption) for r in rows.rows]
        else:
            captions = zip(vases, answers[name], strict=False)
            named = [(vase.id, answer.text) for vase, answer in captions if not answer.failure]
        pairs = [(vase, caption, known[vase]) for vase, caption in named if vase in known]
        if pairs:
            found[name] = paper_scores(pairs, encoder, lambda texts: np.array(sentence(texts))).as_dict()
    return found


def _scores(tasks: Sequence[Task], answers: Sequence[SystemAnswer], scorer: Scorer) -> list[Score]:
    groups = [
        Group(task=task, prompt_ids=(), completions=(completion_of(answer.text),))
        for task, answer in zip(tasks, answers, strict=True)
    ]
    return [scored.scores[0] for scored in scorer.score_all(groups)]


def main(argv: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["vaseeval"]:
        return start_job("vaseeval", given[1:])
    return start_job("evaluate", given)


if __name__ == "__main__":
    sys.exit(main())
