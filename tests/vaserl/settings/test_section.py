"""Tests strict configs: an error names file, line and key, and every file in configs/ loads."""

from pathlib import Path

import pytest

from vaserl.curation.settings import CurateSettings
from vaserl.curation.train_quality.settings import TrainQualitySettings
from vaserl.errors import UserError
from vaserl.judge.settings import JudgeSettings
from vaserl.meshes.compare import VaseEvalSettings
from vaserl.rewards.vase.reward_file import RewardFile
from vaserl.settings import EvaluateSettings, QuickstartSettings, RolloutSettings, SftSettings, TrainSettings
from vaserl.settings.config_file import find_line
from vaserl.settings.section import dump_config, load_config, parse_overrides
from vaserl.synthetic.train_cutout.settings import TrainCutoutSettings

ROOT = Path(__file__).parents[3]
KIND_OF_FOLDER = {
    "curate": CurateSettings,
    "quality": TrainQualitySettings,
    "cutout": TrainCutoutSettings,
    "sft": SftSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "rewards": RewardFile,
    "vaseeval": VaseEvalSettings,
    "judge": JudgeSettings,
    "configs": QuickstartSettings,
}
KIND_OF_NAME = {"sft": SftSettings, "train": TrainSettings, "evaluate": EvaluateSettings}
CLUSTERS = ROOT / "configs" / "clusters"
OVERLAYS = sorted(CLUSTERS.rglob("*.toml"))
FILES = sorted(set((ROOT / "configs").rglob("*.toml")) - set(OVERLAYS))
PUBLISHED = ("3b", "7b")

TRAIN = """run_dir = "runs/x"
num_steps = 2
[model]
path = "m"
[data]
path = "d"

[rollout]
group_size = 4
engine_args = { max_model_len = 512 }
"""


@pytest.fixture
def train(tmp_path: Path) -> Path:
    path = tmp_path / "train.toml"
    path.write_text(TRAIN)
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_load_config_reads_every_config_and_its_dump(path: Path, tmp_path: Path):
    kind = KIND_OF_NAME[path.stem] if path.parent.name in PUBLISHED else KIND_OF_FOLDER[path.parent.name]
    config = load_config(kind, path)
    again = tmp_path / "dump.toml"
    again.write_text(dump_config(config))
    assert load_config(kind, again) == config


def test_configs_has_one_for_every_job():
    assert {path.parent.name for path in FILES} == {*KIND_OF_FOLDER, *PUBLISHED}


@pytest.mark.parametrize("size", PUBLISHED)
@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: str(path.relative_to(CLUSTERS)))
def test_overlay_of_a_cluster_changes_nothing_that_changes_the_result(overlay: Path, size: str):
    """But for the loop, which samples with weights of one version before, and the engine's batch."""
    kind, base = KIND_OF_NAME[overlay.stem], ROOT / "configs" / size / overlay.name
    one, many = (load_config(kind, base, overlays=files).model_dump() for files in ((), (overlay,)))
    changed = {f"{section}.{key}" for section in one for key in _changed(one[section], many[section])}
    assert changed <= {
        *("loop.", "rollout.num_workers", "rollout.num_gpus", "rollout.engine_args"),
        *("learner.num_ranks", "learner.num_gpus", "learner.max_tokens_per_micro_batch"),
        *("learner.gradient_checkpointing", "features.num_workers", "cluster.address", "cluster.placement_timeout_s"),
    }
    assert changed >= {"cluster.address"}


def _changed(one: object, many: object) -> set[str]:
    if isinstance(one, dict) and isinstance(many, dict):
        return {key for key in one | many if one.get(key) != many.get(key)}
    return set() if one == many else {""}


def test_load_config_applies_overrides_and_makes_paths_absolute(train: Path):
    config = load_config(TrainSettings, train, ["--rollout.group_size", "6", "--model.path=weights/a b"])
    assert config.rollout.group_size == 6
    assert config.model.path == Path.cwd() / "weights" / "a b"
    assert config.run_dir.is_absolute()
    assert config.rollout.engine_args == {"max_model_len": 512}


def test_parse_overrides_reads_toml_or_text():
    pairs = parse_overrides(["--a", "3", "--b.c=true", "--d", "[1, 2]", "--e", "runs/x", "--f-g", "1e-3"])
    assert pairs == [(["a"], 3), (["b", "c"], True), (["d"], [1, 2]), (["e"], "runs/x"), (["f_g"], 1e-3)]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("group_size = 4", "group_sise = 4"), ["train.toml:9", "rollout.group_sise", "did you mean 'group_size'"]),
        (("num_steps = 2", "num_steps = 0"), ["train.toml:2", "num_steps", "greater than or equal to 1", "got 0"]),
        (("num_steps = 2\n", ""), ["num_steps", "missing"]),
        (("[data]", "[dataa]"), ["train.toml:5", "dataa", "did you mean 'data'"]),
        (("max_model_len = 512", "dtype = 1"), ["train.toml:10", "dtype", "follow from other settings"]),
        (("group_size = 4", "group_size = 4 4"), ["train.toml", "line 9"]),
    ],
    ids=["unknown-key", "out-of-range", "missing", "unknown-table", "reserved-engine-option", "not-toml"],
)
def test_load_config_names_file_line_and_key_of_an_error(train: Path, edit: tuple[str, str], words: list[str]):
    assert edit[0] in TRAIN
    train.write_text(TRAIN.replace(*edit))
    with pytest.raises(UserError) as raised:
        load_config(TrainSettings, train)
    missing = [word for word in words if word not in str(raised.value)]
    assert not missing, str(raised.value)


def test_load_config_names_the_override_of_an_error(train: Path):
    with pytest.raises(UserError, match=r"--loss\.bata: unknown key 'loss\.bata'; did you mean 'beta'"):
        load_config(TrainSettings, train, ["--loss.bata", "1"])
    with pytest.raises(UserError, match="has no value"):
        load_config(TrainSettings, train, ["--seed"])
    with pytest.raises(UserError, match="expected an override"):
        load_config(TrainSettings, train, ["seed", "1"])


def test_load_config_names_the_override_of_a_sections_error(tmp_path: Path):
    config = tmp_path / "curate.toml"
    config.write_text('dataset = "out"\n[source]\npath = "in"\n', encoding="utf-8-sig")  # as an editor may save it
    with pytest.raises(UserError) as caught:
        load_config(CurateSettings, config, ["--seed", "1", "--lift.generator", "given"])
    assert "lift.generator_args: path: Field required" in str(caught.value)
    config.write_bytes(b'dataset = "Gef\xe4\xdf"\n')
    with pytest.raises(UserError, match=r"curate\.toml: not UTF-8"):
        load_config(CurateSettings, config)


def test_load_config_names_a_missing_file(tmp_path: Path):
    with pytest.raises(UserError, match=r"nowhere\.toml: No such file"):
        load_config(TrainSettings, tmp_path / "nowhere.toml")


def test_find_line_knows_tables_and_dotted_keys():
    text = "a = 1\n\n[b]\nc = 2\n[b.d]\ne = 3\nf.g = 4\n"
    places = {("a",): 1, ("b",): 3, ("b", "c"): 4, ("b", "d", "e"): 6, ("b", "d", "f", "g"): 7, ("b", "zz"): 3}
    assert {key: find_line(text, key) for key in places} == places


def test_train_settings_refuse_groups_of_one(train: Path):
    """A group of one has no advantage: the run would skip every step and end like a trained one."""
    with pytest.raises(UserError, match=r"rollout\.group_size must be at least 2 in training"):
        load_config(TrainSettings, train, ["--rollout.group_size", "1"])
    assert RolloutSettings(group_size=1).group_size == 1  # the evaluation samples one completion for each vase


def test_learner_settings_train_vision_in_full_only(train: Path):
    with pytest.raises(UserError, match="train_vision needs method"):
        load_config(TrainSettings, train, ["--learner.train_vision", "true"])


def test_reward_settings_need_a_weight_for_each_function(train: Path):
    with pytest.raises(UserError, match="1 weights for 2 functions"):
        load_config(TrainSettings, train, ["--reward.functions", '["a:b", "c:d"]', "--reward.weights", "[1.0]"])


def test_overlay_replaces_values_and_keeps_the_others(train: Path, tmp_path: Path):
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text("[rollout]\nnum_workers = 3\nengine_args = { max_num_seqs = 8 }\n")
    second.write_text("num_steps = 9\n[rollout]\nnum_workers = 4\n")
    config = load_config(TrainSettings, train, ["--rollout.num_gpus", "0.5"], overlays=[first, second])
    assert config.rollout.num_workers == 4
    assert (config.num_steps, config.rollout.num_gpus, config.rollout.group_size) == (9, 0.5, 4)
    assert config.rollout.engine_args == {"max_model_len": 512, "max_num_seqs": 8}


def test_error_in_an_overlay_names_its_line(train: Path, tmp_path: Path):
    overlay = tmp_path / "cluster.toml"
    overlay.write_text('\n[rollout]\nnum_workers = "many"\nnum_gpu = 1\n')
    with pytest.raises(UserError) as caught:
        load_config(TrainSettings, train, overlays=[overlay])
    lines = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{overlay}:3", f"{overlay}:4"]
    assert "did you mean 'num_gpus'" in lines[1]


def test_error_names_the_config_where_the_overlay_only_has_the_section(train: Path, tmp_path: Path):
    train.write_text(TRAIN.replace("group_size = 4", "group_size = 0"))
    overlay = tmp_path / "cluster.toml"
    overlay.write_text("[rollout]\nnum_workers = 2\n")
    with pytest.raises(UserError) as caught:
        load_config(TrainSettings, train, overlays=[overlay])
    assert str(caught.value).startswith(f"{train}:9: rollout.group_size")


def test_missing_overlay_is_named(train: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.toml: No such file"):
        load_config(TrainSettings, train, overlays=[tmp_path / "none.toml"])
