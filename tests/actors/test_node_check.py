"""Tests of what is said about nodes that lack something."""

from pathlib import Path

import pytest

from actors.node_check import NodeReport, PathFacts, marked, path_facts, path_problems, reward_problems
from actors.placement import check_size
from vaserl.errors import UserError
from vaserl.files.storage import write_bytes
from vaserl.planning.requests import ActorRequest
from vaserl.rewards import RewardSource

MODEL = {"model.path": Path("/nfs/model")}


def facts(*names: str) -> PathFacts:
    return PathFacts(exists=True, entries=frozenset((name, 1) for name in names))


def report(seen: PathFacts) -> NodeReport:
    return NodeReport(seen={"model.path": seen}, hashes={}, faults=(), warnings=())


def test_path_problems_name_key_path_and_node():
    expected = {"model.path": facts("a", "b")}
    absent = PathFacts(exists=False, entries=frozenset())
    refused = PathFacts(exists=False, entries=frozenset(), reason="PermissionError: Forbidden")
    nodes = {"n1": facts("a", "b"), "n2": absent, "n3": facts("a", "c"), "n5": refused}
    reports = {**{name: report(seen) for name, seen in nodes.items()}, "n4": None}
    missing, other, unread, silent = path_problems(MODEL, expected, reports)
    assert missing.startswith("model.path: /nfs/model is not on node n2")
    assert other.startswith("model.path: /nfs/model has other files on node n3 than here (2 differ, the first is b)")
    assert unread.startswith("model.path: /nfs/model can't be read on node n5: PermissionError: Forbidden. Credentials")
    assert silent.startswith("n4: no answer within")


def test_reward_problems_name_node_and_function():
    source = RewardSource(name="m:f", adapter="", module="m", function="f", code=None, sha256="a" * 64)
    reports = {
        "n1": NodeReport(seen={}, hashes={"m:f": "a" * 64}, faults=(), warnings=()),
        "n2": NodeReport(seen={}, hashes={"m:f": "b" * 64}, faults=(), warnings=()),
        "n3": NodeReport(
            seen={}, hashes={}, faults=("reward 'm:f' can't be imported: there is no module m",), warnings=()
        ),
        "n4": None,
    }
    other, absent = reward_problems([source], reports)
    assert other.startswith(
        f"node n2: reward 'm:f' has other code than here ({'b' * 12}, here {'a' * 12}). Install the package"
    )
    assert absent == "node n3: reward 'm:f' can't be imported: there is no module m"


def test_path_facts_see_names_and_sizes(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "folder").mkdir()
    assert path_facts(tmp_path) == PathFacts(exists=True, entries=frozenset({("a", 3)}))
    assert path_facts(tmp_path / "a") == PathFacts(exists=True, entries=frozenset({("a", 3)}))
    assert not path_facts(tmp_path / "b").exists
    write_bytes("memory://node-check/a", b"123")
    write_bytes("memory://node-check/folder/b", b"1")
    assert path_facts("memory://node-check") == PathFacts(exists=True, entries=frozenset({("a", 3)}))
    assert path_facts("memory://node-check/none").reason.startswith("FileNotFoundError")


def test_check_size_names_what_is_missing_and_the_nodes():
    nodes = [{"NodeManagerAddress": f"10.0.0.{n}", "Resources": {"CPU": 2.0}} for n in (1, 2)]
    check_size({"reward": ActorRequest(num_actors=4, num_cpus=1)}, nodes)
    with pytest.raises(UserError) as raised:
        check_size({"reward": ActorRequest(num_actors=5, num_cpus=1)}, nodes)
    assert "reward" in str(raised.value) and "  10.0.0.2: 2 CPU and 0 GPU" in str(raised.value)
    with pytest.raises(UserError):  # the sum would do, but no node has three
        check_size({"learner": ActorRequest(num_actors=1, num_cpus=3)}, nodes)


def test_marked_names_the_folder_that_can_not_be_written_to(tmp_path: Path):
    """Where no file can be created, removing it fails too: on a read-only file system, or here below a file."""
    (tmp_path / "a").mkdir()
    (tmp_path / "file").touch()
    folders = {"run_dir": tmp_path / "a", "out": tmp_path / "file"}
    with pytest.raises(UserError, match=r"^out: .*file can't be written to: Not a directory"), marked(folders):
        pytest.fail("the block runs")
    assert not list((tmp_path / "a").iterdir())
    with marked({"run_dir": tmp_path / "a"}) as marks:
        assert [*(tmp_path / "a").iterdir()] == [marks["run_dir"]]
    assert not list((tmp_path / "a").iterdir())
