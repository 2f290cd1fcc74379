"""Tests that importing the rewards loads no heavy library and takes little time."""

import json
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sys, time
start = time.process_time()
import vaserl.rewards
print(json.dumps({"seconds": time.process_time() - start, "modules": sorted(sys.modules)}))
"""


def test_import_of_rewards_is_quick_and_light():
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    # CPU time, the best of three: other processes on the machine don't count.
    assert min(run["seconds"] for run in runs) < 0.5
    loaded = set(runs[0]["modules"])
    assert not {"torch", "ray", "transformers", "sentence_transformers", "vllm"} & {m.split(".")[0] for m in loaded}
    # what only remote functions and jobs need takes a third of the time
    assert not {"asyncio", "vaserl.settings"} & loaded


def test_engine_imports_nothing_of_the_vase_reward():
    engine = Path("vaserl/rewards")
    modules = [
        path for path in engine.rglob("*.py") if path.relative_to(engine).parts[0] not in ("__init__.py", "vase")
    ]
    assert modules
    assert not [
        str(path) for path in modules if re.search(r"^\s*(from|import) vaserl\.rewards\.vase", path.read_text(), re.M)
    ]
