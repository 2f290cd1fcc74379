"""Compares generated meshes with ground-truth meshes: python -m launch vaseeval CONFIG [--section.key value …]"""

import sys
from collections.abc import Sequence
from typing import Any

from launch.main import start_job
from vaserl.files.strict_json import strict_json
from vaserl.meshes.compare import VaseEvalSettings
from vaserl.meshes.compare.evaluate import PAPER, evaluate
from vaserl.meshes.compare.table import comparison_table
from vaserl.runs.job_folder import JobFolder
from vaserl.runs.versions import versions


def run(settings: VaseEvalSettings) -> dict[str, Any]:
    """Compares each generated mesh with its ground-truth mesh.

    Prints a table of the results and writes it to vaseeval.md. Writes the numbers of every pair of meshes to
    vaseeval.json. Returns: the content of vaseeval.json, in which infinity and NaN are not yet replaced by None.
    """
    result = {"generators": evaluate(settings), "reported_elsewhere": PAPER, "versions": versions()}
    JobFolder(settings.run_dir, VaseEvalSettings).begin(settings)
    table = comparison_table(result["generators"])
    (settings.run_dir / "vaseeval.md").write_text(table)
    (settings.run_dir / "vaseeval.json").write_text(strict_json(result, indent=1) + "\n")
    print(table, end="")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("vaseeval", argv)


if __name__ == "__main__":
    sys.exit(main())
