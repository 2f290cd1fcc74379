"""Importing the rewards loads no heavy library and takes little time."""

import json
import subprocess
import sys

PROGRAM = """
import json, sys, time
start = time.process_time()
import vaserl.rewards
print(json.dumps({"seconds": time.process_time() - start, "modules": sorted({m.split(".")[0] for m in sys.modules})}))
"""


def test_import_of_rewards_is_quick_and_light():
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    # CPU time, the best of three: other processes on the machine don't count.
    assert min(run["seconds"] for run in runs) < 0.5
    assert not {"torch", "ray", "transformers", "sentence_transformers", "vllm"} & set(runs[0]["modules"])
