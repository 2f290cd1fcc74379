"""Tests a model of the hub as model.path, and uploads, against a local server that speaks the hub's protocol."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from launch.hub_model import fetch_hub_model
from launch.train import main
from tests.fakes.hub_server import COMMIT, NAME, TOKEN, HubServer, hub_server
from vaserl.errors import UserError
from vaserl.files.hub import HubModel, check_push, download_model, push_folder
from vaserl.settings import SftSettings, TrainSettings, load_config

FILES = {
    "config.json": b'{"model_type": "qwen2_5_vl"}',
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"a pickle",
    "modeling_vases.py": b"raise SystemExit",
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with hub_server(FILES) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def test_fetch_hub_model_downloads_configuration_and_safetensors_alone(hub: HubServer, capsys):
    values = {"model": {"path": f"hf://{NAME}", "dtype": "float32"}}
    fetch_hub_model(values)
    folder = Path(values["model"]["path"])
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert values["model"]["hub"] == f"{NAME}@{COMMIT}"
    assert capsys.readouterr().err.endswith(f"model: {NAME}@{COMMIT} in {folder}\n")
    fetch_hub_model({"model": {"path": f"hf://{NAME}@{COMMIT}"}})
    assert sorted(hub.downloaded) == ["config.json", "model.safetensors", "tokenizer.json"], "each once"
    assert hub.tokens == {f"Bearer {TOKEN}"}


def test_fetch_hub_model_leaves_folders_alone(hub: HubServer):
    for values in ({"model": {"path": "/models/m"}}, {"model": 3}, {}):
        before = str(values)
        fetch_hub_model(values)
        assert str(values) == before


def test_fetch_hub_model_keeps_the_commit_of_a_run_that_is_continued(hub: HubServer, tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text(f'[model]\npath = "/x"\nhub = "{NAME}@{"d" * 40}"\n')
    values = {"run_dir": str(tmp_path / "run"), "model": {"path": f"hf://{NAME}"}}
    with pytest.raises(UserError, match="has no revision 'dddd"):  # the server has another commit
        fetch_hub_model(values)
    values["model"]["path"] = f"hf://{NAME}@main"
    fetch_hub_model(values)
    assert values["model"]["hub"] == f"{NAME}@{COMMIT}"


def test_download_model_takes_the_cache_where_the_hub_is_out_of_reach(hub: HubServer, monkeypatch):
    online = download_model(HubModel(name=NAME))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    assert download_model(HubModel(name=NAME)) == online
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert download_model(HubModel(name=NAME)) == online


def test_download_model_out_of_reach_names_the_command_that_downloads(hub: HubServer, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        UserError, match=rf"(?s)the Hugging Face hub \(http://127.*run `hf download {NAME} --revision v2`"
    ):
        download_model(HubModel(name=NAME, revision="v2"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=f"Where there is a network, run `hf download {NAME}`"):
        download_model(HubModel(name=NAME))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hf://org/nothing", "has no model org/nothing for this token"),
        (f"hf://{NAME}@nowhere", "has no revision 'nowhere'"),
        ("hf://vases", "is no name of a model on the Hugging Face hub; expected hf://ORG/NAME"),
        ("hf://org/--vases--", "is no name of a model"),
    ],
)
def test_fetch_hub_model_explains_a_wrong_name(hub: HubServer, text: str, words: str):
    with pytest.raises(UserError, match=words) as caught:
        fetch_hub_model({"model": {"path": text}})
    assert TOKEN not in str(caught.value)


def test_train_job_takes_the_model_of_the_hub(hub: HubServer, tmp_path: Path, capsys):
    """The job goes on to the data set, which is missing."""
    config = tmp_path / "train.toml"
    config.write_text(
        f'run_dir = "{tmp_path}/run"\nnum_steps = 1\n[model]\npath = "hf://{NAME}"\n[data]\npath = "none"'
    )
    assert main([str(config), "--dry-run"]) == 0
    assert f'hub = "{NAME}@{COMMIT}"' in capsys.readouterr().out
    assert main([str(config)]) == 2
    assert "none has no manifest.parquet" in capsys.readouterr().err


def test_other_commands_ask_for_a_folder(tmp_path: Path):
    config = tmp_path / "sft.toml"
    config.write_text('run_dir = "run"\n[model]\npath = "hf://org/vases@v2"\n[data]\npath = "d"\n')
    with pytest.raises(UserError, match="Give the folder that `hf download org/vases --revision v2` prints"):
        load_config(SftSettings, config)
    settings = load_config(TrainSettings, config, ["--model.path", str(tmp_path), "--num_steps", "1"])
    assert (settings.model.path, settings.model.hub) == (tmp_path, "")


def test_push_folder_uploads_every_file_and_says_where(hub: HubServer, tmp_path: Path, capfd):
    folder = tmp_path / "export"
    folder.mkdir()
    files = {"config.json": b"{}", "model.safetensors": b"weights", "README.md": b"---\ntags: [x]\n---\n# A model\n"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    assert push_folder(folder, NAME, is_private=True) == f"{hub.url}/{NAME}"
    assert hub.uploaded == files
    assert (hub.created["name"], hub.created["organization"], hub.created["visibility"]) == ("vases", "org", "private")
    printed = "".join(capfd.readouterr())
    assert TOKEN not in printed


def test_push_folder_with_a_wrong_token_keeps_it_to_itself(hub: HubServer, tmp_path: Path, monkeypatch, capfd):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_secret")
    with pytest.raises(UserError, match=f"`hf upload {NAME} {tmp_path}` uploads it") as caught:
        push_folder(tmp_path, NAME, is_private=True)
    assert "401" in str(caught.value)
    assert "hf_wrong_secret" not in str(caught.value) + "".join(capfd.readouterr())


def test_check_push_needs_a_token_a_network_and_a_name(hub: HubServer, monkeypatch, tmp_path: Path):
    check_push(NAME)
    with pytest.raises(UserError, match=r"is no name of a model"):
        check_push("vases")
    with pytest.raises(UserError, match=r"has no revision yet"):
        check_push(f"{NAME}@v2")
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    with pytest.raises(UserError, match="set HF_TOKEN"):
        check_push(NAME)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        check_push(NAME)
