"""The actions of the judge job: each asks a judge about pairs and returns a report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.files.json_lines import json_lines
from vaserl.judge.calibration import Calibration, calibration_pairs
from vaserl.judge.certification import certify, false_certification, judged_pairs
from vaserl.judge.gap_curve import gap_curve
from vaserl.judge.gates import CheckedGate, base_gate, clear_gap_gate, failed_gates
from vaserl.judge.inputs import JudgedObjects, draw_pairs
from vaserl.judge.montage_files import MontageFiles
from vaserl.judge.pair import MeshPair
from vaserl.judge.preferences import mesh_preferences
from vaserl.judge.report import JudgeReport, ReportTable, ShownVerdict, interval_words
from vaserl.judge.result_tables import agreement_table, certificate_table, tally_table
from vaserl.judge.session import JudgeSession
from vaserl.judge.settings import JudgeSettings
from vaserl.judge.store import PairHashes
from vaserl.judge.tally import VerdictTally, tally
from vaserl.judge.truth import TrueDistances, known_pairs
from vaserl.judge.verdict import PairVerdict, TrainingVerdict
from vaserl.meshes.compare.names import glbs_of
from vaserl.statistics.binomial import sign_test_power
from vaserl.statistics.bradley_terry import Match, bradley_terry

JudgeAction = Literal["calibrate", "compare", "rank", "pairs", "certify"]
PARITY_BAR = 0.65
"""Win rate at which the power of the sign test is stated: the bar that the protocol's authors set."""


def run_calibrate(
    settings: JudgeSettings, objects: JudgedObjects, session: JudgeSession, files: MontageFiles
) -> JudgeReport:
    """Asks about pairs whose answer is known, and writes calibration.json."""
    pairs = calibration_pairs(objects, settings.calibrate, settings.run_dir / "damaged", settings.seed)
    verdicts = session.ask([*pairs.clear, *pairs.base])
    clear, base = (tally(_of(verdicts, part)) for part in (pairs.clear, pairs.base))
    gates = [
        *session.gates_of_replies([*pairs.clear, *pairs.base]),
        clear_gap_gate(clear, settings.gates),
        base_gate(base, settings.gates),
    ]
    half = settings.calibrate.num_anchors // 2
    usable = [[pair for pair in part if pair.id in verdicts] for part in (pairs.clear, pairs.base)]
    anchors = [*usable[0][: settings.calibrate.num_anchors - half], *usable[1][:half]]
    Calibration(
        binding=session.binding,
        gates=gates,
        anchors=anchors,
        hashes={pair.id: PairHashes.of(pair) for pair in anchors},
        verdicts={pair.id: verdicts[pair.id] for pair in anchors},
    ).write(settings.run_dir)
    kinds = list(dict.fromkeys(pair.id.split("/")[1] for pair in pairs.clear))
    by_kind = {kind: tally(_of(verdicts, [p for p in pairs.clear if p.id.split("/")[1] == kind])) for kind in kinds}
    tables = [
        tally_table(
            "Known answers",
            {"clear gap": clear, **by_kind, f"base against base ({pairs.base[0].id.split('/')[1]})": base},
        )
    ]
    return _report("Calibration", session, gates, tables, [*pairs.clear, *pairs.base], files)


def run_compare(
    settings: JudgeSettings, objects: JudgedObjects, session: JudgeSession, files: MontageFiles
) -> JudgeReport:
    """Compares the first two generators. Raises: UserError without two."""
    if len(objects.meshes) < 2:
        raise UserError("compare needs two generators in [meshes]")
    one, other = list(objects.meshes)[:2]
    calibration = session.calibrated(settings.calibration, "calibration")
    pairs = draw_pairs(objects.pairs_of(one, other), settings.num_pairs, settings.seed)
    found = tally(list(session.ask(pairs).values()))
    num = found.wins + found.losses
    power = ReportTable(
        title="Power of the sign test",
        head=("consistent verdicts", f"power at {PARITY_BAR}"),
        rows=[
            [f"{len(pairs)} (if no pair is a flip)", f"{sign_test_power(len(pairs), PARITY_BAR):.2f}"],
            [f"{num} (found)", f"{sign_test_power(num, PARITY_BAR):.2f}"],
        ],
        note=f"The power is the probability that a generator that wins {PARITY_BAR:.0%} of the consistent verdicts "
        "gets a p-value of at most 0.05.",
    )
    tables = [tally_table("Result", {f"{one} against {other}": found}), power]
    return _report(f"{one} against {other}", session, session.gates(pairs, calibration), tables, pairs, files)


def run_rank(
    settings: JudgeSettings, objects: JudgedObjects, session: JudgeSession, files: MontageFiles
) -> JudgeReport:
    """Ranks all generators by Bradley–Terry strengths."""
    pairs, calibration = _all_pairs(settings, objects, session)
    verdicts = session.ask(pairs)
    matches = [
        Match(
            item=pair.photo.stem,
            one=pair.id.split("/")[0],
            other=pair.id.split("/")[1],
            score={"a": 1.0, "b": 0.0}.get(verdicts[pair.id].winner or "", 0.5),
        )
        for pair in pairs
        if pair.id in verdicts and verdicts[pair.id].is_parsed
    ]
    try:
        strengths = bradley_terry(matches, seed=settings.seed)
    except ValueError as error:
        raise UserError(f"the generators can't be ranked: {error}") from error
    ranking = ReportTable(
        title="Ranking",
        head=("generator", "log-strength [95 % interval over objects]"),
        rows=[[name, interval_words(interval)] for name, interval in strengths.items()],
        note=f"Bradley–Terry over {len(matches)} pairs; flips are half wins. A difference of 1.1 in log-strength is a "
        "win rate of 75 %.",
    )
    tables = [ranking, tally_table("Pairs of generators", _by_generators(pairs, verdicts))]
    return _report("Ranking", session, session.gates(pairs, calibration), tables, pairs, files)


def run_pairs(
    settings: JudgeSettings, objects: JudgedObjects, session: JudgeSession, files: MontageFiles
) -> JudgeReport:
    """Writes a training judge's preferences to preferences.jsonl, unless a gate failed.

    Raises: UserError for an evaluation judge.
    """
    if session.binding.judge.role != "training":
        raise UserError(
            f"judge.role = {session.binding.judge.role!r}: only a training judge's verdicts may become training data. "
            'Use a judge of another family, with judge.role = "training"'
        )
    pairs, calibration = _all_pairs(settings, objects, session)
    verdicts = session.ask(pairs)
    gates = session.gates(pairs, calibration)
    file = settings.run_dir / "preferences.jsonl"
    file.unlink(missing_ok=True)
    if not failed_gates(gates):
        training = [verdict for verdict in verdicts.values() if isinstance(verdict, TrainingVerdict)]
        found = mesh_preferences(training, {pair.id: pair for pair in pairs})
        card = session.binding.judge
        judge = {"judge": card.name, "judge_family": card.family, "judge_sha256": card.sha256}
        rows = [{k: str(v) if isinstance(v, Path) else v for k, v in asdict(each).items()} | judge for each in found]
        write_atomic(file, json_lines(rows))
    table = tally_table("Pairs of generators", _by_generators(pairs, verdicts))
    return _report("Preferences", session, gates, [table], pairs, files)


def run_certify(
    settings: JudgeSettings,
    objects: JudgedObjects,
    session: JudgeSession,
    files: MontageFiles,
    second: JudgeSession | None,
) -> JudgeReport:
    """Compares verdicts with the true geometry and certifies the judge, or two judges together.

    Raises: UserError without `true`.
    """
    if settings.true is None:
        raise UserError("certify needs the key true, a folder with the true GLBs")
    pairs, calibration = _all_pairs(settings, objects, session)
    verdicts = session.ask(pairs)
    gates = session.gates(pairs, calibration)
    others: Mapping[str, PairVerdict] | None = None
    tables = []
    if second is not None:
        calibration = second.calibrated(settings.second_calibration, "second_calibration")
        others = second.ask(pairs)
        gates += second.gates(pairs, calibration)
        tables.append(agreement_table(verdicts, others))
    usable = [pair for pair in pairs if pair.id in verdicts]
    known = known_pairs(usable, glbs_of(settings.true, "true")[0], TrueDistances(settings.run_dir / "truth.jsonl"))
    judged = judged_pairs(known, verdicts, others)
    certificate = certify(judged, settings.max_wrong, seed=settings.seed)
    rates = false_certification(judged)
    tables += [
        certificate_table(certificate, settings.max_wrong),
        ReportTable(
            title="Against the truth",
            head=("pairs", "with a winner", "wrong", "share wrong", "exact upper bound", "coverage"),
            rows=[
                [
                    str(rates.num_pairs),
                    str(rates.num_certified),
                    str(rates.num_wrong),
                    interval_words(rates.wrong),
                    f"{rates.wrong_bound:.3f}",
                    interval_words(rates.coverage),
                ]
            ],
            note="The better mesh is the one with the smaller Chamfer distance from the true mesh, however small the "
            "gap.",
        ),
        ReportTable(
            title="By the true gap",
            head=("gap (vase heights)", "pairs", "undecided", "right among winners"),
            rows=[
                [f"{b.low:.4f} to {b.high:.4f}", str(b.num_pairs), interval_words(b.undecided), interval_words(b.right)]
                for b in gap_curve(judged)
            ],
        ),
        tally_table("Pairs of generators", _by_generators(pairs, verdicts)),
    ]
    report = _report("Certification", session, gates, tables, pairs, files)
    return report if second is None else replace(report, bindings=[session.binding, second.binding])


def _all_pairs(
    settings: JudgeSettings, objects: JudgedObjects, session: JudgeSession
) -> tuple[list[MeshPair], Calibration]:
    if len(objects.meshes) < 2:
        raise UserError("[meshes] needs at least two generators")
    calibration = session.calibrated(settings.calibration, "calibration")
    return draw_pairs(objects.all_pairs(), settings.num_pairs, settings.seed), calibration


def _of(verdicts: Mapping[str, PairVerdict], pairs: Sequence[MeshPair]) -> list[PairVerdict]:
    return [verdicts[pair.id] for pair in pairs if pair.id in verdicts]


def _by_generators(pairs: Sequence[MeshPair], verdicts: Mapping[str, PairVerdict]) -> dict[str, VerdictTally]:
    groups: dict[str, list[MeshPair]] = {}
    for pair in pairs:
        one, other = pair.id.split("/")[:2]
        groups.setdefault(f"{one} against {other}", []).append(pair)
    return {name: tally(_of(verdicts, group)) for name, group in groups.items()}


def _report(
    title: str,
    session: JudgeSession,
    gates: Sequence[CheckedGate],
    tables: Sequence[ReportTable],
    pairs: Sequence[MeshPair],
    files: MontageFiles,
) -> JudgeReport:
    unusable = session.store.unusable(pairs)
    verdicts = session.store.verdicts(pairs)
    shown = []
    for pair in pairs:
        if pair.id in verdicts:
            texts = session.store.texts(pair.id)
            answers = f"Answers: {texts['ab']!r} to (a, b), {texts['ba']!r} to (b, a)."
            shown.append(
                ShownVerdict(
                    pair_id=pair.id, outcome=_outcome(verdicts[pair.id]), answers=answers, montages=files.of_pair(pair)
                )
            )
        else:
            reason = unusable.get(pair.id, "not asked")
            shown.append(ShownVerdict(pair_id=pair.id, outcome=f"unusable: {reason}", answers="", montages=()))
    if unusable:
        table = ReportTable(
            title="Unusable pairs", head=("pair", "reason"), rows=[[name, why] for name, why in unusable.items()]
        )
        tables = [*tables, table]
    return JudgeReport(title=title, bindings=[session.binding], gates=gates, tables=tables, verdicts=shown)


def _outcome(verdict: PairVerdict) -> str:
    if not verdict.is_parsed:
        return "unparsable"
    if verdict.winner is None:
        return "flip"
    sure = "" if verdict.confidence is None else f", confidence {verdict.confidence:.3f}"
    return f"{verdict.winner} wins{sure}"


def report_values(report: JudgeReport) -> dict[str, Any]:
    """Returns the report's contents as JSON values, for judge.json."""
    return {"is_void": report.is_void, **asdict(report)}
