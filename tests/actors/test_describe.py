"""Tests captions by a real engine: those of a small model that has memorised one caption are accepted for the matching
record and rejected for others."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import ray
import torch

from actors.describe import CaptionEngine
from tests.fakes.curation_stages import over_batches
from vaserl.curation.job.batch import RowBatch, batch_of, rows_of
from vaserl.curation.settings import DescribeSettings, PoolSettings, WriterSettings
from vaserl.curation.stages.describe import DESCRIBE, Describe
from vaserl.curation.stages.writer import Wording, check_writer, fields_of, read_prompt
from vaserl.errors import UserError
from vaserl.policy.policy import load_model
from vaserl.synthetic.models.tiny_qwen import TinyShape, build_tiny_model

KNOWN = {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Shape Name": "AMPHORA, NECK", "Provenance": "ITALY, NOLA"}
OTHERS = [{**KNOWN, "Fabric": "CORINTHIAN"}, {**KNOWN, "Decoration": "A: LION"}]
BY_HEART = "This neck-amphora is Athenian work in black-figure."
PROMPT = "Write its caption.\n{record}\n"


def learn_by_heart(folder: Path, prompt: str, answer: str, num_steps: int = 150) -> None:
    """Overfits a tiny model on one prompt and answer until greedy decoding returns the answer."""
    from transformers import AutoTokenizer

    build_tiny_model(folder, [prompt, answer], shape=TinyShape(hidden_size=128, num_layers=2, num_heads=4))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    asked = tokenizer(chat, return_tensors="pt").input_ids
    said = tokenizer(answer + tokenizer.eos_token, return_tensors="pt").input_ids
    ids, length = torch.cat([asked, said], dim=1), said.shape[1]
    model = load_model(folder).train().requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(num_steps):
        logits = model(input_ids=ids, use_cache=False).logits[0, -length - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits, said[0])
        if float(loss.detach()) < 0.01:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> DescribeSettings:
    folder = tmp_path_factory.mktemp("writer")
    (folder / "prompt.txt").write_text(PROMPT)
    learn_by_heart(folder / "model", PROMPT.replace("{record}", fields_of(KNOWN)), BY_HEART)
    writer = WriterSettings(
        path=folder / "model",
        prompt=folder / "prompt.txt",
        dtype="float32",
        max_new_tokens=48,
        engine_args={"max_model_len": 512, "max_num_seqs": 4},
    )
    return DescribeSettings(writer="llm", llm=writer)


class Writing:
    """An actor that runs the stage `describe` with an engine."""

    def __init__(self, settings: DescribeSettings) -> None:
        assert settings.llm is not None
        self.write = CaptionEngine(settings.llm, PoolSettings(num_cpus=1), 0)
        self._stage = over_batches(DESCRIBE, Describe, settings, 0, lambda: self.write)

    def describe(self, batch: RowBatch) -> RowBatch:
        return self._stage(batch)

    def captions(self, records: list[dict[str, str]]) -> list[Wording]:
        return self.write(records)


@pytest.mark.timeout(300)
def test_caption_engine_is_believed_where_the_record_agrees(cluster, settings):
    records = [KNOWN, *OTHERS]
    rows = [
        {"vase_id": f"v{k}", "record": json.dumps(record), "rejected_by": "", "reason": ""}
        for k, record in enumerate(records)
    ] + [{"vase_id": "w", "record": json.dumps(KNOWN), "rejected_by": "lift", "reason": "no outline"}]
    actor = ray.remote(num_cpus=1)(Writing).remote(settings)
    described = rows_of(ray.get(actor.describe.remote(batch_of(rows))))
    known, *others, rejected = described
    assert known["caption"] == BY_HEART != known["reference"]
    assert known["caption_fallback"] == "" and math.isnan(known["caption_invents"])
    for row in others:
        assert row["caption"] == row["reference"] != BY_HEART
        assert row["caption_fallback"] and np.nansum([row["caption_invents"], row["caption_loses"]]) > 0
    assert rejected["caption"] == ""
    endless = {**KNOWN, "Decoration": "A: LION, " * 400}  # 48 of the 512 tokens are reserved for the answer
    written = ray.get(actor.captions.remote([KNOWN, endless, KNOWN]))
    assert [wording.text for wording in written] == [BY_HEART, "", BY_HEART]
    assert written[1].problem == "the record is longer than 464 tokens"
    ray.kill(actor)


def test_read_prompt_shipped_prompt_has_its_place(tmp_path):
    text = read_prompt(Path("configs/curate/describe.txt"))
    assert text.count("{record}") == 1
    assert fields_of(KNOWN) == "Fabric: ATHENIAN\nTechnique: BLACK-FIGURE\nShape Name: AMPHORA, NECK"


def test_check_writer_names_a_missing_prompt_or_model(tmp_path, settings):
    def changed(**changes) -> DescribeSettings:
        assert settings.llm is not None
        return settings.model_copy(update={"llm": settings.llm.model_copy(update=changes)})

    check_writer(settings, 600)
    with pytest.raises(UserError, match=r"describe\.llm\.prompt .*nowhere\.txt: can't be read"):
        check_writer(changed(prompt=tmp_path / "nowhere.txt"), 600)
    (tmp_path / "prompt.txt").write_text("Write something.")
    with pytest.raises(UserError, match=r"has no \{record\}"):
        check_writer(changed(prompt=tmp_path / "prompt.txt"), 600)
    with pytest.raises(UserError, match="nowhere"):
        check_writer(changed(path=tmp_path / "nowhere"), 600)
    with pytest.raises(ValueError, match=r"needs a section \[describe\.llm\]"):
        DescribeSettings(writer="llm")
