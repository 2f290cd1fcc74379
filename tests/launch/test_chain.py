"""Tests import, SFT, GRPO, evaluation, export and captioning in sequence, with the real engines: on conversations about
one picture, several views, and videos."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from launch.evaluate import main as evaluate
from launch.sft import main as sft
from launch.train import main as train
from tests.conftest import SHAPES, make_clip
from tests.fakes.chat_server import chat_server, completion
from vaserl.commands.__main__ import main as vaserl
from vaserl.curation.chat import import_chats
from vaserl.dataset import DataSet
from vaserl.files import read_json_lines
from vaserl.files.clip import write_mp4
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.sampling import sample
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.run import Run
from vaserl.runs.training_origin import origin_of_model
from vaserl.settings import CAPTION_PROMPT

SYSTEM = "You describe vases."
SFT = """
run_dir = "{root}/sft"
num_epochs = 40
vases_per_step = 4
questions_per_vase = 1
tiny_model = {{ hidden_size = 128, num_layers = 2, num_heads = 4, vision_hidden_size = 64, vision_depth = 2 }}
[model]
path = "{root}/tiny"
dtype = "float32"
[data]
path = "{data}"
num_frames = 4
system = "{system}"
[learner]
method = "full"
train_vision = true
num_cpus = 0.5
learning_rate = 3e-3
warmup_steps = 5
schedule = "cosine"
"""

TRAIN = """
run_dir = "{root}/grpo"
num_steps = 3
tasks_per_step = 4
questions = {{ share = 0.25 }}
too_long = "drop"
[model]
path = "{root}/sft/model"
dtype = "float32"
[data]
path = "{data}"
num_frames = 4
system = "{system}"
[rollout]
group_size = 6
max_new_tokens = 40
num_cpus = 0.5
engine_args = {{ max_model_len = 512, max_num_seqs = 16 }}
[learner]
num_cpus = 0.5
learning_rate = 5e-3
lora = {{ rank = 8, alpha = 16 }}
"""

EVALUATE = """
run_dir = "{root}/evaluation"
trained = "{root}/grpo/checkpoints/step=00003/weights-v00004"
clip_model = "{root}/clip"
[model]
path = "{root}/sft/model"
dtype = "float32"
[data]
path = "{data}"
num_frames = 4
system = "{system}"
[rollout]
max_new_tokens = 40
num_cpus = 0.5
engine_args = {{ max_model_len = 512, max_num_seqs = 16 }}
"""


def tiny_clip(root: Path) -> None:
    """Trains an open_clip model on four pictures of noise and writes it to the folder clip."""
    from vaserl.synthetic.models.tiny_filters import train_tiny_clip

    photographs = []
    for index in range(4):
        path = root / f"{index}.png"
        Image.fromarray(np.random.default_rng(index).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
        photographs.append(path)
    train_tiny_clip(photographs, [["a vase"], ["a sherd"]] * 2, root / "clip", seed=0, num_steps=2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Returns a data set of six conversations: about one picture, three views or a video, and two held-out vases. Each
    has a second turn about the fabric. A seventh has a reference that is longer than a completion may be."""
    folder, turns = tmp_path_factory.mktemp("chats"), []
    for number in range(7):
        clip = make_clip(number, num_frames=8)
        views = [f"{number}-{view}.png" for view in range(3)]
        for name, frame in zip(views, clip.frames, strict=False):
            Image.fromarray(frame).save(folder / name)
        write_mp4(folder / f"{number}.mp4", clip)
        files = ({"image": views[0]}, {"images": views}, {"videos": [f"{number}.mp4"]})[number % 3]
        caption = f"Athenian black-figure {SHAPES[number % 3]}, c. 525–500 BCE, depicting a warrior."
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": CAPTION_PROMPT},
            {"role": "assistant", "content": caption},
            {"role": "user", "content": "What is the fabric of the vase?"},
            {"role": "assistant", "content": "Athenian"},
        ]
        long = {"reference": f"{caption} " * 9} if number == 6 else {}
        turns.append({"messages": messages, "split": "test" if number in (3, 5) else "train", **files, **long})
    (folder / "chats.json").write_text(json.dumps(turns))
    import_chats(folder / "chats.json", DataSet(folder / "data"), num_frames=8, resolution=56, seed=0)
    return folder / "data"


@pytest.fixture(scope="module")
def root(tmp_path_factory, dataset: Path, cluster) -> Path:
    """Returns the folder in which all jobs of the sequence have run."""
    root = tmp_path_factory.mktemp("chain")
    for name, text in (("sft", SFT), ("train", TRAIN), ("evaluate", EVALUATE)):
        (root / f"{name}.toml").write_text(text.format(root=root, data=dataset, system=SYSTEM))
    tiny_clip(root)
    assert sft([str(root / "sft.toml")]) == 0
    assert train([str(root / "train.toml")]) == 0
    assert evaluate([str(root / "evaluate.toml")]) == 0
    assert vaserl(["export", str(root / "grpo"), "--out", str(root / "export")]) == 0
    return root


def test_sft_job_learns_and_leaves_a_model_folder(root: Path, dataset: Path):
    losses = [row["loss"] for row in read_json_lines(root / "sft" / "metrics.jsonl")]
    assert len(losses) == 50  # 40 epochs of five vases, four a step
    assert np.mean(losses[-5:]) < 0.2 * losses[0]
    prompter, policy = Prompter(root / "sft" / "model", SYSTEM), Policy(load_model(root / "sft" / "model").eval())
    vase = DataSet(dataset).vases("train")[0]
    clip = DataSet(dataset).clips.load(vase.clip, 4)
    token_ids, _ = sample(policy, prompter, clip, CAPTION_PROMPT, max_new_tokens=40)
    assert prompter.decode(token_ids) == vase.caption


def test_train_job_asks_questions_and_drops_the_long_reference(root: Path):
    run = Run(root / "grpo")
    assert [row["task"] for row in read_json_lines(run.path / "dropped.jsonl")] == ["000007/caption"]
    for step, metrics in enumerate(run.metrics, start=1):
        rows = run.rollouts(step)
        assert [row.task.partition("/")[2] for row in rows[::6]].count("question-1") == 1
        asked = [row for row in rows if not row.dimensions]
        assert {(row.prompt, row.reference) for row in asked} == {("What is the fabric of the vase?", "Athenian")}
        assert metrics["reward/question/answer"] == pytest.approx(np.mean([row.reward for row in asked]))
        assert metrics["logprob_gap"] <= 1e-5
    assert any(row.reward == 1.0 for step in run.steps for row in run.rollouts(step) if not row.dimensions)


def test_evaluate_job_compares_both_systems_on_the_test_vases(root: Path, dataset: Path):
    summary = json.loads((root / "evaluation" / "evaluation.json").read_text())
    lines = read_json_lines(root / "evaluation" / "captions.jsonl")
    assert summary["num_vases"] == 2 == len(lines)
    assert {line["id"] for line in lines} == {vase.id for vase in DataSet(dataset).vases("test")}
    for line in lines:
        assert set(line["captions"]) == {"sft", "rl"}
    mean = np.mean([line["scores"]["rl"]["total"] - line["scores"]["sft"]["total"] for line in lines])
    assert summary["differences"]["rl"]["reward"]["mean"] == pytest.approx(mean)


FIVE = """
[systems.exported]
model = "{root}/export"
[systems.file]
captions = "{root}/file.json"
[systems.served.server]
base_url = "{url}"
model = "big"
"""


@pytest.mark.slow
def test_evaluate_job_compares_five_systems(root: Path, dataset: Path, capfd):
    first, second = DataSet(dataset).vases("test")
    rows = [{"images": [f"{first.id}.jpg"], "caption": text} for text in (first.reference, "another caption")]
    (root / "file.json").write_text(json.dumps(rows))
    with chat_server(lambda server, content: completion(second.reference)) as server:
        five = EVALUATE.replace("/evaluation", "/five")
        text = five.format(root=root, data=dataset, system=SYSTEM) + FIVE.format(root=root, url=server.url)
        (root / "five.toml").write_text(text)
        assert evaluate([str(root / "five.toml")]) == 0
        num_asked = len(server.asked)
        assert evaluate([str(root / "five.toml")]) == 0
        assert len(server.asked) == num_asked + 1, "the finished evaluation asks for one token, to find the server"
    assert "this evaluation is finished" in capfd.readouterr().err
    run = EvaluationRun(root / "five")
    assert list(run.summary["systems"]) == ["sft", "rl", "exported", "file", "served"]
    captions = {vase.id: vase.captions for vase in run.captions}
    # the exported model is the base with the adapter merged, in engines of its own
    assert all(each["exported"] == each["rl"] for each in captions.values())
    assert all(each["served"] == second.reference for each in captions.values())
    assert run.summary["systems"]["file"]["failed"]["mean"] == 1.0, "one vase is missing, and one has two captions"
    assert run.summary["systems"]["served"]["failed"]["mean"] == 0.0


def test_evaluate_job_captions_equal_those_of_the_own_sampler(root: Path, dataset: Path):
    prompter, policy = Prompter(root / "export", SYSTEM), Policy(load_model(root / "export").eval())
    assert origin_of_model(root / "export").system == SYSTEM  # with which `vaserl caption` uses it
    for line in read_json_lines(root / "evaluation" / "captions.jsonl"):
        clip = DataSet(dataset).clips.load(line["clip"], 4)
        token_ids, _ = sample(policy, prompter, clip, CAPTION_PROMPT, max_new_tokens=40)
        assert prompter.decode(token_ids) == line["captions"]["rl"]


def test_export_has_the_logprobs_of_base_and_adapter(root: Path):
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText, AutoProcessor

    ids = torch.arange(20, 84)[None]
    exported = AutoModelForImageTextToText.from_pretrained(root / "export", dtype=torch.float32)
    base = load_model(root / "sft" / "model")
    with torch.no_grad():
        wanted_base = base(input_ids=ids).logits.log_softmax(-1)
        adapted = PeftModel.from_pretrained(base, str(root / "grpo" / "weights" / "v00004"))
        wanted = adapted(input_ids=ids).logits.log_softmax(-1)
        written = exported(input_ids=ids).logits.log_softmax(-1)
    assert (written - wanted).abs().max() <= 1e-4
    assert (written - wanted_base).abs().max() > 1e-3
    assert AutoProcessor.from_pretrained(root / "export").chat_template
    card = (root / "export" / "README.md").read_text()
    assert "| reward/mean |" in card
    assert "2 held-out vases" in card


def test_export_served_by_vllm_has_the_logprobs_of_the_adapter(root: Path, dataset: Path):
    from peft import PeftModel

    from actors.placement import ActorRequest, placed
    from actors.rollout import RolloutPool
    from tests.actors.test_parity import learner_logprobs
    from vaserl.settings import ClusterSettings, DataSettings, ModelSettings, RolloutSettings

    settings = RolloutSettings(max_new_tokens=12, group_size=2, engine_args={"max_model_len": 512, "max_num_seqs": 8})
    with placed({"rollout": ActorRequest(num_actors=1, num_cpus=1)}, ClusterSettings()) as placement:
        pool = RolloutPool(
            ModelSettings(path=root / "export", dtype="float32"),
            DataSettings(path=dataset, num_frames=4),
            settings,
            placement["rollout"],
            max_lora_rank=None,
            seed=0,
        )
        groups = pool.generate([vase.caption_task() for vase in DataSet(dataset).vases("test")], step=1)
    base = load_model(root / "sft" / "model")
    PeftModel.from_pretrained(base, str(root / "grpo" / "weights" / "v00004"))  # injects the adapter into `base`
    prompter, clips = Prompter(root / "sft" / "model"), DataSet(dataset).clips
    for group in groups:
        engine = torch.tensor([logprob for c in group.completions for logprob in c.logprobs])
        learner = learner_logprobs(Policy(base.eval()), prompter, clips, group, 4, 1.0)
        assert (learner - engine).abs().max() <= 1e-4


def test_export_refuses_what_is_no_run_or_would_overwrite(root: Path, tmp_path: Path, capsys):
    assert vaserl(["export", str(tmp_path), "--out", str(tmp_path / "x")]) == 2
    assert "holds no run: it has no config.toml" in capsys.readouterr().err
    assert vaserl(["export", str(root / "grpo"), "--out", str(root / "export")]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_export_refuses_weights_that_were_changed(root: Path, tmp_path: Path, capsys):
    import shutil

    from safetensors.torch import save_file

    run = tmp_path / "run"
    shutil.copytree(root / "grpo", run)
    file = run / "weights" / "v00004" / "adapter_model.safetensors"
    tensors = load_file(file)
    save_file({name: torch.zeros_like(t) if "lora_B" in name else t for name, t in tensors.items()}, file)
    assert vaserl(["export", str(run), "--out", str(tmp_path / "out")]) == 2
    assert "is not the model that the run trained" in capsys.readouterr().err


def test_sft_job_repeats_exactly(root: Path, tmp_path: Path):
    overrides = ["--run_dir", str(tmp_path / "again"), "--model.path", str(tmp_path / "tiny"), "--num_epochs", "3"]
    assert sft([str(root / "sft.toml"), *overrides]) == 0
    first = read_json_lines(tmp_path / "again" / "metrics.jsonl")
    overrides[1] = str(tmp_path / "once-more")
    assert sft([str(root / "sft.toml"), *overrides]) == 0
    assert read_json_lines(tmp_path / "once-more" / "metrics.jsonl") == first


def test_caption_verb_refuses_what_is_no_vase(root: Path, tmp_path: Path, capsys):
    model = ["--model", str(root / "export")]
    broken = tmp_path / "broken.glb"
    broken.write_bytes(b"this is not a model")
    assert vaserl(["caption", str(broken), *model]) == 2
    assert "broken.glb" in capsys.readouterr().err
    text = tmp_path / "text.png"
    text.write_text("hello")
    assert vaserl(["caption", str(text), *model]) == 2
    assert "neither a GLB file nor a photograph" in capsys.readouterr().err
    assert vaserl(["caption", str(tmp_path / "none.glb"), *model]) == 2
    assert "does not exist" in capsys.readouterr().err
    blank = tmp_path / "blank.png"
    Image.new("RGB", (128, 128), (240, 240, 240)).save(blank)
    assert vaserl(["caption", str(blank), *model]) == 2
    assert "can't be lifted to 3D" in capsys.readouterr().err
    assert vaserl(["caption", str(blank), "--model", str(tmp_path / "no-model")]) == 2
    assert "no-model does not exist" in capsys.readouterr().err
