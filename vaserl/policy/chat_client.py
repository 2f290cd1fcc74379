"""A model behind a URL: requests with a deadline and retries, all of a batch at once.

An answer that the server does not deliver has a problem instead of a text. A server that refuses the key, the model or
the request itself would refuse all requests; that is an error.
"""

import asyncio
import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openai
from openai.types.chat import ChatCompletion
from openai.types.chat.chat_completion import Choice
from PIL import Image

from vaserl.errors import UserError
from vaserl.settings.chat_server import ChatServerSettings

TOO_LONG = "the prompt is too long for the model"
_NUM_RETRIES = 4
_ATTEMPTS = f"{_NUM_RETRIES + 1} attempts"
_PAUSES_S = 60.0
"""Largest sum of the pauses between the attempts at one answer."""
_NO_ANSWER = "an answer that is no chat completion"
_NO_KEY = "none"
"""Key that is sent to a server without one; the client requires a text."""


@dataclass(frozen=True, slots=True)
class ChatReply:
    """A server's answer to one request."""

    text: str
    """The answer as it came, also if the token limit cut it off; empty if there is a problem."""
    finish_reason: str
    """Reason why the answer ended: "stop", "length" or another of the server's; empty if there is a problem."""
    problem: str
    """Why there is no answer; empty if there is one."""
    first_tokens: tuple[tuple[str, float], ...] = ()
    """The most probable first tokens of the answer with their log-probabilities, as many as were asked for; empty if
    the server states none."""


class ChatClient:
    """Client of one server, for requests of one kind."""

    def __init__(
        self,
        server: ChatServerSettings,
        section: str,
        *,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        system: str = "",
        num_first_tokens: int = 0,
    ) -> None:
        """section: name of the server's table in the config, for messages of errors. system: text of the system message
        of every request; none is sent if it is empty. num_first_tokens: number of `ChatReply.first_tokens` to ask for.

        Raises: UserError when the environment variable of the key is missing on this node.
        """
        self._server, self._section = server, section
        self._before: list[Any] = [{"role": "system", "content": system}] if system else []
        self._request: dict[str, Any] = {"max_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
        if num_first_tokens:
            self._request |= {"logprobs": True, "top_logprobs": num_first_tokens}
        self._key = self._read_key()

    @property
    def longest_s(self) -> float:
        """Deadline in seconds of one answer with all attempts and pauses.

        The client's own timeout restarts with every byte of an answer, and a server chooses the pauses.
        """
        return (_NUM_RETRIES + 1) * self._server.timeout_s + _PAUSES_S

    def ask_all(self, contents: Sequence[Any]) -> list[ChatReply]:
        """Returns a reply to each message, in order. contents: text of each message, or its list of parts.

        Raises: UserError when the server refuses the key, the model or the request.
        """
        return asyncio.run(self._all(contents))

    def check(self) -> None:
        """Checks that the server answers a request of one token with this key and model.

        Raises: UserError that names the setting to change.
        """
        url = f"{self._section}.base_url = {self._server.base_url}"
        try:
            asyncio.run(self._ask_for_a_token())
        except openai.APIStatusError as error:
            raise UserError(self._refusal(error)) from error
        except (openai.APIConnectionError, TimeoutError) as error:
            raise UserError(f"{url}: no answer ({_cause(error)}). Start the server or correct the URL") from error
        except (openai.APIError, ValueError) as error:
            raise UserError(
                f"{url}: {_NO_ANSWER} ({error}). Correct the URL, whose last part is usually /v1"
            ) from error

    async def _all(self, contents: Sequence[Any]) -> list[ChatReply]:
        try:
            async with self._client() as client, asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(client, content)) for content in contents]
        except* UserError as refusals:
            raise refusals.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(self, client: openai.AsyncOpenAI, content: Any) -> ChatReply:
        try:
            async with asyncio.timeout(self.longest_s):
                messages = [*self._before, {"role": "user", "content": content}]
                answer = await client.chat.completions.create(
                    model=self._server.model, messages=messages, **self._request
                )
                choice = _first_choice(answer)
                text = (choice.message.content or "").strip()
                return ChatReply(text, choice.finish_reason, "", _first_tokens(choice))
        except TimeoutError:
            problem = f"no answer within {self.longest_s:g} s"
        except openai.APITimeoutError:
            problem = f"no answer within timeout_s = {self._server.timeout_s:g} s, {_ATTEMPTS}"
        except openai.APIStatusError as error:
            if _is_passing(error):
                problem = f"HTTP status {error.status_code}, {_ATTEMPTS}"
            elif _is_too_long(error):
                problem = TOO_LONG
            else:
                raise UserError(self._refusal(error)) from error
        except openai.APIConnectionError as error:
            problem = f"no connection, {_ATTEMPTS}: {_cause(error)}"
        except (openai.APIError, ValueError) as error:
            problem = f"{_NO_ANSWER}: {error}"
        return ChatReply("", "", problem)

    async def _ask_for_a_token(self) -> None:
        async with self._client() as client, asyncio.timeout(self.longest_s):
            answer = await client.chat.completions.create(
                model=self._server.model, messages=[{"role": "user", "content": "Greek"}], max_tokens=1
            )
        _first_choice(answer)

    def _client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            base_url=self._server.base_url,
            api_key=self._key,
            timeout=self._server.timeout_s,
            max_retries=_NUM_RETRIES,
        )

    def _read_key(self) -> str:
        variable = self._server.api_key_variable
        if not variable:
            return _NO_KEY
        key = os.environ.get(variable, "")
        if not key:
            raise UserError(
                f"{self._section}.api_key_variable: the environment variable {variable} is not set on this node; "
                "set it to the server's key"
            )
        return key

    def _refusal(self, error: openai.APIStatusError) -> str:
        """Returns the message for a status with which the server refuses: what is wrong, and the setting to change."""
        server, section = self._server, self._section
        said = f"{server.base_url} answered with HTTP status {error.status_code}: {error.message}"
        if server.api_key_variable:
            said = said.replace(self._key, "[key]")  # some servers repeat it
        if error.status_code in (401, 403):
            if server.api_key_variable:
                fix = (
                    f"the server refuses the key in {server.api_key_variable}; set this environment variable to a "
                    "valid key"
                )
            else:
                fix = (
                    "the server wants a key; set api_key_variable to the name of the environment variable that holds it"
                )
            return f"{section}.api_key_variable: {fix}. {said}"
        if error.status_code == 404:
            return (
                f"{section}.model = {server.model!r} or base_url: not found; use a name that GET "
                f"{server.base_url}/models lists, and a URL whose last part is usually /v1. {said}"
            )
        return f"{section}: the server refuses the request. {said}"


def picture_part(picture: np.ndarray) -> dict[str, Any]:
    """Returns the part of a message that shows a picture, uint8 [height, width, 3], as PNG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
    return {"type": "image_url", "image_url": {"url": url}}


def _first_tokens(choice: Choice) -> tuple[tuple[str, float], ...]:
    stated = choice.logprobs.content if choice.logprobs else None
    return tuple((entry.token, entry.logprob) for entry in stated[0].top_logprobs) if stated else ()


def _first_choice(answer: ChatCompletion) -> Choice:
    """Returns the answer's choice. Raises: ValueError for an answer without one; the client passes on what it gets."""
    choices = getattr(answer, "choices", None)
    if not choices:
        raise ValueError(f"{str(answer)[:80]!r} has no choices")
    return choices[0]


def _is_passing(error: openai.APIStatusError) -> bool:
    return error.status_code in (408, 409, 429) or error.status_code >= 500


def _is_too_long(error: openai.APIStatusError) -> bool:
    """Returns True if the server refuses this prompt for its length, and not the model or the key."""
    return error.status_code == 413 or (error.status_code == 400 and "context" in error.message)


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error) or type(error).__name__
