"""Tests that the export of a run is the model that the run trained: its base, its precision, its version."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import TEXTS
from tests.fakes.hub_server import NAME, TOKEN, hub_server
from vaserl.commands.__main__ import main as vaserl
from vaserl.errors import UserError
from vaserl.policy.adapter import adapter_files, add_lora
from vaserl.policy.fingerprint import mean_gap, probe_ids, probe_layout
from vaserl.policy.policy import Policy, load_model, replace_weights
from vaserl.policy.prompter import Prompter
from vaserl.policy.tensor_file import TensorFile, read_tensors
from vaserl.policy.weights import make_weights, read_fingerprint, write_weights
from vaserl.runs.chosen_weights import chosen_weights
from vaserl.runs.export import export_run
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings
from vaserl.synthetic.models.tiny_qwen import TinyShape, build_tiny_model
from vaserl.types import UNVOUCHED, Fingerprint

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@torch.no_grad()
def fingerprint_of(model, folder: Path) -> Fingerprint:
    """Returns the fingerprint that a learner with this model stores."""
    token_ids = probe_ids(lambda text: Prompter(folder).tokenizer(text, add_special_tokens=False)["input_ids"])
    return Fingerprint(
        token_ids=token_ids, logprobs=tuple(Policy(model).eval()([], probe_layout(token_ids))[0].tolist())
    )


def start_run(path: Path, base: Path, dtype: str) -> Run:
    run = Run(path)
    settings = {"run_dir": path, "num_steps": 1, "model": {"path": base, "dtype": dtype}, "data": {"path": path}}
    run.begin(TrainSettings.model_validate(settings))
    run.metrics_file.write_text('{"step": 1, "reward/mean": 0.5}\n')
    return run


def save(run: Run, version: int, files, fingerprint: Fingerprint) -> None:
    with run.saving_weights(version) as folder:
        write_weights(make_weights(version, files, fingerprint), folder)


def run_with_adapter(path: Path, base: Path, dtype: str, *, std: float = 0.05, versions: tuple[int, ...] = (2,)) -> Run:
    """Returns a run that trained an adapter, whose matrices B have elements of size `std`."""
    run = start_run(path, base, dtype)
    for version in versions:
        model = load_model(base, DTYPES[dtype])
        peft = add_lora(model, rank=4, alpha=8)
        for index, (name, parameter) in enumerate(peft.named_parameters()):
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=std, generator=torch.Generator().manual_seed(version + index))
        save(run, version, adapter_files(peft), fingerprint_of(model, base))
    return run


def gap_of(folder: Path, dtype: str, fingerprint: Fingerprint) -> float:
    return mean_gap(fingerprint_of(load_model(folder, DTYPES[dtype]), folder).logprobs, fingerprint.logprobs)


@pytest.mark.parametrize(("dtype", "limit"), [("float32", 1e-5), ("bfloat16", 5e-3)])
def test_export_has_the_precision_and_the_log_probabilities_of_the_run(tmp_path, tiny_model, dtype: str, limit: float):
    run = run_with_adapter(tmp_path / "run", tiny_model, dtype)
    out = export_run(run, tmp_path / "out")
    assert json.loads((out / "config.json").read_text())["dtype"] == dtype
    stored = read_tensors((out / "model.safetensors").read_bytes())
    assert {tensor.dtype for tensor in stored.values()} == {DTYPES[dtype]}
    fingerprint = read_fingerprint(run.weights[0].folder)
    assert gap_of(out, dtype, fingerprint) <= limit
    assert gap_of(tiny_model, dtype, fingerprint) > 10 * limit  # the base without the adapter is another model
    card = (out / "README.md").read_text()
    assert "position_ids" in card and "weights v00002" in card


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_export_refuses_another_base_and_states_both_numbers(tmp_path, tiny_model, dtype: str):
    base = shutil.copytree(tiny_model, tmp_path / "base")
    run = run_with_adapter(tmp_path / "run", base, dtype)
    shape = TinyShape(hidden_size=128, num_layers=2, num_heads=4, vision_hidden_size=64, vision_depth=2)
    build_tiny_model(base, TEXTS, shape=shape, seed=1)  # another job writes another model to the same place
    with pytest.raises(
        UserError,
        match=r"model\.path\) is not the model that the run trained.*v00002.* is -\d+\.\d{6}, but it was -\d+\.\d{6}",
    ):
        export_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_of_a_chosen_version_and_its_upload(tmp_path, tiny_model, capsys, monkeypatch):
    run = run_with_adapter(tmp_path / "run", tiny_model, "float32", versions=(2, 4))
    arguments = ["export", str(run.path), "--out", str(tmp_path / "out")]
    assert vaserl([*arguments, "--version", "3"]) == 2
    assert "no saved weights of version 3; saved are 2, 4" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with hub_server({}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        assert vaserl([*arguments, "--version", "2", "--push", NAME]) == 0
        assert capsys.readouterr().out.splitlines()[-2:] == [str(tmp_path / "out"), f"{hub.url}/{NAME}"]
    assert hub.uploaded == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert gap_of(tmp_path / "out", "float32", read_fingerprint(run.weights_folder(2))) <= 1e-5
    assert gap_of(tmp_path / "out", "float32", read_fingerprint(run.weights_folder(4))) > 1e-3


def test_export_of_a_run_that_was_stopped_takes_the_weights_of_its_newest_checkpoint(tmp_path, tiny_model):
    run = run_with_adapter(tmp_path / "run", tiny_model, "float32", versions=(2, 3, 4))
    for step in (2, 3):
        checkpoint = run.checkpoints_folder / f"step={step:05d}"
        checkpoint.mkdir(parents=True)
        run.weights_folder(step + 1).rename(checkpoint / f"weights-v{step + 1:05d}")
    (run.checkpoints_folder / ".writing-step=00004-e1" / "weights-v00005").mkdir(parents=True)  # not committed
    expected = read_fingerprint(run.checkpoints_folder / "step=00003" / "weights-v00004")
    assert vaserl(["export", str(run.path), "--out", str(tmp_path / "out")]) == 0
    assert gap_of(tmp_path / "out", "float32", expected) <= 1e-4
    assert "weights weights-v00004" in (tmp_path / "out" / "README.md").read_text()
    assert vaserl(["export", str(run.path), "--out", str(tmp_path / "older"), "--version", "2"]) == 0


def test_chosen_weights_are_named_by_folder_by_number_or_as_the_best(tmp_path, tiny_model):
    run = start_run(tmp_path / "run", tiny_model, "float32")
    checkpoint = run.checkpoints_folder / "step=00003"
    for folder in (run.weights_folder(2), checkpoint / "weights-v00004"):
        folder.mkdir(parents=True)

    def chosen(*words) -> int | None:
        found, version = chosen_weights(*words)
        assert found.path == run.path
        return version

    assert chosen(run.path) is None
    assert [chosen(run.path, "7"), chosen(run.weights_folder(2))] == [7, 2]
    assert [chosen(checkpoint), chosen(checkpoint / "weights-v00004")] == [4, 4]
    with pytest.raises(UserError, match="names the weights already; leave out --version 2"):
        chosen(checkpoint, "2")
    with pytest.raises(UserError, match="expected a number or 'best'"):
        chosen(run.path, "last")
    with pytest.raises(UserError, match="has no validation with validation/reward"):
        chosen(run.path, "best")
    rows = [(2, 0.5), (4, 0.7), (6, 0.6)]
    run.validation_file.write_text("".join(json.dumps(validation(step, reward)) + "\n" for step, reward in rows))
    assert chosen(run.path, "best") == 5
    elsewhere = tmp_path / "elsewhere" / "step=00003"
    elsewhere.mkdir(parents=True)
    with pytest.raises(UserError, match="does not lie in its run's folder"):
        chosen_weights(elsewhere)
    with pytest.raises(UserError, match="holds no run"):
        chosen_weights(tmp_path / "elsewhere")


def validation(step: int, reward: float) -> dict[str, Any]:
    """Returns a row of validation.jsonl; step k makes version k + 1."""
    return {
        **{"step": step, "weights_version": step + 1, "split": "val", "num_vases": 2, "num_split_vases": 2},
        **{"sample_seed": None, "interval": "", "metrics": {"reward": {"mean": reward}, "dimensions": {}}},
    }


def test_export_verb_refuses_to_push_before_it_exports(tmp_path, monkeypatch, capsys):
    command = ["export", str(tmp_path), "--out", str(tmp_path / "out")]
    assert vaserl([*command, "--public"]) == 2
    assert "--public has an effect with --push only" in capsys.readouterr().err
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert vaserl([*command, "--push", "org/vases"]) == 2
    assert "HF_HUB_OFFLINE is set" in capsys.readouterr().err


def whole_model_run(path: Path, base: Path) -> tuple[Run, Any]:
    """Returns a run that trained all weights, and its model. As DeepSpeed does, it names a tied matrix once."""
    run, model = start_run(path, base, "float32"), load_model(base)
    with torch.no_grad():
        for parameter in model.model.language_model.parameters():
            parameter.mul_(1.05)
    files = {"model.safetensors": TensorFile().fill(dict(model.named_parameters()))}
    save(run, 2, files, fingerprint_of(model, base))
    return run, model


@pytest.mark.parametrize("base", ["tiny_model", "tied_model"])
def test_export_of_a_whole_model(tmp_path, base: str, request: pytest.FixtureRequest):
    run, model = whole_model_run(tmp_path / "run", request.getfixturevalue(base))
    exported = load_model(export_run(run, tmp_path / "out"))
    assert exported.config.tie_word_embeddings == (base == "tied_model")
    is_tied = exported.lm_head.weight is exported.get_input_embeddings().weight
    assert is_tied == (base == "tied_model")
    for name, tensor in model.state_dict().items():
        assert torch.equal(exported.state_dict()[name], tensor), name


def test_export_of_a_model_that_was_saved_as_a_complete_folder_in_several_files(tmp_path, tiny_model):
    """A learner that sends its tensors by NCCL saves that way."""
    run, model = whole_model_run(tmp_path / "run", tiny_model)
    folder = run.weights[0].folder
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="1MB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    exported = load_model(export_run(run, tmp_path / "out"))
    assert torch.equal(exported.lm_head.weight, model.lm_head.weight)


def test_export_without_a_fingerprint_says_that_it_cannot_tell_the_base(tmp_path, tiny_model, capsys):
    run = run_with_adapter(tmp_path / "run", tiny_model, "float32")
    (run.weights[0].folder / "fingerprint.json").unlink()
    assert read_fingerprint(run.weights[0].folder) == UNVOUCHED
    export_run(run, tmp_path / "out")
    assert "can't tell whether" in capsys.readouterr().err


def test_export_refuses_an_adapter_that_changes_nothing(tmp_path, tiny_model):
    run = run_with_adapter(tmp_path / "run", tiny_model, "float32", std=0.0)
    with pytest.raises(RuntimeError, match="equals its base"):
        export_run(run, tmp_path / "out")


def test_replace_weights_names_what_is_missing_or_unknown(tiny_model, tied_model):
    tied, free = load_model(tied_model), load_model(tiny_model)
    given = {name: tensor.detach() + 1 for name, tensor in tied.named_parameters()}
    assert "lm_head.weight" not in given
    replace_weights(tied, given)
    assert torch.equal(tied.lm_head.weight, given["model.language_model.embed_tokens.weight"])
    with pytest.raises(ValueError, match=r"lm_head\.weight is not among the weights .*1 are missing"):
        replace_weights(free, given)
    with pytest.raises(ValueError, match=r"no weight model\.nowhere"):
        replace_weights(tied, given | {"model.nowhere": torch.ones(1)})


def test_add_lora_refuses_one_of_two_tied_layers(tied_model, tiny_model):
    with pytest.raises(UserError, match=r"target_modules = .*tie_word_embeddings"):
        add_lora(load_model(tied_model), rank=4, alpha=8, target_modules=r".*(q_proj|lm_head)")
    add_lora(load_model(tied_model), rank=4, alpha=8)
    add_lora(load_model(tiny_model), rank=4, alpha=8, target_modules=r".*(q_proj|lm_head)")
