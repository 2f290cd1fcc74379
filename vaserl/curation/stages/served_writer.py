"""The language model behind a URL that writes captions: requests with a deadline and retries, one batch at once.

A caption that the server does not deliver has a problem instead of a text, and the stage words it by rules. A server
that refuses the key, the model or the request itself would refuse all captions; that stops the run.
"""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence

import openai
from openai.types.chat import ChatCompletion
from openai.types.chat.chat_completion import Choice

from vaserl.curation.settings import PoolSettings, WriterServerSettings, WriterSettings
from vaserl.curation.stages.writer import LONGEST, PLACE, Wording, fields_of, read_prompt
from vaserl.errors import UserError

_logger = logging.getLogger(__name__)
_SECTION = "describe.llm.server"
_NUM_RETRIES = 4
_ATTEMPTS = f"{_NUM_RETRIES + 1} attempts"
_PAUSES_S = 60.0
"""Largest sum of the pauses between the attempts at one caption."""
_NO_ANSWER = "an answer that is no chat completion"
_NO_KEY = "none"
"""Key that is sent to a server without one; the client requires a text."""


class ServedWriter:
    """Writer of captions: a language model on a server."""

    def __init__(self, settings: WriterSettings, pool: PoolSettings, seed: int) -> None:
        """pool: settings of the worker processes, of which the server needs none.

        Raises: UserError when the environment variable of the key is missing on this node.
        """
        assert settings.server is not None
        self._server, self._key = settings.server, _key(settings.server)
        self._prompt = read_prompt(settings.prompt)
        self._max_new_tokens, self._temperature, self._seed = settings.max_new_tokens, settings.temperature, seed

    def __call__(self, records: Sequence[Mapping[str, str]]) -> list[Wording]:
        """Returns a wording for each museum record, in order.

        Raises: UserError when the server refuses the key, the model or the request.
        """
        wordings = asyncio.run(self._all([self._prompt.replace(PLACE, fields_of(record)) for record in records]))
        for problem, number in Counter(wording.problem for wording in wordings if wording.problem).items():
            _logger.warning("%s: no caption for %d of %d records: %s", _SECTION, number, len(records), problem)
        return wordings

    async def _all(self, prompts: Sequence[str]) -> list[Wording]:
        try:
            async with _client(self._server, self._key) as client, asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(client, prompt)) for prompt in prompts]
        except* UserError as refusals:
            raise refusals.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(self, client: openai.AsyncOpenAI, prompt: str) -> Wording:
        server = self._server
        try:
            async with asyncio.timeout(_longest_s(server)):
                answer = await client.chat.completions.create(
                    model=server.model,
                    messages=[{"role": "user", "content": prompt}],
                    max_tokens=self._max_new_tokens,
                    temperature=self._temperature,
                    seed=self._seed,
                )
                return _worded(answer)
        except TimeoutError:
            return Wording("", f"no answer within {_longest_s(server):g} s")
        except openai.APITimeoutError:
            return Wording("", f"no answer within timeout_s = {server.timeout_s:g} s, {_ATTEMPTS}")
        except openai.APIStatusError as error:
            if _is_passing(error):
                return Wording("", f"HTTP status {error.status_code}, {_ATTEMPTS}")
            if _is_too_long(error):
                return Wording("", "the record is too long for the model")
            raise UserError(_refusal(server, error, self._key)) from error
        except openai.APIConnectionError as error:
            return Wording("", f"no connection, {_ATTEMPTS}: {_cause(error)}")
        except (openai.APIError, ValueError) as error:
            return Wording("", f"{_NO_ANSWER}: {error}")


def check_server(server: WriterServerSettings, batch_timeout_s: float) -> None:
    """Checks that the server answers a request of one token with this key and model, and that a batch ends in time.

    Raises: UserError that names the setting to change.
    """
    if _longest_s(server) >= batch_timeout_s:
        raise UserError(
            f"{_SECTION}.timeout_s = {server.timeout_s:g}: a caption may take {_longest_s(server):g} s with all "
            f"attempts, and its batch is killed after pool.describe.timeout_s = {batch_timeout_s:g} s. Lower the "
            "former or raise the latter"
        )
    key = _key(server)
    try:
        asyncio.run(_ask_for_a_token(server, key))
    except openai.APIStatusError as error:
        raise UserError(_refusal(server, error, key)) from error
    except (openai.APIConnectionError, TimeoutError) as error:
        raise UserError(
            f"{_SECTION}.base_url = {server.base_url}: no answer ({_cause(error)}). Start the server or correct the URL"
        ) from error
    except (openai.APIError, ValueError) as error:
        raise UserError(
            f"{_SECTION}.base_url = {server.base_url}: {_NO_ANSWER} ({error}). Correct the URL, whose last part is "
            "usually /v1"
        ) from error


async def _ask_for_a_token(server: WriterServerSettings, key: str) -> None:
    async with _client(server, key) as client, asyncio.timeout(_longest_s(server)):
        answer = await client.chat.completions.create(
            model=server.model, messages=[{"role": "user", "content": "Greek"}], max_tokens=1
        )
    _first_choice(answer)


def _client(server: WriterServerSettings, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=server.base_url, api_key=key, timeout=server.timeout_s, max_retries=_NUM_RETRIES)


def _longest_s(server: WriterServerSettings) -> float:
    """Returns the deadline in seconds of one caption with all attempts and pauses.

    The client's own timeout restarts with every byte of an answer, and a server chooses the pauses.
    """
    return (_NUM_RETRIES + 1) * server.timeout_s + _PAUSES_S


def _key(server: WriterServerSettings) -> str:
    if not server.api_key_variable:
        return _NO_KEY
    key = os.environ.get(server.api_key_variable, "")
    if not key:
        raise UserError(
            f"{_SECTION}.api_key_variable: the environment variable {server.api_key_variable} is not set on this node; "
            "set it to the server's key"
        )
    return key


def _worded(answer: ChatCompletion) -> Wording:
    choice = _first_choice(answer)
    text = (choice.message.content or "").strip() if choice.finish_reason == "stop" else ""
    if choice.finish_reason == "length":
        return Wording("", LONGEST)
    return Wording(text, "" if text else f"an empty answer, which ended for the reason {choice.finish_reason!r}")


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


def _refusal(server: WriterServerSettings, error: openai.APIStatusError, key: str) -> str:
    """Returns the message for a status with which the server refuses: what is wrong, and the setting to change."""
    said = f"{server.base_url} answered with HTTP status {error.status_code}: {error.message}"
    if server.api_key_variable:
        said = said.replace(key, "[key]")  # some servers repeat it
    if error.status_code in (401, 403):
        if server.api_key_variable:
            fix = (
                f"the server refuses the key in {server.api_key_variable}; set this environment variable to a valid key"
            )
        else:
            fix = "the server wants a key; set api_key_variable to the name of the environment variable that holds it"
        return f"{_SECTION}.api_key_variable: {fix}. {said}"
    if error.status_code == 404:
        return (
            f"{_SECTION}.model = {server.model!r} or base_url: not found; use a name that GET {server.base_url}/models "
            f"lists, and a URL whose last part is usually /v1. {said}"
        )
    return f"{_SECTION}: the server refuses the request. {said}"


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error) or type(error).__name__
