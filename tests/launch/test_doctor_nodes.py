"""Tests that `launch doctor` looks at every node of a cluster, on two nodes of one machine."""

import subprocess
import sys
from pathlib import Path

import pytest

TWO_NODES = """
import os, sys
import ray
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
os.environ["RAY_ADDRESS"] = cluster.address
from launch.doctor import main
code = main(sys.argv[1:])
cluster.shutdown()
sys.exit(code)
"""


@pytest.mark.slow
def test_doctor_has_a_block_for_each_node(tiny_model: Path):
    root = Path(__file__).parents[2]
    arguments = ["configs/train/quickstart.toml", "--model.path", str(tiny_model)]
    done = subprocess.run(
        [sys.executable, "-c", TWO_NODES, *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.stdout.count("  renderer  ") == 2, done.stdout + done.stderr
    assert done.stdout.count("  rewards   vaserl.rewards:VaseReward") == 2
    assert done.stdout.count("GB/s from this node, through Ray") == 1
    assert ", but " not in done.stdout
