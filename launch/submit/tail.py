"""The growing output of a job, read piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self


class Tail:
    """Reads an asynchronous stream of texts from synchronous code, which may send other requests between two reads.

    Use it in a `with` block, which closes the connection at its end.
    """

    def __init__(self, texts: AsyncIterator[str]):
        self._texts = texts
        self._runner = asyncio.Runner()
        self._coming: asyncio.Task[str | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._runner.close()

    def read(self, timeout_s: float) -> str | None:
        """Returns the next text; an empty one if none came within the time limit, None at the end of the stream.

        Raises: what the stream raises.
        """
        return self._runner.run(self._read(timeout_s))

    async def _read(self, timeout_s: float) -> str | None:
        if self._coming is None:
            self._coming = asyncio.ensure_future(_next(self._texts))
        done, _ = await asyncio.wait([self._coming], timeout=timeout_s)
        if not done:
            return ""
        text, self._coming = self._coming.result(), None
        return text


async def _next(texts: AsyncIterator[str]) -> str | None:
    return await anext(texts, None)
