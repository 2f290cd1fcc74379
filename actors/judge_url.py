"""A judge behind a URL with the protocol of OpenAI's chat completions.

A query without an answer ends the command, since a missing verdict must not look like one; the same command continues.
"""

from collections.abc import Sequence
from math import exp

from vaserl.errors import UserError
from vaserl.judge.judge import JudgeQuery
from vaserl.judge.reply import Reply
from vaserl.judge.settings import JudgeModelSettings
from vaserl.policy.chat_client import ChatClient, ChatReply, picture_part

_SECTION = "judge.server"
_MAX_TOKENS = 8
_NUM_FIRST_TOKENS = 10


class UrlJudge:
    """A vision-language model on a server. It owns no process: requests are made by the caller's."""

    def __init__(self, settings: JudgeModelSettings) -> None:
        """Raises: UserError when the environment variable of the key is missing."""
        assert settings.server is not None  # the settings' validator
        self._base_url = settings.server.base_url
        self._client = ChatClient(
            settings.server,
            _SECTION,
            max_new_tokens=_MAX_TOKENS,
            temperature=0.0,
            seed=0,
            num_first_tokens=_NUM_FIRST_TOKENS,
        )

    def answer(self, queries: Sequence[JudgeQuery]) -> list[Reply]:
        """Returns the reply to each query, in order.

        Raises: UserError when the server refuses, or doesn't answer a query.
        """
        contents = [[*map(picture_part, query.images), {"type": "text", "text": query.prompt}] for query in queries]
        replies = self._client.ask_all(contents)
        for reply in replies:
            if reply.problem:
                raise UserError(
                    f"{_SECTION} {self._base_url}: {reply.problem}. The same command continues where this one ended"
                )
        return [_served_reply(reply) for reply in replies]


def _served_reply(reply: ChatReply) -> Reply:
    """Returns the server's text, and the probability of its digit among those of "1" and "2", if the server states
    probabilities."""
    shares = {"1": 0.0, "2": 0.0}
    for token, logprob in reply.first_tokens:
        if token.strip() in shares:
            shares[token.strip()] += exp(logprob)
    total = sum(shares.values())
    is_stated = reply.text in shares and total > 0
    return Reply(text=reply.text, probability=shares[reply.text] / total if is_stated else None)
