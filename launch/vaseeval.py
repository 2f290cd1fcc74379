"""Compares generated meshes with true ones: python -m launch vaseeval CONFIG [--section.key value …]"""

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
    """Compares the meshes, prints a table and writes it to vaseeval.md, and the numbers of every pair to vaseeval.json.

    Returns: the numbers in vaseeval.json, not yet converted for JSON.
    """
    result = {"generators": evaluate(settings), "reported_elsewhere": PAPER, "versions": versions()}
    JobFolder(settings.run_dir, VaseEvalSettings).begin(settings)
    table = comparison_table(result["generators"])
    (settings.run_dir / "vaseeval.md").write_text(table)
    (settings.run_dir / "vaseeval.json").write_text(json.dumps(_finite(result), indent=1, ensure_ascii=False) + "\n")
    print(table, end="")
    return result


def _finite(value: Any) -> Any:
    """Returns the value with None in place of infinity and NaN, which JSON lacks. The fields `failure` and `num_equal`
    tell why a number is None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("vaseeval", argv)


if __name__ == "__main__":
    sys.exit(main())
