"""Compares generated meshes with ground-truth meshes: python -m launch vaseeval CONFIG [--section.key value …]"""

import json
import sys
from collections.abc import Sequence
from typing import Any

from launch.main import start_job
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
    (settings.run_dir / "vaseeval.json").write_text(json.dumps(_finite(result), indent=1, ensure_ascii=False) + "\n")
    print(table, end="")
    return result


def _finite(value: Any) -> Any:
    """Returns a copy of the nested dicts and lists in which infinity and NaN are replaced by None, because JSON has
    neither. The fields `failure` and `num_equal` beside such a number tell why it is None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("vaseeval", argv)


if __name__ == "__main__":
    sys.exit(main())
