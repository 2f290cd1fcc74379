"""A judge behind a URL with the protocol of OpenAI's chat completions: deadlines, retries, and no secret in a message.

A query without an answer ends the command, since a missing verdict must not look like one; the same command continues.
"""

import asyncio
import base64
import io
import os
from collections.abc import Sequence
from math import exp
from typing import Any

import openai
from PIL import Image

from vaserl.errors import UserError
from vaserl.judge.judge import JudgeQuery
from vaserl.judge.reply import Reply
from vaserl.judge.settings import JudgeModelSettings, JudgeServerSettings

_MAX_TOKENS = 8
_NUM_LOGPROBS = 10
_NO_KEY = "none"
"""Key that is sent to a server without one; the client requires a text."""


class UrlJudge:
    """A vision-language model on a server. It owns no process: requests are made by the caller's."""

    def __init__(self, settings: JudgeModelSettings) -> None:
        """Raises: UserError when the environment variable of the key is missing."""
        assert settings.server is not None  # the settings' validator
        self._server = settings.server
        self._key = _read_key(self._server)

    def answer(self, queries: Sequence[JudgeQuery]) -> list[Reply]:
        """Returns the reply to each query, in order.

        Raises: UserError when the server refuses, or doesn't answer a query within its deadline.
        """
        return asyncio.run(self._all(queries))

    async def _all(self, queries: Sequence[JudgeQuery]) -> list[Reply]:
        server, gate = self._server, asyncio.Semaphore(self._server.max_concurrency)

        async def one(client: openai.AsyncOpenAI, query: JudgeQuery) -> Reply:
            async with gate:
                return await self._one(client, query)

        try:
            async with (
                openai.AsyncOpenAI(
                    base_url=server.base_url,
                    api_key=self._key,
                    timeout=server.timeout_s,
                    max_retries=server.num_retries,
                ) as client,
                asyncio.TaskGroup() as group,
            ):
                tasks = [group.create_task(one(client, query)) for query in queries]
        except* UserError as refusals:
            raise refusals.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(self, client: openai.AsyncOpenAI, query: JudgeQuery) -> Reply:
        server = self._server
        try:
            async with asyncio.timeout(server.deadline_s):
                answer = await client.chat.completions.create(
                    model=server.model,
                    messages=[{"role": "user", "content": _content(query)}],
                    max_tokens=_MAX_TOKENS,
                    temperature=0.0,
                    seed=0,
                    logprobs=True,
                    top_logprobs=_NUM_LOGPROBS,
                )
        except TimeoutError:
            raise self._error(f"no answer within deadline_s = {server.deadline_s:g}") from None
        except openai.APITimeoutError:
            raise self._error(f"no answer within timeout_s = {server.timeout_s:g}, {self._attempts}") from None
        except openai.APIStatusError as error:
            raise self._error(f"HTTP status {error.status_code}, {self._attempts}: {error.message}") from None
        except openai.APIConnectionError as error:
            raise self._error(f"no connection, {self._attempts}: {error.__cause__ or error}") from None
        except (openai.APIError, ValueError) as error:
            raise self._error(f"an answer that is no chat completion: {error}") from None
        choices = getattr(answer, "choices", None)
        if not choices:
            raise self._error(f"an answer without choices: {str(answer)[:80]!r}")
        return _served_reply(choices[0])

    @property
    def _attempts(self) -> str:
        return f"{self._server.num_retries + 1} attempts at most"

    def _error(self, what: str) -> UserError:
        said = f"judge.server {self._server.base_url}: {what}. The same command continues where this one ended"
        return UserError(said if self._key == _NO_KEY else said.replace(self._key, "[key]"))


def _read_key(server: JudgeServerSettings) -> str:
    if not server.api_key_variable:
        return _NO_KEY
    key = os.environ.get(server.api_key_variable, "")
    if not key:
        raise UserError(
            f"judge.server.api_key_variable: the environment variable {server.api_key_variable} is not set; set it to "
            "the server's key"
        )
    return key


def _content(query: JudgeQuery) -> Any:
    pictures = []
    for image in query.images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
        pictures.append({"type": "image_url", "image_url": {"url": url}})
    return [*pictures, {"type": "text", "text": query.prompt}]


def _served_reply(choice: Any) -> Reply:
    """Returns the server's text, and the probability of its digit among those of "1" and "2", if the server states
    probabilities."""
    text = choice.message.content or ""
    shares = {"1": 0.0, "2": 0.0}
    stated = getattr(choice.logprobs, "content", None) if choice.logprobs else None
    for entry in stated[0].top_logprobs if stated else ():
        if entry.token.strip() in shares:
            shares[entry.token.strip()] += exp(entry.logprob)
    total = sum(shares.values())
    return Reply(text=text, probability=shares[text.strip()] / total if text.strip() in shares and total > 0 else None)
