"""Tests what a plan says: what does not fit, which change makes it fit, disk, network, and the command."""

import json
from pathlib import Path
from typing import Any

import pytest

from launch.plan import main
from vaserl.planning.hardware import GIB, parse_cluster
from vaserl.planning.learner_cost import total
from vaserl.planning.load import job_load
from vaserl.planning.model_shape import read_shape
from vaserl.planning.remedies import PlannedJob
from vaserl.settings import SftSettings, TrainSettings

ROOT = Path(__file__).parents[3]
COLOCATED = {"num_gpus": 0.5, "engine_args": {"gpu_memory_utilization": 0.3}}
APART = {"num_gpus": 1, "engine_args": {"gpu_memory_utilization": 0.6}}


def planned(cluster: str = "1x1xa100-80", **sections: Any) -> PlannedJob:
    """Returns a GRPO job of the 7B shape on a cluster; sections replace those of the config."""
    values = {
        "run_dir": "run",
        "num_steps": 10,
        "model": {"path": "shape:7b"},
        "data": {"path": "data", "num_frames": 24},
        "rollout": COLOCATED,
        "learner": {"num_gpus": 0.5},
        **sections,
    }
    settings = TrainSettings.model_validate(values)
    load = job_load(settings, frame_size=(448, 448), num_text=15, num_vases=100)
    return PlannedJob(settings=settings, shape=read_shape("shape:7b"), cluster=parse_cluster(cluster), load=load)


def test_learner_without_checkpointing_does_not_fit_beside_an_engine_on_80_gb():
    job = planned()
    assert job.problems(job.plan()) == [
        "does not fit: a GPU with 1 learner + 1 rollout needs 147 GiB and has 79, of which 97% can be used"
    ]
    # 16384 tokens are three groups in one pass; one group still needs too much, checkpointing does not
    assert job.remedies()[0].words == "learner.gradient_checkpointing = true"
    fixed = job.changed({"learner.gradient_checkpointing": True})
    assert fixed.problems(fixed.plan()) == []


def test_two_settings_are_changed_where_one_is_not_enough():
    job = planned(rollout={**COLOCATED, "engine_args": {"gpu_memory_utilization": 0.6}})
    words = [change.words for change in job.remedies()]
    assert words
    assert all(", " in each and "gradient_checkpointing = true" in each for each in words)


def test_engine_without_room_for_one_sequence_is_named():
    job = planned(rollout={**COLOCATED, "engine_args": {"gpu_memory_utilization": 0.2}})
    (short,) = [problem for problem in job.problems(job.plan()) if "cache" in problem]
    assert short == "does not fit: an engine's cache has room for 0 tokens of 4096"
    job = planned(rollout={**COLOCATED, "engine_args": {"max_model_len": 3200}})
    assert any("max_model_len = 3200 is too small: a sequence has up to 3343" in p for p in job.problems(job.plan()))


def test_halves_on_their_own_gpus_overlap_and_shared_ones_take_turns():
    alone = {"learner": {"num_gpus": 1, "gradient_checkpointing": True}, "rollout": APART}
    in_turn, ahead = (planned("1x2xa100-80", loop=loop, **alone).plan() for loop in ("on_policy", "ahead"))
    seconds = {name: total(parts) for name, parts in ahead.phases.items()}
    assert in_turn.step_s == pytest.approx(sum(seconds.values()))
    assert ahead.step_s == pytest.approx(seconds["learn"] + seconds["publish"])
    shared = planned(loop="ahead", learner={"num_gpus": 0.5, "gradient_checkpointing": True}).plan()
    assert shared.step_s == pytest.approx(0.94 * sum(total(parts) for parts in shared.phases.values()))


def test_disk_and_network_of_an_adapter():
    job = planned("2x1xa100-80", learner={"num_gpus": 1, "gradient_checkpointing": True}, rollout=APART, save_every=5)
    plan = job.plan()
    assert plan.publish_bytes == 80_740_352 * 2  # one other node
    assert plan.disk["checkpoints"] == 2 * 80_740_352 * (12 + 2)
    assert plan.disk["weights"] == 3 * 80_740_352 * 2
    assert plan.disk["features, each node"] == 100 * 3072 * 3584 * 2
    assert plan.run_s > 150 + 10 * plan.step_s


def test_supervised_steps_wait_for_the_encoder_and_grpo_steps_do_not():
    settings = SftSettings.model_validate(
        {
            "run_dir": "run",
            "num_epochs": 2,
            "vases_per_step": 8,
            "model": {"path": "shape:7b"},
            "data": {"path": "data", "num_frames": 24},
            "learner": {"num_gpus": 0.9, "gradient_checkpointing": True},
            "features": {"num_gpus": 0.1},
        }
    )
    load = job_load(settings, frame_size=(448, 448), num_text=15, num_vases=80)
    job = PlannedJob(settings=settings, shape=read_shape("shape:7b"), cluster=parse_cluster("1x1xh200"), load=load)
    plan = job.plan()
    assert plan.first_s == pytest.approx(plan.step_s + plan.encode_s)
    # 20 steps, and 80 clips with two beginnings each: one in the first epoch, the other in half of the second draws
    assert plan.run_s == pytest.approx(150 + 20 * plan.step_s + 1.5 * 80 / 8 * plan.encode_s)
    assert plan.disk["features, each node"] == 1.5 * 80 * 3072 * 3584 * 2
    still = job.changed({"rotate_clips": False}).plan()
    assert still.run_s == pytest.approx(150 + 20 * plan.step_s + 80 / 8 * plan.encode_s)
    ahead = planned("1x1xh200").plan()
    assert ahead.first_s == max(ahead.step_s, ahead.encode_s)


def test_more_engines_shorten_the_rollout_and_change_nothing_else():
    apart = {"learner": {"num_gpus": 1, "gradient_checkpointing": True}}
    one, four = (planned("1x8xa100-80", **apart, rollout={**APART, "num_workers": n}).plan() for n in (1, 4))
    assert total(four.phases["rollout"]) < 0.5 * total(one.phases["rollout"])
    assert one.phases["learn"] == four.phases["learn"]
    assert [use.bytes for use in one.gpus] == [use.bytes for use in four.gpus]


def test_knobs_begin_with_a_better_division_of_the_gpus():
    ranks = {"num_gpus": 1, "num_ranks": 4, "gradient_checkpointing": True}
    split = {"learner": ranks, "rollout": {**APART, "num_workers": 4}, "features": {"num_workers": 0}}
    job = planned("1x8xa100-80", loop="ahead", tasks_per_step=24, **split)
    best, *_ = job.knobs()
    assert best.words == "rollout.num_workers = 2, learner.num_ranks = 6, features.num_workers = 0"
    assert best.plan.step_s < 0.95 * job.plan().step_s
    # the learner's share falls from 6 groups to 4, and the engines' 12 groups still take less time than that
    assert total(best.plan.phases["rollout"]) < total(best.plan.phases["learn"]) < total(job.plan().phases["learn"])
    fair = job.changed({"rollout.num_workers": 2, "learner.num_ranks": 6})
    assert "num_workers" not in fair.knobs()[0].words


def test_weights_of_every_use_add_up_to_vllms_share():
    (shared,) = planned(learner={"num_gpus": 0.5, "gradient_checkpointing": True}).plan().gpus
    engine = sum(shared.bytes[name] for name in ("engine weights", "KV cache", "engine rest"))
    assert engine == pytest.approx(0.3 * 79.2 * GIB)


def test_plan_prints_one_screen_or_json(capsys: pytest.CaptureFixture[str]):
    config = [str(ROOT / "configs/7b/train.toml"), "--model", "shape:7b"]
    overlay = ["--with", str(ROOT / "configs/clusters/a100_8x8/train.toml"), "--cluster", "8x8xa100-80"]
    assert main([*config, *overlay]) == 0
    text = capsys.readouterr().out
    assert text.startswith("PREDICTION, not a measurement")
    assert len(text.splitlines()) <= 45
    assert max(map(len, text.splitlines())) <= 180
    assert main([*config, "--json", "--learner.gradient_checkpointing", "false"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["is_prediction"]
    assert found["problems"]
    assert found["remedies"][0]["change"]
    assert main([str(ROOT / "configs/7b/sft.toml"), "--model", "shape:7b", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["phases_s"]) == {"learn"}


def test_plan_takes_clips_and_vases_of_a_data_set_that_is_there(capsys: pytest.CaptureFixture[str], dataset: Path):
    config = [str(ROOT / "configs/sft/quickstart.toml"), "--model", "shape:3b", "--json", "--data.path", str(dataset)]
    assert main([*config, "--data.num_frames", "8", "--vases_per_step", "2", "--num_epochs", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    # four vases for training, and clips of 56 x 56 pixels
    assert found["num_steps"] == 6
    assert found["num_clip_tokens"] == 4 * 2 * 2


@pytest.mark.parametrize("job", ["train", "sft"])
def test_plan_of_a_single_vase_for_more_ranks_than_groups(job: str, capsys: pytest.CaptureFixture[str]):
    step = {"train": "--tasks_per_step", "sft": "--vases_per_step"}[job]
    options = ["--model", "shape:7b", "--num-vases", "1", "--cluster", "1x8xa100-80", step, "2"]
    assert main([str(ROOT / f"configs/7b/{job}.toml"), *options, "--learner.num_ranks", "4"]) == 0
    text = capsys.readouterr().out
    assert "note    learner.num_ranks = 4, but a step has 2 groups: 2 have nothing to do" in text
    assert ("180 steps of 2 groups" if job == "train" else "1 steps of 2 groups") in text  # 2 passes over one vase


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cluster", "1x0xcpux16"], "learner.num_gpus = 0.4, but the cluster has no GPUs"),
        (["--cluster", "8x8xa100"], "unknown kind 'a100'; the kinds are a100-40, a100-80"),
        (["--clutser", "1x1xh200"], "unknown key 'clutser'; did you mean 'cluster'?"),
        (["--cl", "1x1xh200"], "unknown key 'cl'"),
        (["--new-tokens", "257"], "a completion has at most rollout.max_new_tokens = 256"),
        (["--rollout.engine_args.tensor_parallel_size", "two"], "tensor_parallel_size = 'two': set a whole number"),
        (["--rollout.engine_args.max_num_seqs", "0"], "rollout.engine_args.max_num_seqs = 0: set a whole number"),
        (["--rollout.engine_args.max_model_len", "4k"], "rollout.engine_args.max_model_len = '4k': set a whole"),
        (["--rollout.engine_args.gpu_memory_utilization", "90"], "gpu_memory_utilization = 90: set a number above 0"),
        (["--learner.deepspeed.zero_optimization.stage", "x"], "zero_optimization.stage = 'x': set 0, 1, 2 or 3"),
    ],
)
def test_plan_refuses_options_that_it_can_not_count_with(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
):
    assert main([str(ROOT / "configs/7b/train.toml"), "--model", "shape:7b", *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--frame-size", "--num-vases", "--text-tokens", "--new-tokens"])
@pytest.mark.parametrize("value", ["0", "-5", "x"])
def test_plan_refuses_counts_below_1(option: str, value: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main([str(ROOT / "configs/7b/train.toml"), "--model", "shape:7b", option, value])
    assert option in capsys.readouterr().err


@pytest.mark.parametrize("job", ["train/quickstart", "train/ahead", "sft/quickstart"])
def test_the_quick_start_s_jobs_fit_on_two_cores(job: str, tiny_model: Path):
    options = ["--model", str(tiny_model), "--frame-size", "112", "--num-vases", "50"]
    assert main([str(ROOT / f"configs/{job}.toml"), *options, "--cluster", "1x0xcpux2"]) == 0


@pytest.mark.parametrize("size", ["3b", "7b"])
@pytest.mark.parametrize("nodes", ["1x8", "2x8", "8x8"])
@pytest.mark.parametrize("job", ["sft", "train"])
def test_shipped_configs_fit_their_clusters(size: str, nodes: str, job: str, capsys: pytest.CaptureFixture[str]):
    overlay = ["--with", str(ROOT / f"configs/clusters/a100_{nodes}/{job}.toml"), "--cluster", f"{nodes}xa100-80"]
    hub_name = f"Qwen/Qwen2.5-VL-{size.upper()}-Instruct"
    assert main([str(ROOT / f"configs/{size}/{job}.toml"), *overlay, "--json", "--model.path", hub_name]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []


def test_plan_explains_what_it_cannot_read(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main([str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err
    assert main([str(ROOT / "configs/evaluate/quickstart.toml")]) == 2
    assert "quickstart.toml is the config of another job: a train or an sft job is needed" in capsys.readouterr().err
    assert main([str(ROOT / "configs/train/quickstart.toml"), "--model", "shape:70b"]) == 2
    assert "shape:3b or shape:7b" in capsys.readouterr().err
