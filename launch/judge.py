"""Judges pairs of meshes: python -m launch judge ACTION CONFIG [--section.key value …]

calibrate   asks about pairs whose answer is known; every other action needs its result
compare     two generators
rank        all generators, by Bradley–Terry strengths
pairs       preferences for training, of a training judge
certify     share of wrong verdicts and coverage against true meshes

The same command continues a run that was stopped. When nothing is left to ask, it starts no judge and writes the same
report again.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from launch.main import start_job
from vaserl.errors import UserError
from vaserl.files import locked, write_atomic
from vaserl.files.strict_json import strict_json
from vaserl.judge.actions import (
    JudgeAction,
    report_values,
    run_calibrate,
    run_certify,
    run_compare,
    run_pairs,
    run_rank,
)
from vaserl.judge.cards import judge_card
from vaserl.judge.gates import failed_gates
from vaserl.judge.geometric import GeometricJudge
from vaserl.judge.inputs import read_objects
from vaserl.judge.judge import PairJudge, check_families
from vaserl.judge.mode import MODES
from vaserl.judge.montage import PairImages
from vaserl.judge.montage_files import MontageFiles
from vaserl.judge.report import JudgeReport, report_html, report_markdown
from vaserl.judge.session import JudgeSession
from vaserl.judge.settings import JudgeModelSettings, JudgeSettings
from vaserl.runs.job_folder import JobFolder

_ACTIONS = {"calibrate": run_calibrate, "compare": run_compare, "rank": run_rank, "pairs": run_pairs}


def run(settings: JudgeSettings, action: JudgeAction) -> dict[str, Any]:
    """Performs the action and writes judge.html, judge.md and judge.json to run_dir. Returns: the content of
    judge.json.

    Raises: UserError if a gate failed and gates.on_failure = "abort"; the report is written, as a void one.
    """
    objects = read_objects(settings.photos, settings.meshes)
    with ExitStack() as stack:
        stack.enter_context(locked(settings.run_dir, place=settings.run_dir, doing="judging into this folder"))
        JobFolder(settings.run_dir, JudgeSettings).begin(settings)
        images = stack.enter_context(PairImages(settings.render.mode, settings.render.tile_side))

        def session(model: JudgeModelSettings, folder: str) -> JudgeSession:
            return JudgeSession(
                settings,
                model,
                judge_card(model),
                settings.run_dir / folder,
                images,
                lambda each: opened_judge(each, settings),
            )

        judge = session(settings.judge, "verdicts")
        files = MontageFiles(settings.run_dir, images, judge.binding.render_sha256)
        if action == "certify":
            second = None if settings.second is None else session(settings.second, "second_verdicts")
            if second is not None and second.binding.judge.family.casefold() == judge.binding.judge.family.casefold():
                raise UserError(
                    f"judge and second are both of the family {judge.binding.judge.family!r}, whose judges share their "
                    "errors; choose a second judge of another family"
                )
            report = run_certify(settings, objects, judge, files, second)
        else:
            if action == "pairs" and settings.second is not None:
                check_families(judge.binding.judge, judge_card(settings.second))
            report = _ACTIONS[action](settings, objects, judge, files)
    values = _write(settings, report)
    failed = failed_gates(report.gates)
    if failed and settings.gates.on_failure == "abort":
        raise UserError(
            f"{settings.run_dir / 'judge.html'} is void: the judge {judge.binding.judge.name!r} failed the gates "
            f"{', '.join(gate.name for gate in failed)}"
        )
    return values


@contextmanager
def opened_judge(model: JudgeModelSettings, settings: JudgeSettings) -> Iterator[PairJudge]:
    """Starts a judge; the end of the `with` block stops it."""
    if model.kind == "geometric":
        yield GeometricJudge()
    elif model.kind == "url":
        from actors.judge_url import UrlJudge

        yield UrlJudge(model)
    else:
        from actors.judge import engine_judge  # its import takes seconds, which a finished run's report doesn't need

        num_images = MODES[settings.render.mode].num_images
        with engine_judge(model, settings.cluster, num_images) as judge:
            yield judge


def _write(settings: JudgeSettings, report: JudgeReport) -> dict[str, Any]:
    values = report_values(report)
    markdown = report_markdown(report)
    write_atomic(settings.run_dir / "judge.json", (strict_json(values, indent=1) + "\n").encode())
    write_atomic(settings.run_dir / "judge.md", markdown.encode())
    write_atomic(settings.run_dir / "judge.html", report_html(report).encode())
    print(markdown.split("\n## Verdicts\n")[0])
    print(f"The report is in {settings.run_dir / 'judge.html'}", file=sys.stderr)
    return values


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("judge", argv)


if __name__ == "__main__":
    sys.exit(main())
