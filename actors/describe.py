"""Captions by a language model: a curation stage that owns a vLLM engine."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from actors.engine import engine_environment
from vaserl.curation.job.batch import RowBatch
from vaserl.curation.settings import DescribeSettings, WriterSettings
from vaserl.curation.stages.describe import Describe
from vaserl.errors import UserError
from vaserl.policy.model_folder import check_model_folder
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

PLACE = "{record}"


class DescribeByModel:
    """`Describe` with a language model for its writer. The engine lives in this very process, so it must be the stage's
    own: a worker of a pool, or the process below it."""

    def __init__(self, settings: DescribeSettings, seed: int) -> None:
        assert settings.llm is not None, "checked by the settings"
        self._prompt = read_prompt(settings.llm.prompt)
        self._writer = _Engine(settings.llm, seed)
        self._describe = Describe(settings, seed, self.write)

    def __call__(self, batch: RowBatch) -> RowBatch:
        return self._describe(batch)

    def write(self, records: Sequence[Mapping[str, str]]) -> list[str]:
        """The model's captions, "" for one that it did not bring to an end, or whose record is too long for it."""
        return self._writer.answers([self._prompt.replace(PLACE, fields_of(record)) for record in records])


def check_writer(settings: DescribeSettings) -> None:
    """Raises: UserError when the prompt or the model's folder is missing."""
    if settings.writer == "llm":
        assert settings.llm is not None, "checked by the settings"
        read_prompt(settings.llm.prompt)
        check_model_folder(settings.llm.path)


def read_prompt(path: Path) -> str:
    """The prompt with its place for the record. Raises: UserError when it is missing or has no such place."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"describe.llm.prompt {path}: can't be read: {error}") from error
    if PLACE not in text:
        raise UserError(f"describe.llm.prompt {path}: has no {PLACE}, where the fields of the record are to stand")
    return text


def fields_of(record: Mapping[str, str]) -> str:
    """The fields that a caption may state, one a line: museum numbers and findspots are no part of it."""
    fields = [FIELD_OF_DIMENSION[dimension] for dimension in DIMENSIONS]
    return "\n".join(f"{field}: {record[field]}" for field in fields if record.get(field))


class _Engine:
    """vLLM without pictures."""

    def __init__(self, settings: WriterSettings, seed: int) -> None:
        # read when vLLM is imported
        os.environ.update(engine_environment(settings.pool.num_gpus, max(int(settings.pool.num_cpus), 1)))
        from vllm import LLM, SamplingParams

        self._tokenizer: Any = AutoTokenizer.from_pretrained(settings.path)
        options: dict[str, Any] = {"max_model_len": 2048, "limit_mm_per_prompt": {"image": 0, "video": 0}}
        if not settings.pool.num_gpus:
            options["enforce_eager"] = True
        options |= settings.engine_args
        self._longest = options["max_model_len"] - settings.max_new_tokens
        self._llm = LLM(model=str(settings.path), dtype=settings.dtype, seed=seed, **options)
        self._sampling = SamplingParams(temperature=settings.temperature, max_tokens=settings.max_new_tokens, seed=seed)

    def answers(self, prompts: Sequence[str]) -> list[str]:
        """One answer each, in order; "" to a prompt that leaves no room for one."""
        asked = [self._tokens(prompt) for prompt in prompts]
        fitting = [index for index, tokens in enumerate(asked) if len(tokens) <= self._longest]
        chats: list[Any] = [{"prompt_token_ids": asked[index]} for index in fitting]
        outputs = self._llm.generate(chats, self._sampling, use_tqdm=False) if chats else []
        answers = [""] * len(prompts)
        for index, output in zip(fitting, (request.outputs[0] for request in outputs), strict=True):
            if output.finish_reason == "stop":
                answers[index] = output.text.strip()
        return answers

    def _tokens(self, prompt: str) -> list[int]:
        """As the chat template has it: it writes a text's first token itself where the model wants one."""
        chat = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        return self._tokenizer(chat, add_special_tokens=False)["input_ids"]
