"""Tests the examples in configs/rewards with real files, a real server and a real encoder."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.evaluation.predictions import completion_of
from vaserl.rewards.scorer import RewardError, make_scorer
from vaserl.rewards.vase import reference_caption, vase_caption
from vaserl.rewards.vase.reward_file import RewardFile
from vaserl.settings import RewardSettings
from vaserl.settings.section import load_config
from vaserl.types import DIMENSIONS, Group, Task

EXAMPLES = Path("configs/rewards")
RECORD = {"Fabric": "ATHENIAN", "Shape Name": "KYLIX", "Decoration": "A: WARRIOR", "Attributed To": "LYDOS"}
TEXTS = (
    "Athenian kylix, depicting a warrior, by Lydos.",
    "Corinthian cup with a lion",
    "A hoplite by Exekias, perhaps.",
)
TASK = Task(
    id="v1/caption", clip="", prompt="p", dimensions=DIMENSIONS, record=RECORD, reference=reference_caption(RECORD)
)
GROUP = Group(task=TASK, prompt_ids=(), completions=tuple(map(completion_of, TEXTS)))
HONEST = [vase_caption(TASK, completion).total for completion in GROUP.completions]


def example(name: str, **overrides: object) -> RewardSettings:
    arguments = [text for key, value in overrides.items() for text in (f"--reward.{key}", json.dumps(value))]
    return load_config(RewardFile, EXAMPLES / f"{name}.toml", arguments).reward


def test_example_file_adds_brevity():
    scores = make_scorer(example("file")).score(GROUP).scores
    # 7, 5 and 5 words, of at most 40
    for score, honest, num_words in zip(scores, HONEST, (7, 5, 5), strict=True):
        brevity = 1 - (num_words - 1) / 39
        assert score.parts["brevity/total"] == pytest.approx(brevity)
        assert score.total == pytest.approx(honest + 0.1 * brevity)
        assert score.parts["VaseReward/total"] == pytest.approx(honest)


class Judge(ThreadingHTTPServer):
    """A fake HTTP judge that follows a list of statuses and delays in seconds; after that it answers 200 with words /
    10."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: dict[str, list[int | float]] = {}
        self.asked: list[str] = []
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: Judge

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        caption = asked["caption"]
        assert asked["reference"] == TASK.reference
        with self.server.lock:
            self.server.asked.append(caption)
            script = self.server.script.get(caption)
            step = script.pop(0) if script else 200
        if isinstance(step, float):
            time.sleep(step)
            step = 200
        body = json.dumps({"score": len(caption.split()) / 10}).encode() if step == 200 else b"no"
        try:
            self.send_response(step)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            pass  # the client did not wait

    def log_message(self, *_):
        pass


@pytest.fixture
def judge() -> Iterator[Judge]:
    server = Judge()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def http(judge: Judge, **remote: object) -> RewardSettings:
    settings = example("http", **{"arguments.HttpJudge.url": f"http://127.0.0.1:{judge.server_port}/score"})
    changed = settings.remote["HttpJudge"].model_copy(update={"timeout_s": 0.5, "backoff_s": 0.01, **remote})
    return settings.model_copy(update={"remote": {"HttpJudge": changed}})


def test_example_http_retries_an_overloaded_and_slow_judge(judge: Judge):
    judge.script = {TEXTS[0]: [503, 429], TEXTS[1]: [2.0]}
    scores = make_scorer(http(judge)).score(GROUP).scores
    for score, honest, num_words in zip(scores, HONEST, (7, 5, 5), strict=True):
        assert score.total == pytest.approx(0.7 * honest + 0.3 * num_words / 10)
        assert score.parts["HttpJudge/failed"] == 0
        assert score.parts["HttpJudge/judge"] == num_words / 10
    # three calls for the first, two for the second, one for the third
    assert sorted(judge.asked) == sorted([TEXTS[0]] * 3 + [TEXTS[1]] * 2 + [TEXTS[2]])


def test_example_http_down_is_neutral_and_counted(judge: Judge):
    judge.script = {TEXTS[2]: [503, 503, 503]}
    scores = make_scorer(http(judge)).score(GROUP).scores
    assert [score.parts["HttpJudge/failed"] for score in scores] == [0, 0, 1]
    assert scores[2].total == pytest.approx(0.7 * HONEST[2] + 0.3 * (0.7 + 0.5) / 2)
    assert "HttpJudge/judge" not in scores[2].parts


def test_example_http_down_can_stop_the_run(judge: Judge):
    judge.script = {TEXTS[2]: [503] * 9}
    with pytest.raises(RewardError, match=r"HttpJudge failed on v1/caption, completion 2: .*answered 503.* in 3 calls"):
        make_scorer(http(judge, on_failure="stop")).score(GROUP)


def test_example_http_refusal_is_a_fault_not_an_outage(judge: Judge):
    judge.script = {TEXTS[0]: [400]}
    with pytest.raises(RewardError, match=r"completion 0: .*HTTPError 400"):
        make_scorer(http(judge)).score(GROUP)
    assert judge.asked.count(TEXTS[0]) == 1


def test_example_http_without_a_server_is_neutral():
    server = Judge()
    server.server_close()
    scores = make_scorer(http(server, retries=0)).score(GROUP).scores
    assert [score.total for score in scores] == pytest.approx([0.7 * honest for honest in HONEST])


def test_example_http_judge_is_asked_for_an_answer_before_the_run(judge: Judge):
    # the answer, 501 to GET, says that a server is there
    assert make_scorer(http(judge, on_failure="stop")).check() == []
    assert not judge.asked
    judge.shutdown()
    judge.server_close()
    with pytest.raises(UserError, match=r"HttpJudge' has no service: http://127.0.0.1:\d+/score: .*refused"):
        make_scorer(http(judge, on_failure="stop")).check()
    (warning,) = make_scorer(http(judge)).check()  # "neutral": the run would go on without the judge
    assert warning.startswith("reward 'configs/rewards/http_judge.py:HttpJudge' has no service")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """Returns the folder of a BERT of one layer with random weights and a word tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "warrior", "hoplite", "lion", "lydos", "exekias", "painter"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("encoder")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def test_example_embedding_compares_decoration_and_attribution(encoder: Path):
    settings = example("embedding", **{"arguments.VaseReward.encoder": str(encoder)})
    scores = make_scorer(settings).score(GROUP).scores
    expected = cosine(encoder, "hoplite", "warrior")
    assert scores[0].parts["raw/decoration"] == pytest.approx(1, abs=1e-6)
    assert scores[2].parts["raw/decoration"] == pytest.approx(expected, abs=1e-5)
    assert scores[2].parts["raw/attribution"] == pytest.approx(cosine(encoder, "exekias", "lydos"), abs=1e-5)
    assert 0 < expected < 0.99  # another word is another vector
    # the four other dimensions are compared as without an encoder
    assert scores[1].parts["fabric"] == vase_caption(TASK, GROUP.completions[1]).parts["fabric"] == -0.25


def cosine(folder: Path, a: str, b: str) -> float:
    """Returns the expected cosine, computed without `SentenceEncoder`: of the means of the last hidden states, in
    float64."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in (a, b)]
    u, v = (state.detach().double().mean(0) for state in states)
    return max(0.0, float(u @ v / u.norm() / v.norm()))


def test_sentence_encoder_pools_as_its_folder_declares(encoder: Path, tmp_path: Path):
    import shutil

    from vaserl.encoders.sentence import SentenceEncoder

    folder = tmp_path / "st"
    shutil.copytree(encoder, folder)
    mean = SentenceEncoder(folder)(["warrior lion"])[0]
    (folder / "1_Pooling").mkdir()
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}))
    assert SentenceEncoder(folder)(["warrior lion"])[0] == mean
    pooling.write_text(json.dumps({"pooling_mode": "cls"}))
    assert SentenceEncoder(folder)(["warrior lion"])[0] != mean
    pooling.write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(UserError, match="unsupported pooling mode max"):
        SentenceEncoder(folder)


def test_make_scorer_explains_a_missing_encoder(tmp_path: Path):
    settings = example("embedding", **{"arguments.VaseReward.encoder": str(tmp_path / "nowhere")})
    with pytest.raises(UserError, match=r"nowhere is not a folder of a transformers model"):
        make_scorer(settings)


def test_make_scorer_explains_wrong_constants():
    settings = RewardSettings(functions=("vaserl.rewards:VaseReward",), arguments={"VaseReward": {"tua": 0.5}})
    with pytest.raises(UserError, match="did you mean 'tau'"):
        make_scorer(settings)


def test_make_scorer_explains_missing_gpus(tmp_path: Path):
    path = tmp_path / "judge.py"
    path.write_text("class Judge:\n    num_gpus = 1\n    def __call__(self, task, completion):\n        return 1.0\n")
    name = f"{path}:Judge"
    with pytest.raises(UserError, match=r"needs num_gpus = 1, but reward\.num_gpus is 0"):
        make_scorer(RewardSettings(functions=(name,)))
    assert make_scorer(RewardSettings(functions=(name,), num_gpus=1)).score(GROUP).scores[0].total == 1.0
