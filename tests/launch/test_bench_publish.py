"""Tests the publish bench with a real learner and engine, in one of the two ways only, to save the start of an
engine."""

import json
from pathlib import Path

from launch.bench import __main__ as bench
from launch.bench import publish


def test_publish_bench_pieces_add_up_and_the_engine_follows(cluster, monkeypatch, capsys):
    monkeypatch.setattr(publish, "WAYS", ("merge",))
    assert bench.main(["publish", "--json", "--swaps", "2", "--rank", "4"]) == 0
    measured = json.loads(capsys.readouterr().out)
    merge = measured["merge"]
    pieces = [seconds for name, seconds in merge.items() if name.endswith("_s") and "total" not in name]
    assert len(pieces) == 8
    assert all(seconds > 0 for seconds in pieces)
    assert sum(pieces) < 1.5 * merge["total_s"]  # medians of single pieces need not add up to the median of sums
    assert 0 < merge["max_fingerprint_gap"] <= 1e-5
    # in + out of q, k, v, o, gate, up and down, 192 wide, with 96 for keys and values and 384 within the MLP
    sizes = (192 + 192) + 2 * (192 + 96) + (192 + 192) + 3 * (192 + 384)
    num_bytes = 3 * 4 * sizes * 4  # layers, rank, float32; names and places of 42 tensors come on top
    assert num_bytes < merge["payload_mb"] * 1e6 < num_bytes + 42 * 250
    assert "engine_load_s" in publish.words(measured)


def test_publish_bench_refuses_what_it_cannot_measure(tmp_path: Path, capsys):
    assert bench.main(["publish", "--swaps", "0"]) == 2
    assert "--swaps" in capsys.readouterr().err
    assert bench.main(["publish", "--model", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
