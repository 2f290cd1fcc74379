"""Clips behind a URL, each fetched once by each machine."""

from pathlib import Path
from typing import BinaryIO, NoReturn

from vaserl.errors import UserError
from vaserl.files.clip import Clip, ClipStore
from vaserl.files.node_cache import NodeCache
from vaserl.files.storage import is_for_good, joined, no_answer, read_bytes


class FetchedClips(ClipStore):
    """Like `ClipStore`, for a folder at a URL. It can't be written to."""

    def __init__(self, url: str, cache: NodeCache, num_cached: int = 64) -> None:
        super().__init__(Path(cache.folder), num_cached)
        self._url, self._cache = url, cache

    def name(self, digest: str) -> str:
        return joined(self._url, f"{digest}.mp4")

    def open(self, digest: str) -> BinaryIO:
        return self._cache.open(digest, lambda: self._fetch(self.name(digest)))

    def add(self, clip: Clip) -> NoReturn:
        raise UserError(f"{self._url}: clips can't be added behind a URL; write the data set to a folder and upload it")

    def path(self, digest: str) -> NoReturn:
        raise UserError(f"{self.name(digest)} has no path on this machine; copy the data set to a folder")

    def _fetch(self, place: str) -> bytes:
        try:
            return read_bytes(place)
        except OSError as error:
            if is_for_good(error):
                raise UserError(f"{place} can't be read: {type(error).__name__}: {error}") from error
            raise no_answer(place, error) from error
