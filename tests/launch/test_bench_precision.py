"""Tests the precision bench with a real learner and engine in float32, where both must agree throughout training."""

import json

from launch.bench import __main__ as bench
from launch.bench import precision


def test_bench_precision_engine_and_layouts_agree_at_every_moment(cluster, capsys):
    asked = [
        "--at",
        "0",
        "3",
        "--num-tasks",
        "2",
        "--vases-per-step",
        "2",
        "--num-new-tokens",
        "8",
        "--group-size",
        "2",
    ]
    assert bench.main(["precision", "--json", *asked]) == 0
    measured = json.loads(capsys.readouterr().out)
    untaught, taught = measured["moments"]
    assert (untaught["supervised_steps"], taught["supervised_steps"]) == (0, 3)
    assert untaught["supervised_loss"] is None and taught["supervised_loss"] > 0
    for moment in measured["moments"]:
        assert 0 < moment["mean_abs_dlogp_engine"] <= 1e-5
        assert 0 < moment["fingerprint_gap"] <= 1e-5
    assert 0 < measured["max_abs_dlogp_shared"] <= 1e-5
    assert "entropy" in precision.words(measured)
