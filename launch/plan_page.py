"""Writes the tables of docs/planning.md: python -m launch.plan_page"""

import re
import sys
from pathlib import Path

from launch.plan import PUBLISHED_VASES
from launch.plan_errors import comparisons
from vaserl.planning.hardware import GIB, parse_cluster
from vaserl.planning.learner_cost import total
from vaserl.planning.load import job_load
from vaserl.planning.model_shape import read_shape
from vaserl.planning.remedies import PlannedJob
from vaserl.settings import SftSettings, TrainSettings, load_config

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "planning.md"
CLUSTERS = ("1x8xa100-80", "2x8xa100-80", "8x8xa100-80")


def written(page: str) -> str:
    """Returns the page with its tables computed anew: each is between two comments with its name."""
    for name, table in (("errors", errors_table()), ("plans", plans_table())):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        page = re.sub(f"{begin}.*?{end}", f"{begin}\n{table}\n{end}", page, flags=re.DOTALL)
    return page


def errors_table() -> str:
    """Returns the table of measurements and predictions."""
    rows = ["| measurement | quantity | measured | predicted | error | |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {each.file} | {each.quantity} | {each.measured:.3g} | {each.predicted:.3g} | {each.error:+.0%} | "
        f"{'held out' if each.is_held_out else ''} |"
        for each in comparisons()
    ]
    return "\n".join(rows)


def plans_table() -> str:
    """Returns the table of the shipped configs' plans for three clusters."""
    rows = [
        "| model | job | nodes x GPUs | step, s | rollout | learn | publish | fullest GPU, GiB | run, h | fits |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for size in ("3b", "7b"):
        for job, kind in (("sft", SftSettings), ("train", TrainSettings)):
            rows += [_row(size, job, kind, cluster) for cluster in CLUSTERS]
    return "\n".join(rows)


def _row(size: str, job: str, kind: type[SftSettings] | type[TrainSettings], cluster: str) -> str:
    nodes = cluster.rpartition("x")[0]
    overlay = ROOT / "configs" / "clusters" / f"a100_{nodes}" / f"{job}.toml"
    settings = load_config(kind, ROOT / "configs" / size / f"{job}.toml", overlays=[overlay])
    load = job_load(settings, frame_size=(448, 448), num_text=40, num_vases=PUBLISHED_VASES)
    shape = read_shape(f"shape:{size}")
    planned = PlannedJob(settings=settings, shape=shape, cluster=parse_cluster(cluster), load=load)
    plan = planned.plan()
    seconds = {name: f"{total(parts):.1f}" for name, parts in plan.phases.items()}
    fits = "no" if planned.problems(plan) else "yes"
    return (
        f"| {size.upper()} | {job} | {nodes} | {plan.step_s:.1f} | {seconds.get('rollout', '')} | {seconds['learn']} | "
        f"{seconds.get('publish', '')} | {plan.fullest / GIB:.0f} | {plan.run_s / 3600:.1f} | {fits} |"
    )


def main() -> int:
    """Writes the page."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
