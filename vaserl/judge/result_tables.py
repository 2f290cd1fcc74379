"""Tables of a judge's report that several actions share."""

from collections.abc import Mapping

from vaserl.judge.certification import Certificate
from vaserl.judge.report import ReportTable, interval_words
from vaserl.judge.tally import VerdictTally
from vaserl.judge.verdict import PairVerdict
from vaserl.statistics.kappa import cohens_kappa


def tally_table(title: str, tallies: Mapping[str, VerdictTally]) -> ReportTable:
    """Returns a row of counts, rates and intervals for each tally, by name."""
    return ReportTable(
        title=title,
        head=(
            *("pairs", "wins", "losses", "flips", "unparsable", "win / all", "win / consistent", "flips as halves"),
            *("flip rate", "p (sign test)"),
        ),
        rows=[
            [
                name,
                *map(str, (found.wins, found.losses, found.flips, found.unparsed)),
                *map(interval_words, (found.win_over_all, found.win_over_consistent, found.win_with_ties)),
                interval_words(found.flip_rate),
                f"{found.p_value:.3g}",
            ]
            for name, found in tallies.items()
        ],
        note="Intervals are 95 % Wilson intervals.",
    )


def agreement_table(one: Mapping[str, PairVerdict], other: Mapping[str, PairVerdict]) -> ReportTable:
    """Returns how often two judges agree; verdicts by pair."""
    both = [(one[key].winner, other[key].winner) for key in one if key in other]
    decided = [(a, b) for a, b in both if a is not None and b is not None]
    kappa = f"{cohens_kappa([a for a, _ in decided], [b for _, b in decided]):.3f}" if decided else "–"
    return ReportTable(
        title="Agreement of the judges",
        head=("pairs", "decided by both", "same winner", "Cohen's kappa"),
        rows=[[str(len(both)), str(len(decided)), str(sum(a == b for a, b in decided)), kappa]],
        note="Kappa is over the pairs that both judges decided.",
    )


def certificate_table(certificate: Certificate, max_wrong: float) -> ReportTable:
    """Returns what the certificate guarantees, or why there is none."""
    found = certificate.on_test
    if certificate.threshold is None or found is None:
        words = f"Not certified at {max_wrong:.0%} wrong: {certificate.reason}."
        return ReportTable(title="Certificate", head=("result",), rows=[[words]])
    coverage = found.coverage.mean if found.coverage else 0.0
    return ReportTable(
        title="Certificate",
        head=("result", "smallest confidence", "certified", "wrong", "exact upper bound", "coverage"),
        rows=[
            [
                f"certified at ≤ {max_wrong:.0%} wrong, {coverage:.0%} coverage",
                f"{certificate.threshold:.3f}",
                str(found.num_certified),
                str(found.num_wrong),
                f"{found.wrong_bound:.3f}",
                interval_words(found.coverage),
            ]
        ],
        note="With probability 95 % over the draw of these pairs, at most this share of certified verdicts is wrong, "
        "on pairs from the same distribution. The numbers are those of the half of the pairs on which the threshold "
        "was tested.",
    )
