"""The language model behind a URL that writes captions.

A caption that the server does not deliver has a problem instead of a text, and the stage words it by rules.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from vaserl.curation.settings import PoolSettings, WriterSettings
from vaserl.curation.stages.writer import LONGEST, PLACE, Wording, fields_of, read_prompt
from vaserl.errors import UserError
from vaserl.policy.chat_client import TOO_LONG, ChatClient, ChatReply
from vaserl.settings.chat_server import ChatServerSettings

_logger = logging.getLogger(__name__)
_SECTION = "describe.llm.server"


class ServedWriter:
    """Writer of captions: a language model on a server."""

    def __init__(self, settings: WriterSettings, pool: PoolSettings, seed: int) -> None:
        """pool: settings of the worker processes, of which the server needs none.

        Raises: UserError when the environment variable of the key is missing on this node.
        """
        assert settings.server is not None
        self._prompt = read_prompt(settings.prompt)
        self._client = ChatClient(
            settings.server,
            _SECTION,
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            seed=seed,
        )

    def __call__(self, records: Sequence[Mapping[str, str]]) -> list[Wording]:
        """Returns a wording for each museum record, in order.

        Raises: UserError when the server refuses the key, the model or the request.
        """
        replies = self._client.ask_all([self._prompt.replace(PLACE, fields_of(record)) for record in records])
        wordings = [_worded(reply) for reply in replies]
        for problem, number in Counter(wording.problem for wording in wordings if wording.problem).items():
            _logger.warning("%s: no caption for %d of %d records: %s", _SECTION, number, len(records), problem)
        return wordings


def check_server(server: ChatServerSettings, batch_timeout_s: float) -> None:
    """Checks that the server answers a request of one token with this key and model, and that a batch ends in time.

    Raises: UserError that names the setting to change.
    """
    client = ChatClient(server, _SECTION, max_new_tokens=1, temperature=0.0, seed=0)
    if client.longest_s >= batch_timeout_s:
        raise UserError(
            f"{_SECTION}.timeout_s = {server.timeout_s:g}: a caption may take {client.longest_s:g} s with all "
            f"attempts, and its batch is killed after pool.describe.timeout_s = {batch_timeout_s:g} s. Lower the "
            "former or raise the latter"
        )
    client.check()


def _worded(reply: ChatReply) -> Wording:
    if reply.problem:
        return Wording("", "the record is too long for the model" if reply.problem == TOO_LONG else reply.problem)
    if reply.finish_reason == "length":
        return Wording("", LONGEST)
    text = reply.text if reply.finish_reason == "stop" else ""
    return Wording(text, "" if text else f"an empty answer, which ended for the reason {reply.finish_reason!r}")
