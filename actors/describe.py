"""The language model that writes the data set's captions from museum records: a vLLM engine for text only."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import AutoTokenizer

from actors.engine import engine_environment
from vaserl.curation.settings import PoolSettings, WriterSettings
from vaserl.curation.stages.writer import LONGEST, PLACE, Wording, fields_of, read_prompt


class CaptionEngine:
    """Writer of captions: a language model in a vLLM engine.

    The engine runs in the calling process and sets environment variables there, so the process must run nothing but
    this stage: it is a pool's worker, or the worker's child process.
    """

    def __init__(self, settings: WriterSettings, pool: PoolSettings, seed: int) -> None:
        self._prompt = read_prompt(settings.prompt)
        # must be set before vLLM is imported, because the import reads it
        os.environ.update(engine_environment(pool.num_gpus, max(int(pool.num_cpus), 1)))
        from vllm import LLM, SamplingParams

        self._tokenizer: Any = AutoTokenizer.from_pretrained(settings.path)
        options: dict[str, Any] = {"max_model_len": 2048, "limit_mm_per_prompt": {"image": 0, "video": 0}}
        if not pool.num_gpus:
            options["enforce_eager"] = True
        options |= settings.engine_args
        self._longest = options["max_model_len"] - settings.max_new_tokens
        self._llm = LLM(model=str(settings.path), dtype=settings.dtype, seed=seed, **options)
        self._sampling = SamplingParams(temperature=settings.temperature, max_tokens=settings.max_new_tokens, seed=seed)

    def __call__(self, records: Sequence[Mapping[str, str]]) -> list[Wording]:
        """Returns a wording for each museum record, in order; without a text if the record is too long for the language
        model or the model's answer reached the token limit."""
        return self._answers([self._prompt.replace(PLACE, fields_of(record)) for record in records])

    def _answers(self, prompts: Sequence[str]) -> list[Wording]:
        asked = [self._tokens(prompt) for prompt in prompts]
        fitting = [index for index, tokens in enumerate(asked) if len(tokens) <= self._longest]
        chats: list[Any] = [{"prompt_token_ids": asked[index]} for index in fitting]
        outputs = self._llm.generate(chats, self._sampling, use_tqdm=False) if chats else []
        answers = [Wording("", f"the record is longer than {self._longest} tokens")] * len(prompts)
        for index, output in zip(fitting, (request.outputs[0] for request in outputs), strict=True):
            text = output.text.strip() if output.finish_reason == "stop" else ""
            answers[index] = Wording(text, "" if text else LONGEST)
        return answers

    def _tokens(self, prompt: str) -> list[int]:
        """Returns the token ids of a prompt after applying the chat template.

        The tokenizer adds no start token, because the chat template adds one if the model needs it.
        """
        chat = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        return self._tokenizer(chat, add_special_tokens=False)["input_ids"]
